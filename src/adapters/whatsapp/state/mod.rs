//! The state of a WhatsApp client (Signal sessions, keys, device lists, credentials) in kurir's state store, under the
//! session's epoch.
//!
//! The client's in-memory backend is the reference: the same calls give the same answers. Every method that writes is
//! one atomic batch, and it returns when the batch is durable. Methods that read, decide and write hold a lock of
//! their area meanwhile; that is enough because a session has one owner, and the epoch keeps out a former one.

mod app_sync;
mod device;
pub mod keys;
mod protocol;
mod repeatable;
mod secrets;
mod signal;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use kurir_core::domain::{Fence, Timestamp};
use kurir_core::port::{Clock, PortError, StateBatch, StateKey, StatePut, StateStore, Written};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;
use whatsapp_rust::wacore::store::error::{Result, StoreError};

use self::repeatable::Repeatable;
use super::write_fence::WriteFence;

/// Why a write did not happen: the session has another owner.
#[derive(Debug, thiserror::Error)]
#[error("session {session} belongs to another owner since epoch {epoch} ended")]
pub struct SessionFenced {
    /// Which session.
    pub session: kurir_core::domain::SessionId,
    /// The epoch under which the write was tried.
    pub epoch: kurir_core::domain::Epoch,
}

/// Why a write did not happen: the backend was retired, the state of its session is gone.
#[derive(Debug, thiserror::Error)]
#[error("the session's state was removed")]
struct Retired;

/// A value that can't be read back.
#[derive(Debug, thiserror::Error)]
#[error("{area} has a value that kurir did not write: {what}")]
struct Unreadable {
    area: &'static str,
    what: &'static str,
}

/// The areas where a write depends on what was read.
#[derive(Default)]
struct Locks {
    app_sync: Mutex<()>,
    sender_key_devices: Mutex<()>,
    lids: Mutex<()>,
    tokens: Mutex<()>,
    sent: Mutex<()>,
    secrets: Mutex<()>,
    device: Mutex<()>,
}

/// The state of one session for one run of its client.
pub struct StateBackend {
    store: Arc<dyn StateStore>,
    fence: Fence,
    clock: Arc<dyn Clock>,
    locks: Locks,
    fenced: CancellationToken,
    /// Held shared by every write, so that a wipe comes after all of them and before none.
    retired: RwLock<bool>,
    failed_writes: AtomicU64,
    /// Until when messages may be sent again, of those that are just being sent.
    repeatable: Repeatable,
    /// What watches over messages that are sent again.
    writes: Option<Arc<WriteFence>>,
}

impl StateBackend {
    /// The state of the fence's session in `store`. Nothing is read or written yet.
    pub fn new(store: Arc<dyn StateStore>, fence: Fence, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            fence,
            clock,
            locks: Locks::default(),
            fenced: CancellationToken::new(),
            retired: RwLock::new(false),
            failed_writes: AtomicU64::new(0),
            repeatable: Repeatable::default(),
            writes: None,
        }
    }

    /// With a watch over messages that are sent again.
    pub(super) fn watched_by(self, writes: Arc<WriteFence>) -> Self {
        Self { writes: Some(writes), ..self }
    }

    /// Fires when the store has refused a write because the session has another owner. From then on nothing that the
    /// client does is kept, so it must be stopped.
    pub fn fenced(&self) -> CancellationToken {
        self.fenced.clone()
    }

    /// How many writes have failed so far. If it grows while the client flushes, something was not kept.
    pub fn failed_writes(&self) -> u64 {
        self.failed_writes.load(Ordering::Acquire)
    }

    /// The message that is about to be sent under this id is not sent again after this moment, whoever asks for it.
    pub fn limit_repetition(&self, message: &str, not_after: Timestamp) {
        self.repeatable.limit(message, not_after, self.clock.now());
    }

    /// Removes all state of the session and refuses every later write, so that a task of the client that still runs
    /// can't bring back a part of it.
    pub async fn wipe(&self) -> std::result::Result<Written, PortError> {
        let mut retired = self.retired.write().await;
        *retired = true;
        let written = self.store.wipe(&self.fence).await?;
        if written == Written::Fenced {
            self.fenced.cancel();
        }
        Ok(written)
    }

    async fn read(&self, key: StateKey) -> Result<Option<Bytes>> {
        Ok(self.read_all(&[key]).await?.pop().flatten())
    }

    async fn read_all(&self, keys: &[StateKey]) -> Result<Vec<Option<Bytes>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.store.get(&self.fence.session, keys).await.map_err(unavailable)
    }

    async fn scan(&self, area: &'static str, prefix: &str) -> Result<Vec<(String, Bytes)>> {
        self.store.scan(&self.fence.session, area, prefix).await.map_err(unavailable)
    }

    async fn write(&self, batch: StateBatch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let done = self.write_guarded(batch).await;
        if done.is_err() {
            self.failed_writes.fetch_add(1, Ordering::AcqRel);
        }
        done
    }

    async fn write_guarded(&self, batch: StateBatch) -> Result<()> {
        let retired = self.retired.read().await;
        if *retired {
            return Err(StoreError::Database(Box::new(Retired)));
        }
        // A batch has one answer; a store that gives none has not written it.
        let answers = self.store.apply(vec![(self.fence.clone(), batch)]).await.map_err(unavailable)?;
        if answers.first() == Some(&Written::Done) {
            return Ok(());
        }
        self.fenced.cancel();
        Err(StoreError::Database(Box::new(SessionFenced {
            session: self.fence.session.clone(),
            epoch: self.fence.epoch,
        })))
    }

    async fn put(&self, at: StateKey, value: impl Into<Bytes>) -> Result<()> {
        self.put_all([(at, value.into())]).await
    }

    async fn put_all(&self, values: impl IntoIterator<Item = (StateKey, Bytes)>) -> Result<()> {
        let puts = values.into_iter().map(|(at, value)| StatePut { at, value, expires_at: None }).collect();
        self.write(StateBatch { puts, deletes: Vec::new() }).await
    }

    async fn delete(&self, at: StateKey) -> Result<()> {
        self.delete_all(vec![at]).await
    }

    async fn delete_all(&self, deletes: Vec<StateKey>) -> Result<()> {
        self.write(StateBatch { puts: Vec::new(), deletes }).await
    }

    async fn delete_expired(&self, area: &'static str, now: Timestamp) -> Result<u32> {
        let count = self.store.delete_expired(&self.fence, area, now).await.map_err(unavailable)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

fn unavailable(error: PortError) -> StoreError {
    StoreError::Database(Box::new(error))
}

/// Small records are kept as JSON: the library derives it for them, and an unknown field of a later version does no
/// harm.
fn encode<T: Serialize>(record: &T) -> Result<Bytes> {
    serde_json::to_vec(record).map(Bytes::from).map_err(|e| StoreError::Serialization(Box::new(e)))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| StoreError::Serialization(Box::new(e)))
}

fn unreadable(area: &'static str, what: &'static str) -> StoreError {
    StoreError::Serialization(Box::new(Unreadable { area, what }))
}

/// The library counts in Unix seconds.
fn from_secs(secs: i64) -> Timestamp {
    Timestamp::from_millis(secs.saturating_mul(1000))
}
