//! The end of a session: its jobs come to theirs, its device is logged out, and all that there is of it is removed.

use std::time::Duration;

use kurir_core::domain::{Fence, SessionRecord};
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
) -> Result<Ended, EndError> {
    match conclude_remains(shared, record, &fence, stop).await? {
        Remains::None => {}
        Remains::Some => return Ok(Ended::Stopped { abandoned: 0 }),
        Remains::Fenced => return Ok(Ended::Lost),
    }
    if record.status.state.is_linked() {
        log_out(shared, record, &fence).await?;
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

/// Removes the device from the phone's list. A phone that can't be reached keeps it there; the operator wanted the session
/// gone anyhow.
async fn log_out(shared: &Shared, record: &SessionRecord, fence: &Fence) -> Result<(), EndError> {
    let Connection { sender, mut events } = shared.ports.messenger.open(fence.clone()).await?;
    let reached = tokio::time::timeout(LOGOUT_PATIENCE, connected(&mut events)).await.unwrap_or(false);
    if reached {
        let told = tokio::select! {
            told = sender.logout() => told,
            // Ends with the client, which the logout ends.
            () = forget(&mut events) => Ok(()),
        };
        if let Err(error) = told {
            tracing::warn!(session = %record.id, %error, "the device could not be logged out; remove it on the phone");
        }
    }
    sender.close(LOGOUT_PATIENCE).await;
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
