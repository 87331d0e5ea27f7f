//! What a worker's loops tell.

use kurir_core::domain::{FailReason, Lane, SessionState, Timestamp};
use kurir_workers::{LeaseChange, Observer};

use super::Telemetry;
use super::series::{ChangeLabel, LaneLabel, LimitLabel, StateLabel, limit_of};

impl Observer for Telemetry {
    fn lease(&self, change: LeaseChange) {
        self.counted.lease_changes.get_or_create(&ChangeLabel { change: change.as_str() }).inc();
    }

    fn session(&self, state: SessionState) {
        self.counted.session_changes.get_or_create(&StateLabel { state: state.as_str() }).inc();
    }

    fn taken(&self, lane: Lane, since: Timestamp, now: Timestamp, first: bool) {
        self.in_hand.enter(lane, since);
        if first {
            let label = LaneLabel { lane: lane.as_str() };
            self.counted.queue_wait.get_or_create(&label).observe(now.since(since).as_secs_f64());
        }
    }

    fn settled(&self, lane: Lane, since: Timestamp) {
        self.in_hand.leave(lane, since);
    }

    fn put_off(&self, reason: FailReason) {
        if let Some(limit) = limit_of(reason) {
            self.counted.limit_hits.get_or_create(&LimitLabel { limit }).inc();
        }
    }
}
