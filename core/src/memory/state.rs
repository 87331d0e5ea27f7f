//! Signal state in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;

use super::MemoryStores;
use crate::domain::{Fence, SessionId, Timestamp};
use crate::port::{PortError, StateBatch, StateKey, StateStore, Written};

struct Value {
    bytes: Bytes,
    expires_at: Option<Timestamp>,
}

/// The values of one session, by area and key.
#[derive(Default)]
pub(super) struct Values(BTreeMap<&'static str, BTreeMap<String, Value>>);

impl Values {
    fn get(&self, at: &StateKey) -> Option<Bytes> {
        self.0.get(at.area)?.get(&at.key).map(|value| value.bytes.clone())
    }

    fn apply(&mut self, batch: StateBatch) {
        for put in batch.puts {
            let value = Value { bytes: put.value, expires_at: put.expires_at };
            self.0.entry(put.at.area).or_default().insert(put.at.key, value);
        }
        for at in batch.deletes {
            if let Some(area) = self.0.get_mut(at.area) {
                area.remove(&at.key);
            }
        }
    }
}

#[async_trait]
impl StateStore for MemoryStores {
    async fn get(&self, session: &SessionId, keys: &[StateKey]) -> Result<Vec<Option<Bytes>>, PortError> {
        let tables = self.tables();
        let values = tables.state.get(session);
        Ok(keys.iter().map(|at| values?.get(at)).collect())
    }

    async fn scan(&self, session: &SessionId, area: &str, prefix: &str) -> Result<Vec<(String, Bytes)>, PortError> {
        let tables = self.tables();
        let Some(values) = tables.state.get(session).and_then(|values| values.0.get(area)) else {
            return Ok(Vec::new());
        };
        let found = values
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.bytes.clone()));
        Ok(found.collect())
    }

    async fn apply(&self, batches: Vec<(Fence, StateBatch)>) -> Result<Vec<Written>, PortError> {
        let mut tables = self.tables();
        let answers = batches.into_iter().map(|(fence, batch)| {
            if !tables.allows(&fence) {
                return Written::Fenced;
            }
            tables.state.entry(fence.session).or_default().apply(batch);
            Written::Done
        });
        Ok(answers.collect())
    }

    async fn delete_expired(&self, fence: &Fence, area: &str, now: Timestamp) -> Result<u64, PortError> {
        let mut tables = self.tables();
        if !tables.allows(fence) {
            return Ok(0);
        }
        let Some(values) = tables.state.get_mut(&fence.session).and_then(|values| values.0.get_mut(area)) else {
            return Ok(0);
        };
        let before = values.len();
        values.retain(|_, value| value.expires_at.is_none_or(|expires_at| now < expires_at));
        Ok((before - values.len()) as u64)
    }

    async fn wipe(&self, fence: &Fence) -> Result<Written, PortError> {
        let mut tables = self.tables();
        if !tables.allows(fence) {
            return Ok(Written::Fenced);
        }
        tables.state.remove(&fence.session);
        Ok(Written::Done)
    }
}
