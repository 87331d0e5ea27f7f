//! The passphrase of a file: from another file, from the environment, or from the person at the terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use kurir_core::domain::Secret;

/// The variable that may have it.
const VARIABLE: &str = "KURIR_PASSPHRASE";

/// Characters that a new one has at least.
const SHORTEST: usize = 8;

/// Whether a passphrase opens a file or is to seal one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Sealing,
    Opening,
}

/// Reads it.
pub(super) fn read(file: Option<&Path>, what_for: For) -> anyhow::Result<Secret<String>> {
    let text = match (file, std::env::var(VARIABLE)) {
        (Some(file), _) => std::fs::read_to_string(file)
            .with_context(|| format!("the passphrase file {} can't be read", file.display()))?,
        (None, Ok(text)) => text,
        (None, Err(_)) => asked(what_for)?,
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("the passphrase is empty");
    }
    if what_for == For::Sealing && text.chars().count() < SHORTEST {
        bail!("the passphrase has fewer than {SHORTEST} characters: the file holds the keys of a WhatsApp account");
    }
    Ok(Secret::new(text.to_owned()))
}

fn asked(what_for: For) -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        bail!("no passphrase: give --passphrase-file, or set {VARIABLE}");
    }
    let text = line("passphrase: ")?;
    if what_for == For::Sealing && line("once more: ")? != text {
        bail!("the two passphrases differ");
    }
    Ok(text)
}

/// Reads a line from the terminal, which shows nothing of it as far as `stty` can do that.
fn line(prompt: &str) -> anyhow::Result<String> {
    let mut err = std::io::stderr();
    write!(err, "{prompt}")?;
    err.flush()?;
    let hidden = echo(false);
    let mut text = String::new();
    let read = std::io::stdin().lock().read_line(&mut text);
    if hidden {
        echo(true);
        writeln!(err)?;
    }
    read.context("the passphrase could not be read")?;
    Ok(text)
}

/// Switches what the terminal shows of what is typed; tells whether that was done.
fn echo(on: bool) -> bool {
    let mode = if on { "echo" } else { "-echo" };
    let done = Command::new("stty").arg(mode).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}
