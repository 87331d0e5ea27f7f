//! The jobs in a worker's hands, and how old the oldest is. A lane's queue is first in, first out, so this is also about
//! the age of the oldest job in the queues of this worker's sessions.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use kurir_core::domain::{Lane, Timestamp};

use super::series::{Counted, LaneLabel};

/// How many were enqueued at which moment.
type Moments = BTreeMap<Timestamp, u32>;

#[derive(Default)]
pub(super) struct InHand {
    otp: Mutex<Moments>,
    bulk: Mutex<Moments>,
}

impl InHand {
    fn with<T>(&self, lane: Lane, work: impl FnOnce(&mut Moments) -> T) -> T {
        let lane = match lane {
            Lane::Otp => &self.otp,
            Lane::Bulk => &self.bulk,
        };
        // Nothing panics while it holds the lock.
        work(&mut lane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn enter(&self, lane: Lane, since: Timestamp) {
        self.with(lane, |moments| *moments.entry(since).or_default() += 1);
    }

    pub(super) fn leave(&self, lane: Lane, since: Timestamp) {
        self.with(lane, |moments| {
            if let Some(count) = moments.get_mut(&since) {
                *count -= 1;
                if *count == 0 {
                    moments.remove(&since);
                }
            }
        });
    }

    /// Brings the gauges up to date.
    pub(super) fn tell(&self, now: Timestamp, counted: &Counted) {
        for lane in Lane::ALL {
            let (jobs, oldest) = self.with(lane, |moments| {
                let jobs: u64 = moments.values().copied().map(u64::from).sum();
                (jobs, moments.keys().next().copied())
            });
            let label = LaneLabel { lane: lane.as_str() };
            counted.jobs_in_work.get_or_create(&label).set(i64::try_from(jobs).unwrap_or(i64::MAX));
            let age = oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
            counted.oldest_job_age.get_or_create(&label).set(age);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_the_oldest_that_is_left() {
        let hands = InHand::default();
        let at = Timestamp::from_millis;
        for since in [5, 3, 3, 9] {
            hands.enter(Lane::Otp, at(since));
        }
        let oldest = || hands.with(Lane::Otp, |moments| moments.keys().next().copied());
        hands.leave(Lane::Otp, at(3));
        assert_eq!(oldest(), Some(at(3)), "there were two of that moment");
        hands.leave(Lane::Otp, at(3));
        assert_eq!(oldest(), Some(at(5)));
        hands.leave(Lane::Otp, at(77));
        hands.leave(Lane::Otp, at(5));
        hands.leave(Lane::Otp, at(9));
        assert_eq!(oldest(), None);
    }
}
