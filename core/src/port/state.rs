//! A session's Signal state: a small table of keys and values, written only under the session's epoch.

use async_trait::async_trait;
use bytes::Bytes;

use super::{PortError, Written};
use crate::domain::{Fence, SessionId, Timestamp};

/// The place of a value within a session: an area (`identity`, `prekey`, …) and a key in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// The area, a fixed word of the writer.
    pub area: &'static str,
    /// The key; ordered bytewise within the area.
    pub key: String,
}

impl StateKey {
    /// Puts both parts together.
    pub fn new(area: &'static str, key: impl Into<String>) -> Self {
        Self { area, key: key.into() }
    }
}

/// A value to write.
#[derive(Clone, PartialEq, Eq)]
pub struct StatePut {
    /// Where.
    pub at: StateKey,
    /// What. The store seals it.
    pub value: Bytes,
    /// After this moment it may be removed; `None`: never. It is readable until it is removed.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for StatePut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatePut({:?}, {} bytes)", self.at, self.value.len())
    }
}

/// Puts and deletes that happen together or not at all. A place named twice ends as the last one says, deletes
/// after puts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateBatch {
    /// Values to write.
    pub puts: Vec<StatePut>,
    /// Places to empty.
    pub deletes: Vec<StateKey>,
}

impl StateBatch {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }
}

/// The store of Signal state. Values are encrypted at rest and bound to their place.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The values at these places, in order.
    async fn get(&self, session: &SessionId, keys: &[StateKey]) -> Result<Vec<Option<Bytes>>, PortError>;

    /// All values of an area whose key starts with `prefix`, ordered by key.
    async fn scan(&self, session: &SessionId, area: &str, prefix: &str) -> Result<Vec<(String, Bytes)>, PortError>;

    /// Carries out batches of many sessions in one commit, each whole or not at all; the answers are in order
    /// (`Done` or `Fenced`). Once this returns, the writes survive a crash of the store.
    async fn apply(&self, batches: Vec<(Fence, StateBatch)>) -> Result<Vec<Written>, PortError>;

    /// Removes the values of an area that expired at or before this moment; tells how many.
    async fn delete_expired(&self, fence: &Fence, area: &str, now: Timestamp) -> Result<u64, PortError>;

    /// Removes all values of a session.
    async fn wipe(&self, fence: &Fence) -> Result<Written, PortError>;
}
