//! The dead letters: jobs that could not be processed, kept for a person to look at.

use std::fmt;

use async_trait::async_trait;

use super::{JobHeaders, PortError};
use crate::domain::{Lane, SessionId, Target, Timestamp};

/// Names a dead letter for as long as it is one. Whoever keeps the letters chooses it; it tells nothing of the job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadId(pub String);

impl fmt::Display for DeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A dead letter.
#[derive(Clone)]
pub struct DeadJob {
    /// Its name.
    pub id: DeadId,
    /// The routing key under which it was a job; as it came, so perhaps no key of the contract.
    pub key: String,
    /// Why it is dead: a word of [`crate::domain::FailReason`], or the broker's own where that gave it up
    /// (`delivery_limit`, `rejected`, …).
    pub reason: String,
    /// Which field or what detail; never a value.
    pub detail: String,
    /// When it died, where that is known.
    pub at: Option<Timestamp>,
    /// What came beside the body.
    pub headers: JobHeaders,
    /// The body as it came: it holds codes, texts and numbers; never logged.
    pub body: Vec<u8>,
}

impl DeadJob {
    /// The queue it stood in, if its key is one of the contract.
    pub fn place(&self) -> Option<(Target, Lane)> {
        Target::parse_routing_key(&self.key)
    }

    /// The session it was for; `None` for a pool's.
    pub fn session(&self) -> Option<SessionId> {
        match self.place()? {
            (Target::Session(id), _) => Some(id),
            (Target::Pool(_), _) => None,
        }
    }
}

impl fmt::Debug for DeadJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeadJob({} {} {}: {} bytes)", self.id, self.key, self.reason, self.body.len())
    }
}

/// Which letters are meant. What is left empty does not matter, so the default means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadFilter {
    /// Only these.
    pub ids: Vec<DeadId>,
    /// Only those that died of this.
    pub reason: Option<String>,
    /// Only those that were for this session.
    pub session: Option<SessionId>,
}

impl DeadFilter {
    /// Only the letter of this name.
    pub fn one(id: &DeadId) -> Self {
        Self { ids: vec![id.clone()], ..Self::default() }
    }

    /// Whether a letter is meant.
    pub fn means(&self, letter: &DeadJob) -> bool {
        (self.ids.is_empty() || self.ids.contains(&letter.id))
            && self.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
            && self.session.as_ref().is_none_or(|session| letter.session().as_ref() == Some(session))
    }
}

/// What became of a letter that was to be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It stands in its queue again, durably, and is no letter any more.
    Enqueued,
    /// Its queue is not there: the session is gone, or the key was never one. It stays a letter.
    NoSuchTarget,
}

/// The dead letters. Nothing of it loses a letter: one leaves only when its job is durable in a queue again, or when it
/// is discarded. When a call is cut off, what it has not done yet is as it was; a letter whose job was enqueued just
/// then may be there still, and the ledger recognises the second copy.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// The letters that are meant, at most `limit`, the oldest first, as far as their age is known; `after` a letter
    /// only those that follow it, whether or not it is still there.
    async fn list(&self, which: &DeadFilter, after: Option<&DeadId>, limit: u32) -> Result<Vec<DeadJob>, PortError>;

    /// Puts the jobs of the letters that are meant back into the queues that they came from, to be tried at once: with
    /// all their headers, but as if they had never been parked. Tells of each.
    async fn retry(&self, which: &DeadFilter) -> Result<Vec<(DeadId, Retried)>, PortError>;

    /// Removes the letters that are meant for good. Tells which.
    async fn discard(&self, which: &DeadFilter) -> Result<Vec<DeadId>, PortError>;
}
