//! One step of a job in the ledger: the new state, durable, with its events published.

use kurir_core::domain::{Fence, LedgerEntry, MessageState, Spent};
use kurir_core::port::{LedgerWrite, PortError, Written};
use kurir_core::wire::MessageDataV1;

use crate::crash_point::CrashPoint;
use crate::session::{Owned, Shared};

/// What became of a step.
pub(crate) enum Step {
    /// It is durable and told.
    Done(Box<LedgerEntry>),
    /// Another write came first: read again and decide again.
    Conflict,
    /// The session has another owner.
    Fenced,
}

/// Moves an entry to `next`; `fill` adds what the state machine can't know. Returns once the events are confirmed.
pub(crate) async fn step(
    owned: &Owned,
    before: &LedgerEntry,
    next: MessageState,
    spent: Option<Spent>,
    fill: impl FnOnce(&mut LedgerEntry),
) -> Result<Step, PortError> {
    let done = step_of(&owned.shared, &owned.fence, before, next, spent, fill).await?;
    if matches!(done, Step::Fenced) {
        owned.lost.cancel();
    }
    Ok(done)
}

/// As [`step`], of a session that has no connection.
pub(crate) async fn step_of(
    shared: &Shared,
    fence: &Fence,
    before: &LedgerEntry,
    next: MessageState,
    spent: Option<Spent>,
    fill: impl FnOnce(&mut LedgerEntry),
) -> Result<Step, PortError> {
    let now = shared.ports.clock.now();
    let mut entry = before.advance(next, now).map_err(|error| PortError::Refused {
        system: "the ledger",
        action: "a step of a job",
        source: Box::new(error),
    })?;
    entry.session = Some(fence.session.clone());
    fill(&mut entry);
    let events = MessageDataV1::events(&entry, before.state, Some(&fence.session), now);
    let write = LedgerWrite { fence: Some(fence.clone()), entry: entry.clone(), spent, events: events.clone() };
    match shared.ledger.write(write).await? {
        Written::Done => {
            if next != MessageState::Sending {
                shared.options.crash.pass(CrashPoint::ResultPersisted);
            }
            shared.publisher.publish(events).await?;
            Ok(Step::Done(Box::new(entry.as_written())))
        }
        Written::Conflict => Ok(Step::Conflict),
        Written::Fenced => Ok(Step::Fenced),
    }
}
