//! The ledger in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::MemoryStores;
use super::stores::Tables;
use crate::domain::{JobKey, LedgerEntry, MessageId, PhoneNumber, SessionId, Timestamp};
use crate::port::{Ledger, LedgerWrite, PortError, Written};

pub(super) struct Row {
    pub(super) entry: LedgerEntry,
    /// The recipient, as the first write named it.
    pub(super) to: Option<PhoneNumber>,
    written_at: Timestamp,
}

/// The entries, and where to find them by message.
#[derive(Default)]
pub(super) struct Entries {
    rows: HashMap<JobKey, Row>,
    by_message: HashMap<(SessionId, MessageId), JobKey>,
}

fn message_of(entry: &LedgerEntry) -> Option<(SessionId, MessageId)> {
    entry.session.clone().map(|session| (session, entry.message_id.clone()))
}

impl Entries {
    fn get(&self, key: &JobKey) -> Option<LedgerEntry> {
        self.rows.get(key).map(|row| row.entry.clone())
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    fn remove(&mut self, key: &JobKey) -> Option<Row> {
        let row = self.rows.remove(key);
        let message = row.as_ref().and_then(|row| message_of(&row.entry));
        if let Some(message) = message.filter(|message| self.by_message.get(message) == Some(key)) {
            self.by_message.remove(&message);
        }
        row
    }

    fn put(&mut self, written: &LedgerEntry, written_at: Timestamp) {
        let known = self.remove(&written.key);
        let to = known.map_or_else(|| written.to.clone(), |row| row.to);
        let entry = written.as_written();
        if let Some(message) = message_of(&entry) {
            self.by_message.insert(message, entry.key.clone());
        }
        self.rows.insert(entry.key.clone(), Row { entry, to, written_at });
    }
}

fn write(tables: &mut Tables, write: LedgerWrite, now: Timestamp) -> Written {
    if write.fence.as_ref().is_some_and(|fence| !tables.allows(fence)) {
        return Written::Fenced;
    }
    let stored = tables.ledger.rows.get(&write.entry.key).map_or(0, |row| row.entry.version);
    if stored != write.entry.version {
        return Written::Conflict;
    }
    if let (Some(fence), Some(spent)) = (&write.fence, write.spent)
        && let Some(record) = tables.owned(fence)
    {
        if spent.pace.turn >= record.pace.turn {
            record.pace = spent.pace;
        }
        if let Some(recipient) = spent.met {
            tables.met.entry(fence.session.clone()).or_default().insert(recipient);
        }
        if let Some(recipient) = spent.bulk {
            tables.bulk.entry(fence.session.clone()).or_default().insert(recipient);
        }
    }
    tables.ledger.put(&write.entry, now);
    tables.outbox.add(&write.events, now);
    Written::Done
}

#[async_trait]
impl Ledger for MemoryStores {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        Ok(writes.into_iter().map(|one| write(&mut tables, one, now)).collect())
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        let tables = self.tables();
        Ok(keys.iter().map(|key| tables.ledger.get(key)).collect())
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        let tables = self.tables();
        let ledger = &tables.ledger;
        let find = |id: &MessageId| ledger.get(ledger.by_message.get(&(session.clone(), id.clone()))?);
        Ok(ids.iter().map(find).collect())
    }

    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError> {
        let tables = self.tables();
        let entries = tables.ledger.rows.values().map(|row| &row.entry);
        let open = entries.filter(|entry| entry.session.as_ref() == Some(session) && entry.state.is_open());
        Ok(open.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError> {
        let tables = self.tables();
        let met = tables.met.get(session);
        Ok(recipients.iter().map(|recipient| met.is_some_and(|met| met.contains(recipient))).collect())
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let mut tables = self.tables();
        let old: Vec<_> = tables
            .ledger
            .rows
            .iter()
            .filter(|(_, row)| row.written_at < before && !row.entry.state.is_open())
            .map(|(key, _)| key.clone())
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .collect();
        for key in &old {
            tables.ledger.remove(key);
        }
        Ok(old.len() as u64)
    }
}
