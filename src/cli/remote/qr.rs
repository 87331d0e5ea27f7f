//! `kurir sessions qr`: the code in the terminal, until somebody has scanned it.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::bail;
use kurir_core::domain::Timestamp;
use kurir_core::memory::SystemClock;
use kurir_core::port::Clock as _;
use serde_json::Value;

use super::sessions::announce;
use super::{Output, show};
use crate::client::{Client, ClientError};

/// Without a wish.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// How often the session is looked at while a code is shown.
const LOOK: Duration = Duration::from_secs(1);

/// The states of a session that is linked.
const LINKED: [&str; 2] = ["connected", "disconnected"];

/// Shows one code after another until the session is linked; gives the session as it is then.
pub(super) async fn link(client: &Client, output: Output, session: &str, patience: Duration) -> anyhow::Result<Value> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut canvas = Canvas::default();
    loop {
        let asked = client.get(&["v1", "sessions", session, "qr"], &[("format", "json")]).await;
        let wait = match asked {
            Ok(code) => {
                canvas.show(output, &code)?;
                left(&code).min(LOOK)
            }
            Err(ClientError::Problem(problem)) if problem.code == "no_qr" => {
                let state = problem.state.clone().unwrap_or_default();
                if LINKED.contains(&state.as_str()) {
                    canvas.wipe(output);
                    let told = client.get(&["v1", "sessions", session], &[]).await?;
                    announce(output, &told);
                    return Ok(told);
                }
                match problem.retry_after {
                    Some(wait) => wait.min(LOOK),
                    // Scanned a moment ago; it connects.
                    None if state == "paired" => LOOK,
                    None => bail!(ClientError::Problem(problem)),
                }
            }
            Err(error) => return Err(error.into()),
        };
        if tokio::time::Instant::now() + wait > deadline {
            canvas.wipe(output);
            bail!("nobody has scanned the code of {session} within {} s", patience.as_secs());
        }
        tokio::time::sleep(wait).await;
    }
}

/// How long a code is still taken; a moment at least, so that a clock that differs makes no haste.
fn left(code: &Value) -> Duration {
    let until = code["expires_at"].as_str().and_then(Timestamp::parse_rfc3339);
    until.map_or(LOOK, |until| until.since(SystemClock.now())).max(Duration::from_millis(200))
}

/// What is drawn at the moment.
#[derive(Default)]
struct Canvas {
    text: String,
    lines: usize,
}

impl Canvas {
    fn show(&mut self, output: Output, code: &Value) -> std::io::Result<()> {
        let text = code["text"].as_str().unwrap_or_default();
        if text == self.text {
            return Ok(());
        }
        text.clone_into(&mut self.text);
        let mut out = std::io::stdout().lock();
        if output == Output::Json {
            return writeln!(out, "{code}");
        }
        let drawing: String =
            code["terminal"].as_str().unwrap_or_default().lines().map(|line| show::plain(line) + "\n").collect();
        self.wipe_in(&mut out)?;
        let hint = "WhatsApp > Linked devices > Link a device; a new code follows when this one ends\n";
        write!(out, "{drawing}{hint}")?;
        self.lines = drawing.lines().count() + 1;
        out.flush()
    }

    /// Takes the last code away, if this is a terminal: a code that was scanned is nobody's business any more.
    fn wipe(&mut self, output: Output) {
        if output == Output::Table {
            let _ = self.wipe_in(&mut std::io::stdout().lock());
        }
    }

    fn wipe_in(&mut self, out: &mut std::io::StdoutLock<'_>) -> std::io::Result<()> {
        if self.lines > 0 && out.is_terminal() {
            write!(out, "\x1b[{}A\x1b[J", self.lines)?;
            out.flush()?;
        }
        self.lines = 0;
        Ok(())
    }
}
