//! The end of a session: its jobs come to theirs, its device is logged out, and all that there is of it is removed.

use std::time::Duration;

use kurir_core::domain::{Fence, SessionRecord, Wanted};
use kurir_core::port::{Connection, MessengerEvent, Written};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::owner::{EndError, Ended, Shared};
use crate::job::{Remains, conclude_remains};

/// How long a deletion waits for the connection that the logout needs, and for its end.
const LOGOUT_PATIENCE: Duration = Duration::from_secs(15);

/// Deletes a session; what a stop or a failure interrupts, the next owner goes on with.
pub(super) async fn delete(
    shared: &Shared,
    record: &SessionRecord,
    fence: Fence,
    stop: &CancellationToken,
    cut: &CancellationToken,
) -> Result<Ended, EndError> {
    if let Some(ended) = conclude(shared, record, &fence, stop, cut).await? {
        return Ok(ended);
    }
    if record.status.state.is_linked() {
        let wanted = shared.ports.sessions.get(&record.id).await?.map(|record| record.wanted);
        if wanted != Some(Wanted::Deleted) {
            return Ok(Ended::Rests);
        }
        log_out(shared, record, &fence, cut).await?;
        // What came in meanwhile.
        if let Some(ended) = conclude(shared, record, &fence, stop, cut).await? {
            return Ok(ended);
        }
    }
    if shared.ports.state.wipe(&fence).await? != Written::Done {
        return Ok(Ended::Lost);
    }
    match shared.ports.sessions.delete(&fence).await? {
        Written::Done => {}
        // Wanted again meanwhile; the next owner begins with a scan.
        Written::Conflict => return Ok(Ended::Rests),
        Written::Fenced => return Ok(Ended::Lost),
    }
    // Last, so that nobody's queue is removed but that of a session that is gone.
    shared.ports.jobs.remove(&record.id).await?;
    tracing::info!(session = %record.id, "session deleted");
    Ok(Ended::Gone)
}

/// Brings the session's jobs to an end; gives how owning it ended if that was not to the end.
async fn conclude(
    shared: &Shared,
    record: &SessionRecord,
    fence: &Fence,
    stop: &CancellationToken,
    cut: &CancellationToken,
) -> Result<Option<Ended>, EndError> {
    let remains = tokio::select! {
        remains = conclude_remains(shared, record, fence, stop) => remains?,
        () = cut.cancelled() => Remains::Some,
    };
    Ok(match remains {
        Remains::None => None,
        Remains::Some => Some(Ended::Stopped { abandoned: 0 }),
        Remains::Fenced => Some(Ended::Lost),
    })
}

/// Removes the device from the phone's list. A phone that can't be reached keeps it there; the operator wanted the session
/// gone anyhow.
async fn log_out(
    shared: &Shared,
    record: &SessionRecord,
    fence: &Fence,
    cut: &CancellationToken,
) -> Result<(), EndError> {
    let Connection { sender, mut events } = shared.ports.messenger.open(fence.clone()).await?;
    let reached = tokio::select! {
        reached = tokio::time::timeout(LOGOUT_PATIENCE, connected(&mut events)) => reached.unwrap_or(false),
        () = cut.cancelled() => false,
    };
    if reached {
        let told = tokio::select! {
            told = sender.logout() => told,
            // Ends with the client, which the logout ends.
            () = forget(&mut events) => Ok(()),
            () = cut.cancelled() => Ok(()),
        };
        if let Err(error) = told {
            tracing::warn!(session = %record.id, %error, "the device could not be logged out; remove it on the phone");
        }
    }
    // Cut off, the socket goes at once: the session may be somebody else's by now.
    sender.close(if cut.is_cancelled() { Duration::ZERO } else { LOGOUT_PATIENCE }).await;
    Ok(())
}

async fn connected(events: &mut mpsc::Receiver<MessengerEvent>) -> bool {
    while let Some(event) = events.recv().await {
        match event {
            MessengerEvent::Connected => return true,
            MessengerEvent::LoggedOut | MessengerEvent::Banned { .. } | MessengerEvent::Outdated => return false,
            event => pass_over(event),
        }
    }
    false
}

async fn forget(events: &mut mpsc::Receiver<MessengerEvent>) {
    while let Some(event) = events.recv().await {
        pass_over(event);
    }
}

/// Nobody waits for this session's receipts any more, but the logout waits until they are dealt with.
fn pass_over(event: MessengerEvent) {
    if let MessengerEvent::Receipt { stored, .. } = event {
        stored.tell();
    }
}
