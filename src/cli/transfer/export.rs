//! `kurir sessions export`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use kurir_core::domain::{SessionId, SessionName};
use kurir_core::port::{SessionCopy, Written};

use super::file::{self, SessionFile, StateEntry};
use super::hold::{Held, Stopping, found, hold};
use super::passphrase::{self, For};
use super::{known, leftovers};
use crate::compose::ToolBackends;

/// Files removed in one commit.
const FILES_AT_ONCE: u32 = 16;

/// How the session is taken.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) stop: bool,
    pub(super) remove: bool,
    pub(super) copy: bool,
    pub(super) patience: Duration,
}

pub(super) async fn run(
    tool: &ToolBackends,
    id: &SessionId,
    out: &Path,
    passphrase_file: Option<&Path>,
    how: How,
) -> anyhow::Result<()> {
    // Before anything is stopped for it.
    ensure!(!out.exists(), "{} is there already; choose another name", out.display());
    let record = found(tool, id).await?;
    ensure!(record.status.state.is_linked(), "session {id} is not linked: there is nothing to take along");
    let passphrase = passphrase::read(passphrase_file, For::Sealing)?;
    let held = if how.copy {
        None
    } else {
        let stopping = if how.stop { Stopping::Allowed } else { Stopping::Refused };
        Some(hold(tool, id, stopping, how.patience).await?)
    };
    let written = write(tool, id, held.as_ref(), how, out, &passphrase).await;
    match (written, held) {
        (Ok(()), Some(held)) if how.remove => {
            remove(tool, &held).await.with_context(|| {
                format!("{} is written, but the session could not be removed here: it is stopped", out.display())
            })?;
            println!("{id} is in {}, and not here any more; it stays linked", out.display());
        }
        (Ok(()), Some(held)) => {
            tool.backends.sessions.let_go(&held.fence).await?;
            println!("{id} is in {}; it is stopped here. Start it here or there, never both", out.display());
        }
        (Ok(()), None) => {
            println!("{id} is copied to {}", out.display());
            eprintln!(
                "warning: it runs on, and its keys move with every message. Use this copy only if this store is lost; a \
                 session that runs from an old copy and this one at once is damaged and may be logged out"
            );
        }
        (Err(error), held) => {
            if let Some(held) = held {
                held.give_back(tool).await?;
            }
            return Err(error);
        }
    }
    Ok(())
}

async fn write(
    tool: &ToolBackends,
    id: &SessionId,
    held: Option<&Held>,
    how: How,
    out: &Path,
    passphrase: &kurir_core::domain::Secret<String>,
) -> anyhow::Result<()> {
    if how.remove {
        leftovers::none_wait(tool, id).await?;
    }
    let copy = tool.backends.vault.copy(id).await?.with_context(|| format!("session {id} was removed meanwhile"))?;
    if let Some(held) = held
        && copy.record.epoch != held.fence.epoch
    {
        bail!("session {id} was taken by somebody else meanwhile");
    }
    ensure!(!copy.state.is_empty(), "session {id} has no credentials: there is nothing to take along");
    let known = known::acquaintances(tool, id, &copy.state).await?;
    let SessionCopy { record, default, state } = copy;
    let file = SessionFile {
        taken_at: tool.backends.clock.now(),
        running: how.copy,
        id: record.id,
        tenant: record.tenant,
        pool: record.pool,
        name: record.name.as_ref().map(SessionName::as_str).map(str::to_owned),
        labels: record.labels,
        default,
        created_at: record.created_at,
        status: record.status,
        pace: record.pace,
        limits: record.limits,
        met: known.met,
        bulk: known.bulk,
        state: state.iter().map(StateEntry::of).collect(),
    };
    let sealed = file::seal(&file, passphrase, &*tool.backends.entropy)?;
    file::write(out, &sealed)
}

/// Removes the session and what came in through it; its device stays linked.
async fn remove(tool: &ToolBackends, held: &Held) -> anyhow::Result<()> {
    let (ports, fence) = (&tool.backends, &held.fence);
    // As a deletion does it: files first, for they are found by the record.
    while let Some(removed) = ports.media.remove_media_of(fence, FILES_AT_ONCE).await? {
        if removed == 0 {
            break;
        }
    }
    match ports.vault.take_out(fence).await? {
        Written::Done => {}
        Written::Conflict | Written::Fenced => bail!("somebody else has taken or started it meanwhile"),
    }
    ports.wishes.pin(&fence.session, None).await?;
    ports.jobs.remove(&held.record.id).await?;
    Ok(())
}
