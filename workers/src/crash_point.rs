//! Points at which a test makes the process die, so that every row of the crash table can be shown with a real death.
//!
//! A process may have one such point, given at its start. When it passes that point it aborts: nothing is flushed, no
//! destructor runs, no connection is closed in an orderly way. Without the feature `crash-points` there is nothing of
//! this in the program: [`Crash`] is empty and passing a point does nothing.

use std::fmt;

/// A point on the way of a job or of an incoming message: right behind what it is called after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// The gateway has written a job into the ledger and has not put it into the queue.
    EntryWritten,
    /// A queue has confirmed a job, and its producer does not know yet.
    JobPublished,
    /// A job was handed out, and nothing was done with it.
    JobTaken,
    /// The recipient's limit was charged for a job.
    RecipientCharged,
    /// The ledger says that a job is being sent, and it was not handed to the client.
    IntentPersisted,
    /// WhatsApp's server has answered, or was waited for in vain, and nothing was written down.
    Answered,
    /// The result and its event are stored, and the event was not published.
    ResultPersisted,
    /// The event `message.sent` is confirmed and still in the outbox, and its job was not acknowledged.
    EventConfirmed,
    /// The copy of a job that is parked is confirmed, and the original was not acknowledged.
    CopyConfirmed,
    /// A job is parked.
    JobParked,
    /// Receipts were handed over by the client, and nothing was recorded.
    ReceiptArrived,
    /// Receipts are recorded, and WhatsApp has not heard that they came.
    ReceiptStored,
    /// Somebody's message was handed over by the client, and nothing was stored.
    IncomingArrived,
    /// Somebody's message is in the outbox, and WhatsApp has not heard that it was received.
    IncomingStored,
}

/// The point at which this process dies, if there is one. Cloning shares the count of passages.
#[derive(Clone, Default)]
pub struct Crash {
    #[cfg(feature = "crash-points")]
    at: Option<std::sync::Arc<armed::At>>,
}

impl Crash {
    /// Passes a point: the process ends here if it is the one.
    #[cfg_attr(
        not(feature = "crash-points"),
        allow(clippy::unused_self, reason = "without crash points there is nothing to look at")
    )]
    pub fn pass(&self, point: CrashPoint) {
        #[cfg(feature = "crash-points")]
        if let Some(at) = &self.at {
            at.pass(point);
        }
        #[cfg(not(feature = "crash-points"))]
        let _ = point;
    }
}

impl fmt::Debug for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "crash-points")]
        if let Some(at) = &self.at {
            return write!(f, "Crash({at})");
        }
        f.write_str("Crash(never)")
    }
}

#[cfg(feature = "crash-points")]
pub use armed::NoSuchPoint;

#[cfg(feature = "crash-points")]
mod armed {
    use std::fmt;
    use std::str::FromStr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::{Crash, CrashPoint};

    impl CrashPoint {
        const ALL: [Self; 14] = [
            Self::EntryWritten,
            Self::JobPublished,
            Self::JobTaken,
            Self::RecipientCharged,
            Self::IntentPersisted,
            Self::Answered,
            Self::ResultPersisted,
            Self::EventConfirmed,
            Self::CopyConfirmed,
            Self::JobParked,
            Self::ReceiptArrived,
            Self::ReceiptStored,
            Self::IncomingArrived,
            Self::IncomingStored,
        ];

        /// Its name, as tests give it.
        pub const fn as_str(self) -> &'static str {
            match self {
                Self::EntryWritten => "entry-written",
                Self::JobPublished => "job-published",
                Self::JobTaken => "job-taken",
                Self::RecipientCharged => "recipient-charged",
                Self::IntentPersisted => "intent-persisted",
                Self::Answered => "answered",
                Self::ResultPersisted => "result-persisted",
                Self::EventConfirmed => "event-confirmed",
                Self::CopyConfirmed => "copy-confirmed",
                Self::JobParked => "job-parked",
                Self::ReceiptArrived => "receipt-arrived",
                Self::ReceiptStored => "receipt-stored",
                Self::IncomingArrived => "incoming-arrived",
                Self::IncomingStored => "incoming-stored",
            }
        }
    }

    /// One passage of one point.
    pub(super) struct At {
        point: CrashPoint,
        turn: u32,
        /// How long whoever came here stands still before he dies, while all others go on: what they do too early
        /// happens then.
        linger: Duration,
        passed: AtomicU32,
    }

    impl At {
        pub(super) fn pass(&self, point: CrashPoint) {
            if self.is_due(point) {
                std::thread::sleep(self.linger);
                // Straight to the descriptor, so that whoever looks for the reason of the death finds it.
                eprintln!("kurir: died at {self}, as it was told to");
                std::process::abort();
            }
        }

        fn is_due(&self, point: CrashPoint) -> bool {
            point == self.point && self.passed.fetch_add(1, Ordering::Relaxed) + 1 == self.turn
        }
    }

    impl fmt::Display for At {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}:{}", self.point.as_str(), self.turn)
        }
    }

    /// What should name a point and does not.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    #[error(
        "{0:?} is no point to die at; write one like intent-persisted, intent-persisted:2 for its second passage, or \
         intent-persisted:1:500 to stand still there for 500 ms"
    )]
    pub struct NoSuchPoint(String);

    impl Crash {
        /// Whether there is a point to die at.
        pub const fn is_armed(&self) -> bool {
            self.at.is_some()
        }
    }

    impl FromStr for Crash {
        type Err = NoSuchPoint;

        /// `intent-persisted`, `intent-persisted:2` for the second passage, or `intent-persisted:1:500` to stand still
        /// there for 500 ms, while the rest of the process goes on.
        fn from_str(text: &str) -> Result<Self, NoSuchPoint> {
            let wrong = || NoSuchPoint(text.to_owned());
            let (name, rest) = text.split_once(':').unwrap_or((text, "1"));
            let (turn, linger) = rest.split_once(':').unwrap_or((rest, "0"));
            let point = CrashPoint::ALL.into_iter().find(|point| point.as_str() == name).ok_or_else(wrong)?;
            let turn = turn.parse().ok().filter(|turn| *turn > 0).ok_or_else(wrong)?;
            let linger = Duration::from_millis(linger.parse().map_err(|_| wrong())?);
            Ok(Self { at: Some(Arc::new(At { point, turn, linger, passed: AtomicU32::new(0) })) })
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_the_named_passage_of_the_named_point_is_due() {
            let crash: Crash = "answered:2".parse().unwrap();
            let at = crash.at.unwrap();
            let due = [CrashPoint::Answered, CrashPoint::JobTaken, CrashPoint::Answered, CrashPoint::Answered]
                .map(|point| at.is_due(point));
            assert_eq!(due, [false, false, true, false]);
        }

        #[test]
        fn every_point_has_its_name_and_nothing_else_is_one() {
            for point in CrashPoint::ALL {
                let crash: Crash = point.as_str().parse().unwrap();
                assert_eq!(crash.at.unwrap().point, point);
            }
            for wrong in ["", "answered:0", "answered:x", "answered:1:", "Answered", "nowhere"] {
                assert!(wrong.parse::<Crash>().is_err(), "{wrong}");
            }
        }
    }
}
