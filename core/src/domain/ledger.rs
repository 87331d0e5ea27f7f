//! The ledger's entry of a job and the states it goes through.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BatchId, FailReason, History, JobKey, Lane, MessageId, PhoneNumber, SessionId, Timestamp};

/// Where a message stands. WhatsApp's answers come in any order (a receipt may overtake the server's ack), so the
/// states after `Sending` only ever move forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Accepted by the gateway, not seen by a worker yet.
    Queued,
    /// Waits for a limit, a retry or the moment that somebody asked for.
    Delayed,
    /// The intent is persisted; it may be on the wire.
    Sending,
    /// WhatsApp's server has taken it.
    Sent,
    /// The phone has it.
    Delivered,
    /// The recipient has seen it.
    Read,
    /// It will not be sent; the reason stands beside.
    Failed,
    /// Its deadline passed before it was on the wire.
    Expired,
    /// It was on the wire, and its deadline passed without an answer.
    Uncertain,
    /// Taken back before it was on the wire. It will not be sent.
    Cancelled,
}

impl MessageState {
    /// Every state, for schemas and conformance suites.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Delayed,
        Self::Sending,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Expired,
        Self::Uncertain,
        Self::Cancelled,
    ];

    /// As the contract and the stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delayed => "delayed",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Uncertain => "uncertain",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads what [`MessageState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the message has not been put on the wire by anybody, or may be put there again.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Delayed | Self::Sending)
    }

    /// Whether it can still be cancelled or put off: nobody is sending it, and nothing of it can be under way.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Delayed)
    }

    /// Whether it has come to its end without having been sent.
    pub const fn is_never_sent(self) -> bool {
        matches!(self, Self::Failed | Self::Expired | Self::Cancelled)
    }

    /// Whether a message in this state may come to stand in `next`.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued | Self::Delayed => !matches!(next, Self::Queued | Self::Uncertain),
            // Back to `Delayed`: refused by WhatsApp in a way that allows another attempt. Never `Cancelled`: it may
            // have arrived.
            Self::Sending => !matches!(next, Self::Queued | Self::Cancelled),
            Self::Sent => matches!(next, Self::Delivered | Self::Read),
            Self::Delivered => matches!(next, Self::Read),
            // A receipt settles what was unknown.
            Self::Uncertain => matches!(next, Self::Sent | Self::Delivered | Self::Read),
            Self::Read | Self::Failed | Self::Expired | Self::Cancelled => false,
        }
    }

    /// The states that a message passes on its way from `self` to `next`, `next` last: a read receipt says that it
    /// was sent and delivered too, and each of these is an event that consumers count on.
    pub fn steps_to(self, next: Self) -> Vec<Self> {
        const CHAIN: [MessageState; 3] = [MessageState::Sent, MessageState::Delivered, MessageState::Read];
        let Some(end) = CHAIN.iter().position(|state| *state == next) else {
            return vec![next];
        };
        let start = CHAIN.iter().position(|state| *state == self).map_or(0, |at| at + 1);
        CHAIN.get(start..=end).map_or_else(Vec::new, <[_]>::to_vec)
    }
}

impl fmt::Display for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A transition that the state machine does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job {job}: a message that is {from} can't become {to}")]
pub struct LedgerError {
    /// Which job.
    pub job: super::JobId,
    /// Where it stands.
    pub from: MessageState,
    /// Where it was to go.
    pub to: MessageState,
}

/// What the ledger knows of a job. It holds neither the text nor the full number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Which job.
    pub key: JobKey,
    /// Counts the writes; a write names the version it was made from and is refused when another came first. The
    /// first write makes version 1.
    pub version: u64,
    /// The session that sends it; for a pool's job the one it is pinned to, `None` before the first attempt.
    pub session: Option<SessionId>,
    /// Its lane.
    pub lane: Lane,
    /// The recipient, masked.
    pub recipient: String,
    /// Where it stands.
    pub state: MessageState,
    /// Why it failed or waits.
    pub reason: Option<FailReason>,
    /// WhatsApp's error code that led to the reason.
    pub code: Option<u16>,
    /// How often it was put on the wire.
    pub attempts: u32,
    /// WhatsApp's id of it.
    pub message_id: MessageId,
    /// Its deadline.
    pub expires_at: Option<Timestamp>,
    /// When it was enqueued: the producer's word, else when kurir first saw it.
    pub enqueued_at: Timestamp,
    /// Not before this moment, while it is delayed.
    pub not_before: Option<Timestamp>,
    /// When the first intent was persisted; for a pool's job the first one of the session that it is bound to.
    pub sending_at: Option<Timestamp>,
    /// When WhatsApp's server took it.
    pub sent_at: Option<Timestamp>,
    /// When the phone had it.
    pub delivered_at: Option<Timestamp>,
    /// When it was read.
    pub read_at: Option<Timestamp>,
    /// When it failed, expired, became uncertain or was cancelled.
    pub ended_at: Option<Timestamp>,
    /// The producer's own words.
    pub metadata: BTreeMap<String, String>,
    /// How it came to stand there.
    #[serde(default)]
    pub history: History,
    /// The batch that it was asked for in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// The recipient's whole number, in an entry that was made from its job and not read from a store. It is not
    /// stored: the first write leaves a keyed mark of it, to find the entry by.
    #[serde(skip)]
    pub to: Option<PhoneNumber>,
}

impl LedgerEntry {
    /// A fresh entry in state `Queued`, version 0: not written yet.
    pub fn new(job: &super::Job, now: Timestamp) -> Self {
        let key = job.key();
        Self {
            message_id: MessageId::derive(&key),
            key,
            version: 0,
            session: match &job.target {
                super::Target::Session(id) => Some(id.clone()),
                super::Target::Pool(_) => None,
            },
            lane: job.lane,
            recipient: job.to.masked(),
            state: MessageState::Queued,
            reason: None,
            code: None,
            attempts: 0,
            expires_at: job.expires_at,
            enqueued_at: job.enqueued_at.unwrap_or(now),
            not_before: None,
            sending_at: None,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            ended_at: None,
            metadata: job.metadata.clone(),
            // A producer's clock may be ahead, and later steps are not to follow it there.
            history: History::begun(MessageState::Queued, job.enqueued_at.map_or(now, |at| at.min(now))),
            batch: None,
            to: job.to.number().cloned(),
        }
    }

    /// The entry as it stands in the store once it is written: the next version, with the reason of its newest step.
    #[must_use]
    pub fn as_written(&self) -> Self {
        let mut entry = self.clone();
        entry.version = entry.version.saturating_add(1);
        entry.to = None;
        entry.history.explain(entry.state, entry.reason, entry.code);
        entry
    }

    /// The entry after it came to stand in `next` at `at`; the caller fills in a reason where there is one.
    pub fn advance(&self, next: MessageState, at: Timestamp) -> Result<Self, LedgerError> {
        if !self.state.may_become(next) {
            return Err(LedgerError { job: self.key.job, from: self.state, to: next });
        }
        // WhatsApp's receipts tell whole seconds, and clocks differ: no step lies before the one that it follows.
        let at = self.history.steps().last().map_or(at, |last| at.max(last.at));
        let mut entry = self.clone();
        entry.state = next;
        for step in self.state.steps_to(next) {
            entry.history.push(step, at);
        }
        match next {
            MessageState::Queued | MessageState::Delayed => {}
            MessageState::Sending => {
                entry.attempts += 1;
                entry.sending_at.get_or_insert(at);
                entry.not_before = None;
                entry.reason = None;
            }
            MessageState::Sent => {
                entry.sent_at.get_or_insert(at);
            }
            MessageState::Delivered => {
                entry.sent_at.get_or_insert(at);
                entry.delivered_at.get_or_insert(at);
            }
            MessageState::Read => {
                entry.sent_at.get_or_insert(at);
                entry.delivered_at.get_or_insert(at);
                entry.read_at.get_or_insert(at);
            }
            MessageState::Failed | MessageState::Expired | MessageState::Uncertain | MessageState::Cancelled => {
                entry.ended_at = Some(at);
                entry.not_before = None;
            }
        }
        if matches!(next, MessageState::Sent | MessageState::Delivered | MessageState::Read) {
            entry.reason = None;
            entry.code = None;
            entry.ended_at = None;
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::MessageState::{Cancelled, Delayed, Delivered, Expired, Failed, Queued, Read, Sending, Sent, Uncertain};
    use super::*;

    #[test]
    fn a_receipt_implies_the_states_before_it() {
        assert_eq!(Sending.steps_to(Read), [Sent, Delivered, Read]);
        assert_eq!(Sent.steps_to(Delivered), [Delivered]);
        assert_eq!(Delivered.steps_to(Read), [Read]);
        assert_eq!(Uncertain.steps_to(Delivered), [Sent, Delivered]);
        assert_eq!(Sending.steps_to(Failed), [Failed]);
    }

    #[test]
    fn a_receipt_in_whole_seconds_is_not_before_what_it_confirms() {
        let at = Timestamp::from_millis;
        let sent = entry().advance(Sending, at(1200)).unwrap().advance(Sent, at(1385)).unwrap();
        let delivered = sent.advance(Delivered, at(1000)).unwrap();
        assert_eq!(delivered.delivered_at, Some(at(1385)));
        let moments: Vec<_> = delivered.history.steps().iter().map(|step| step.at).collect();
        assert!(moments.is_sorted(), "{moments:?}");
        assert_eq!(delivered.advance(Read, at(3000)).unwrap().read_at, Some(at(3000)));
    }

    #[test]
    fn states_never_move_back() {
        for (late, early) in [(Delivered, Sent), (Read, Delivered), (Read, Sent), (Sent, Sending), (Sending, Queued)] {
            assert!(!late.may_become(early), "{late} -> {early}");
        }
        for end in [Delivered, Read, Sent] {
            assert!([Failed, Expired, Cancelled].iter().all(|other| !end.may_become(*other)), "{end} has another end");
        }
        for state in MessageState::ALL {
            assert_eq!(MessageState::parse(state.as_str()), Some(state));
        }
    }

    fn entry() -> LedgerEntry {
        let job = super::super::Job {
            id: "018f2a52-7c4e-7a3b-9d10-0123456789ab".parse().unwrap(),
            tenant: super::super::TenantId::new("acme").unwrap(),
            target: super::super::Target::Session(SessionId::new("s1").unwrap()),
            to: PhoneNumber::from_digits("6281234567890".into()).unwrap().into(),
            lane: Lane::Bulk,
            content: super::super::Content::Text("x".to_owned().into()),
            reply_to: None,
            expires_at: None,
            enqueued_at: None,
            metadata: BTreeMap::new(),
        };
        LedgerEntry::new(&job, Timestamp::from_millis(1))
    }

    #[test]
    fn every_step_stands_in_the_history_with_its_reason() {
        let at = Timestamp::from_millis;
        let mut delayed = entry().as_written().advance(Delayed, at(2)).unwrap();
        (delayed.reason, delayed.code) = (Some(FailReason::RateLimited), Some(429));
        let sending = delayed.as_written().advance(Sending, at(3)).unwrap().as_written();
        // The receipt overtook the server's answer.
        let read = sending.advance(Read, at(4)).unwrap().as_written();
        let steps: Vec<_> = read.history.steps().iter().map(|step| (step.state, step.at.as_millis())).collect();
        assert_eq!(steps, [(Queued, 1), (Delayed, 2), (Sending, 3), (Sent, 4), (Delivered, 4), (Read, 4)]);
        let why = &read.history.steps()[1];
        assert_eq!((why.reason, why.code), (Some(FailReason::RateLimited), Some(429)));
        assert!(read.history.steps()[2..].iter().all(|step| step.reason.is_none()));
        assert_eq!(read.version, 4);
    }

    #[test]
    fn an_entry_of_before_histories_is_readable_and_the_whole_number_is_never_written() {
        let json = serde_json::to_value(entry()).unwrap();
        assert!(!json.to_string().contains("6281234567890"));
        let mut old = json;
        old.as_object_mut().unwrap().remove("history");
        let old: LedgerEntry = serde_json::from_value(old).unwrap();
        assert_eq!((old.history.steps(), old.to), (&[][..], None));
    }

    #[test]
    fn only_what_waits_is_cancelled_and_that_is_the_end() {
        for state in MessageState::ALL {
            assert_eq!(state.may_become(Cancelled), matches!(state, Queued | Delayed), "{state} -> cancelled");
            assert_eq!(state.may_become(Cancelled), state.is_waiting(), "{state}");
            assert!(!Cancelled.may_become(state), "cancelled -> {state}");
        }
        assert!(!Cancelled.is_open());
    }
}
