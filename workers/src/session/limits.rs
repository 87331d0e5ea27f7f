//! A session's limits: from the settings, from what is said of it alone, and from what the last owner saved.

use std::sync::Arc;

use kurir_core::domain::{OwnLimits, SessionRecord, SessionStatus};
use kurir_core::policy::Pacer;
use tokio::sync::watch;

use super::Owned;
use super::gate::Limits;
use crate::options::WorkerOptions;

/// The limits of a session that was just claimed.
pub(super) fn of(options: &WorkerOptions, record: &SessionRecord) -> Limits {
    Limits {
        pacer: Pacer::new(options.pace.with(&record.limits), record.pace.next),
        budget: options.senders.budget(record),
        rest: record.resting(),
        turn: record.pace.turn,
        max_wait: options.max_wait,
    }
}

/// Tells the turnstile which number the session has, now that it is known.
pub(super) async fn settle(owned: &Owned, status: &SessionStatus) {
    let (Some(account), Some(first)) = (&status.account, &status.first_link) else { return };
    let zone = owned.shared.options.senders.zone(owned.id(), &account.number);
    owned.turnstile.settle(zone, first.at).await;
}

/// Goes by the session's own limits as they change. What was spent stays spent.
pub(super) async fn follow(owned: Arc<Owned>, mut told: watch::Receiver<Option<OwnLimits>>) {
    while told.changed().await.is_ok() {
        let Some(limits) = *told.borrow_and_update() else { continue };
        if owned.limits.send_replace(limits) != limits {
            tracing::info!(session = %owned.id(), "the session's own limits have changed");
            owned.turnstile.change(owned.pace(), owned.day()).await;
        }
    }
}
