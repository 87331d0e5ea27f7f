//! Counts what became of jobs, from their events.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kurir_core::domain::{EventKind, Timestamp};
use kurir_core::wire::{EventV1, MessageDataV1};
use uuid::Uuid;

/// How far one job has come.
#[derive(Clone, Debug, Default)]
struct Progress {
    sent: Option<Timestamp>,
    delivered: bool,
    read: bool,
    /// Why it ended without being sent.
    ended: Option<String>,
}

/// The count over a known set of jobs.
pub struct Tally {
    jobs: HashMap<Uuid, (Timestamp, Progress)>,
}

/// The figures of a tally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Taken by WhatsApp's server.
    pub sent: usize,
    /// On the phone.
    pub delivered: usize,
    /// Seen by the recipient.
    pub read: usize,
    /// Ended without being sent, by reason.
    pub failed: BTreeMap<String, usize>,
    /// Latencies from enqueue to the ack of WhatsApp's server, sorted.
    pub latencies: Vec<Duration>,
}

impl Figures {
    /// How many ended without being sent.
    pub fn failures(&self) -> usize {
        self.failed.values().sum()
    }

    /// The latency below which `percent` of the sent jobs lie (nearest rank).
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.latencies.len() * percent).div_ceil(100);
        self.latencies.get(rank.checked_sub(1)?).copied()
    }
}

impl Tally {
    /// Of these jobs, with the moments at which they were enqueued.
    pub fn new(jobs: impl IntoIterator<Item = (Uuid, Timestamp)>) -> Self {
        Self { jobs: jobs.into_iter().map(|(id, at)| (id, (at, Progress::default()))).collect() }
    }

    /// Takes an event; one that is not about these jobs, or known already, changes nothing.
    pub fn take(&mut self, body: &[u8]) {
        let Ok(event) = serde_json::from_slice::<EventV1<MessageDataV1>>(body) else { return };
        let Some((_, progress)) = self.jobs.get_mut(&event.data.job) else { return };
        match EventKind::parse(&event.kind) {
            Some(EventKind::MessageSent) => progress.sent = Timestamp::parse_rfc3339(&event.time),
            Some(EventKind::MessageDelivered) => progress.delivered = true,
            Some(EventKind::MessageRead) => progress.read = true,
            Some(kind @ (EventKind::MessageFailed | EventKind::MessageExpired | EventKind::MessageUncertain)) => {
                let word = kind.as_str().trim_start_matches("message.");
                progress.ended = Some(event.data.reason.unwrap_or_else(|| word.to_owned()));
            }
            _ => {}
        }
    }

    /// How many have ended: sent, delivered and seen by the recipient, or not sent. Events come in no promised order, so
    /// a read alone does not say that the others were told.
    pub fn ended(&self) -> usize {
        let told = |progress: &Progress| progress.sent.is_some() && progress.delivered && progress.read;
        self.jobs.values().filter(|(_, progress)| told(progress) || progress.ended.is_some()).count()
    }

    /// How many were sent or ended otherwise.
    pub fn decided(&self) -> usize {
        self.jobs.values().filter(|(_, progress)| progress.sent.is_some() || progress.ended.is_some()).count()
    }

    /// Why a job ended without being sent.
    pub fn reason(&self, job: &Uuid) -> Option<&str> {
        self.jobs.get(job)?.1.ended.as_deref()
    }

    /// All figures.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        for (enqueued, progress) in self.jobs.values() {
            if let Some(sent) = progress.sent {
                figures.sent += 1;
                figures.latencies.push(sent.since(*enqueued));
            }
            figures.delivered += usize::from(progress.delivered);
            figures.read += usize::from(progress.read);
            if let Some(reason) = &progress.ended {
                *figures.failed.entry(reason.clone()).or_default() += 1;
            }
        }
        figures.latencies.sort();
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, job: Uuid, at: i64, reason: Option<&str>) -> Vec<u8> {
        serde_json::json!({
            "specversion": "1.0", "id": Uuid::from_u128(1), "source": "/kurir/t", "type": kind, "subject": "x",
            "time": Timestamp::from_millis(at).to_rfc3339(), "datacontenttype": "application/json", "tenant": "t",
            "data": {"job": job, "attempts": 1, "reason": reason},
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn repeated_and_foreign_events_do_not_count() {
        let jobs: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let mut tally = Tally::new(jobs.iter().map(|id| (*id, Timestamp::from_millis(1000))));
        for _ in 0..2 {
            tally.take(&event("message.sent", jobs[0], 1040, None));
            tally.take(&event("message.read", jobs[0], 1060, None));
            tally.take(&event("message.delivered", jobs[0], 1050, None));
            tally.take(&event("message.failed", jobs[1], 1060, Some("not_on_whatsapp")));
            tally.take(&event("message.sent", Uuid::from_u128(9), 1060, None));
        }
        tally.take(b"{}");
        tally.take(&event("message.sent", jobs[2], 1040, None));
        tally.take(&event("message.read", jobs[2], 1060, None));
        let figures = tally.figures();
        assert_eq!((figures.sent, figures.delivered, figures.read, figures.failures()), (2, 1, 2, 1));
        assert_eq!((tally.ended(), tally.decided()), (2, 3), "the delivery of the third was not told yet");
        assert_eq!(figures.percentile(50), Some(Duration::from_millis(40)));
        assert_eq!(tally.reason(&jobs[1]), Some("not_on_whatsapp"));
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        let latencies = (1..=200).map(Duration::from_millis).collect();
        let figures = Figures { latencies, ..Figures::default() };
        assert_eq!(figures.percentile(50), Some(Duration::from_millis(100)));
        assert_eq!(figures.percentile(99), Some(Duration::from_millis(198)));
        assert_eq!(Figures::default().percentile(50), None);
    }
}
