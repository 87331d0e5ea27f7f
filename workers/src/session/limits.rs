//! A session's limits: from the settings and from what the last owner saved.

use kurir_core::domain::{SessionRecord, SessionStatus};
use kurir_core::policy::Pacer;

use super::Owned;
use super::gate::Limits;
use crate::options::WorkerOptions;

/// The limits of a session that was just claimed.
pub(super) fn of(options: &WorkerOptions, record: &SessionRecord) -> Limits {
    Limits {
        pacer: Pacer::new(options.pace, record.pace.next),
        budget: options.senders.budget(record),
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
