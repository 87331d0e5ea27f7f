//! A session's limits: from the settings and from what the last owner saved.

use kurir_core::domain::{SessionRecord, SessionStatus};
use kurir_core::policy::{Budget, Pacer, Zone};

use super::Owned;
use super::gate::Limits;
use crate::options::WorkerOptions;

/// The limits of a session that was just claimed.
pub(super) fn of(options: &WorkerOptions, record: &SessionRecord) -> Limits {
    let senders = &options.senders;
    let zone = record.status.account.as_ref().map_or(Zone::UTC, |account| senders.zone(&record.id, &account.number));
    let (_, began) = senders.warm_up_of(record);
    Limits {
        pacer: Pacer::new(options.pace, record.pace.next),
        budget: Budget::new(senders.day.clone(), zone, began, record.pace.day),
        rest: record.resting(),
        turn: record.pace.turn,
        max_wait: options.max_wait,
    }
}

/// Tells the turnstile which number the session has, now that it is known.
pub(super) async fn settle(owned: &Owned, status: &SessionStatus) {
    let (Some(account), Some(first)) = (&status.account, &status.first_link) else { return };
    let senders = &owned.shared.options.senders;
    let zone = senders.zone(owned.id(), &account.number);
    owned.turnstile.settle(zone, senders.began(owned.id(), first.at)).await;
}
