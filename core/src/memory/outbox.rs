//! The outbox in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{EventId, OutboxEvent, Timestamp};
use crate::port::{Backlog, Outbox, PortError};

/// Events in the order of writing.
#[derive(Default)]
pub(super) struct Waiting {
    rows: BTreeMap<u64, (OutboxEvent, Timestamp)>,
    places: HashMap<EventId, u64>,
    next: u64,
}

impl Waiting {
    /// Puts events at the end, but for those that wait already.
    pub(super) fn add(&mut self, events: &[OutboxEvent], now: Timestamp) {
        for event in events {
            if self.places.contains_key(&event.id) {
                continue;
            }
            self.places.insert(event.id, self.next);
            self.rows.insert(self.next, (event.clone(), now));
            self.next += 1;
        }
    }
}

#[async_trait]
impl Outbox for MemoryStores {
    async fn pending(&self, before: Timestamp, limit: u32) -> Result<Vec<OutboxEvent>, PortError> {
        let tables = self.tables();
        let old = tables.outbox.rows.values().filter(|(_, written_at)| *written_at < before);
        Ok(old.map(|(event, _)| event.clone()).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    async fn published(&self, ids: &[EventId]) -> Result<(), PortError> {
        let mut tables = self.tables();
        for id in ids {
            if let Some(place) = tables.outbox.places.remove(id) {
                tables.outbox.rows.remove(&place);
            }
        }
        Ok(())
    }

    async fn add(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        let now = self.clock.now();
        self.tables().outbox.add(events, now);
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, PortError> {
        let tables = self.tables();
        let rows = &tables.outbox.rows;
        let events = u64::try_from(rows.len()).unwrap_or(u64::MAX).min(u64::from(Backlog::MOST));
        Ok(Backlog { events, oldest: rows.values().next().map(|(_, written_at)| *written_at) })
    }
}
