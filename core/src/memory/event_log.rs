//! The log of events in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{EventId, LogFilter, LogPosition, LoggedEvent, OutboxEvent, Timestamp};
use crate::port::{EventLog, LogPage, LogSpan, PortError};
use crate::wire::without_credentials;

/// Entries by position.
#[derive(Default)]
pub(super) struct Logged {
    entries: BTreeMap<LogPosition, LoggedEvent>,
    places: HashMap<EventId, LogPosition>,
    last: u64,
}

#[async_trait]
impl EventLog for MemoryStores {
    async fn append(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        let logged_at = self.clock.now();
        let log = &mut self.tables().log;
        for event in events {
            if log.places.contains_key(&event.id) {
                continue;
            }
            log.last += 1;
            let position = LogPosition(log.last);
            log.places.insert(event.id, position);
            let event = without_credentials(event).into_owned();
            log.entries.insert(position, LoggedEvent { position, logged_at, event });
        }
        Ok(())
    }

    async fn read(&self, after: LogPosition, filter: &LogFilter, limit: u32) -> Result<LogPage, PortError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let tables = self.tables();
        let later = tables.log.entries.range(LogPosition(after.0.saturating_add(1))..);
        let passing = later.filter(|(_, entry)| filter.passes(&entry.event)).map(|(_, entry)| entry.clone());
        let events: Vec<_> = passing.take(limit).collect();
        let newest = tables.log.entries.keys().next_back().copied().unwrap_or_default();
        let to = events.last().filter(|_| events.len() == limit).map_or(newest, |last| last.position);
        Ok(LogPage { events, to: to.max(after) })
    }

    async fn at(&self, positions: &[LogPosition]) -> Result<Vec<Option<LoggedEvent>>, PortError> {
        let tables = self.tables();
        Ok(positions.iter().map(|position| tables.log.entries.get(position).cloned()).collect())
    }

    async fn before(&self, moment: Timestamp) -> Result<LogPosition, PortError> {
        let tables = self.tables();
        let earlier = tables.log.entries.values().rfind(|entry| entry.logged_at < moment);
        Ok(earlier.map(|entry| entry.position).unwrap_or_default())
    }

    async fn span(&self) -> Result<Option<LogSpan>, PortError> {
        let tables = self.tables();
        let ends = (tables.log.entries.keys().next(), tables.log.entries.keys().next_back());
        Ok(match ends {
            (Some(oldest), Some(newest)) => Some(LogSpan { oldest: *oldest, newest: *newest }),
            _ => None,
        })
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let log = &mut self.tables().log;
        let old = log.entries.values().filter(|entry| entry.logged_at < before).take(limit as usize);
        let old: Vec<_> = old.map(|entry| (entry.position, entry.event.id)).collect();
        for (position, id) in &old {
            log.entries.remove(position);
            log.places.remove(id);
        }
        Ok(old.len() as u64)
    }
}
