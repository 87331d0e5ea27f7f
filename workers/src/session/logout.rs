//! Logging a device out at WhatsApp, for a session that rests afterwards or that is deleted.

use std::time::Duration;

use kurir_core::domain::{EventKind, Fence, SessionRecord, SessionState, Wanted};
use kurir_core::port::{Connection, MessengerEvent, Written};
use kurir_core::wire::SessionDataV1;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::owner::{EndError, Ended, Shared};

/// How long a logout waits for the connection that it needs, and for its end.
const LOGOUT_PATIENCE: Duration = Duration::from_secs(15);

/// Logs a session out, removes its credentials and lets it rest. What a stop or a failure interrupts, the next owner begins
/// anew: a device that is logged out already is met as such.
pub(super) async fn log_out(
    shared: &Shared,
    record: &SessionRecord,
    fence: Fence,
    cut: &CancellationToken,
) -> Result<Ended, EndError> {
    if record.status.state.is_linked() {
        log_out_device(shared, record, &fence, cut).await?;
        if cut.is_cancelled() {
            return Ok(Ended::Stopped { abandoned: 0 });
        }
    }
    if shared.ports.state.wipe(&fence).await? != Written::Done {
        return Ok(Ended::Lost);
    }
    let now = shared.ports.clock.now();
    // Every state may become this one, but for what a later version may write.
    if let Ok(status) = record.status.advance(&record.id, SessionState::LoggedOut, now)
        && let Ok(event) = SessionDataV1::event(
            EventKind::SessionLoggedOut,
            &record.tenant,
            &record.id,
            &status,
            (fence.epoch, 0),
            now,
        )
    {
        let events = vec![event];
        let written = shared.ports.sessions.update(&fence, &status, &events).await?;
        shared.ports.refused.note(&[written]);
        if written != Written::Done {
            return Ok(Ended::Lost);
        }
        shared.publisher.publish_later(events);
    }
    tracing::info!(session = %record.id, "session logged out");
    Ok(match shared.ports.sessions.rest(&fence, Wanted::LoggedOut).await? {
        // Or something else is wanted by now.
        Written::Done | Written::Conflict => Ended::Rests,
        Written::Fenced => Ended::Lost,
    })
}

/// Removes the device from the phone's list. A phone that can't be reached keeps it there; the operator wanted the session
/// logged out anyhow.
pub(super) async fn log_out_device(
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
