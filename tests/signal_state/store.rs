//! A state store of one map, which gives way to other tasks before it answers, so that what races would race.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{Epoch, Fence, SessionId, Timestamp};
use kurir_core::port::{PortError, StateBatch, StateKey, StateStore, Written};

type Values = BTreeMap<(SessionId, &'static str, String), (Bytes, Option<Timestamp>)>;

#[derive(Default)]
pub struct MapStore {
    values: Mutex<Values>,
    epochs: Mutex<HashMap<SessionId, Epoch>>,
    applies: AtomicUsize,
}

impl MapStore {
    /// Gives the session its next owner.
    pub fn claim(&self, session: &SessionId) -> Fence {
        let mut epochs = self.epochs.lock().unwrap();
        let epoch = epochs.entry(session.clone()).or_default();
        epoch.0 += 1;
        Fence { session: session.clone(), epoch: *epoch }
    }

    pub fn applies(&self) -> usize {
        self.applies.load(Ordering::Relaxed)
    }

    pub fn len(&self) -> usize {
        self.values.lock().unwrap().len()
    }

    fn is_owner(&self, fence: &Fence) -> bool {
        self.epochs.lock().unwrap().get(&fence.session) == Some(&fence.epoch)
    }
}

#[async_trait]
impl StateStore for MapStore {
    async fn get(&self, session: &SessionId, keys: &[StateKey]) -> Result<Vec<Option<Bytes>>, PortError> {
        tokio::task::yield_now().await;
        let values = self.values.lock().unwrap();
        let read = |key: &StateKey| values.get(&(session.clone(), key.area, key.key.clone())).map(|(v, _)| v.clone());
        Ok(keys.iter().map(read).collect())
    }

    async fn scan(&self, session: &SessionId, area: &str, prefix: &str) -> Result<Vec<(String, Bytes)>, PortError> {
        tokio::task::yield_now().await;
        let values = self.values.lock().unwrap();
        let found = values.iter().filter(|((s, a, k), _)| s == session && *a == area && k.starts_with(prefix));
        Ok(found.map(|((_, _, key), (value, _))| (key.clone(), value.clone())).collect())
    }

    async fn apply(&self, batches: Vec<(Fence, StateBatch)>) -> Result<Vec<Written>, PortError> {
        tokio::task::yield_now().await;
        self.applies.fetch_add(1, Ordering::Relaxed);
        let mut values = self.values.lock().unwrap();
        let write = |(fence, batch): (Fence, StateBatch)| {
            if !self.is_owner(&fence) {
                return Written::Fenced;
            }
            for put in batch.puts {
                values.insert((fence.session.clone(), put.at.area, put.at.key), (put.value, put.expires_at));
            }
            for at in batch.deletes {
                values.remove(&(fence.session.clone(), at.area, at.key));
            }
            Written::Done
        };
        Ok(batches.into_iter().map(write).collect())
    }

    async fn delete_expired(&self, fence: &Fence, area: &str, now: Timestamp) -> Result<u64, PortError> {
        tokio::task::yield_now().await;
        if !self.is_owner(fence) {
            return Ok(0);
        }
        let mut values = self.values.lock().unwrap();
        let before = values.len();
        values.retain(|(session, in_area, _), (_, expires_at)| {
            *session != fence.session || *in_area != area || expires_at.is_none_or(|at| at > now)
        });
        Ok((before - values.len()) as u64)
    }

    async fn wipe(&self, fence: &Fence) -> Result<Written, PortError> {
        tokio::task::yield_now().await;
        if !self.is_owner(fence) {
            return Ok(Written::Fenced);
        }
        self.values.lock().unwrap().retain(|(session, _, _), _| *session != fence.session);
        Ok(Written::Done)
    }
}
