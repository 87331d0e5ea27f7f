//! Who may write: a session's epoch, and the proof that goes with every guarded write.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SessionId;

/// How often a session has changed hands. Minted by the store when a worker claims the session; a write under an
/// older epoch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The guard of a write: it is carried out only while `session` still has `epoch`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The session written to.
    pub session: SessionId,
    /// The epoch under which the writer owns it.
    pub epoch: Epoch,
}

/// A process that holds leases: a worker's name and what tells two processes of one name apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseHolder(String);

impl LeaseHolder {
    /// `instance` is random per process.
    pub fn new(worker: &super::WorkerName, instance: u128) -> Self {
        // A worker's name has no slash, so no holder's text is the beginning of another's.
        Self(format!("{worker}/{instance:032x}/"))
    }

    /// What the tokens of all leases of this process begin with, and those of no other.
    pub fn prefix(&self) -> &str {
        &self.0
    }
}

/// The value under a lease's key: unique for one acquisition by one process, so that a renewal or a release can't hit
/// the lease of somebody else, not even of another process with the same worker name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseToken(String);

impl LeaseToken {
    /// Made of its holder and a random part that the caller passes in.
    pub fn new(holder: &LeaseHolder, nonce: u128) -> Self {
        Self(format!("{}{nonce:032x}", holder.prefix()))
    }

    /// Whether this process holds it.
    pub fn is_of(&self, holder: &LeaseHolder) -> bool {
        self.0.starts_with(holder.prefix())
    }

    /// The token as the lease store keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
