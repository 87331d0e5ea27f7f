//! Finding messages in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStores;
use super::ledger::Row;
use crate::domain::{Lane, LedgerEntry, MessageId, MessageState, SessionId, TenantId};
use crate::port::{Activity, MessageFilter, MessageIndex, MessagePlace, PortError, Steps, Waiting};

fn fits(filter: &MessageFilter, row: &Row) -> bool {
    let entry = &row.entry;
    filter.tenant == entry.key.tenant
        && filter.states.as_ref().is_none_or(|states| states.contains(&entry.state))
        && filter
            .sessions
            .as_ref()
            .is_none_or(|sessions| entry.session.as_ref().is_some_and(|session| sessions.contains(session)))
        && filter.lane.is_none_or(|lane| lane == entry.lane)
        && filter.recipient.as_ref().is_none_or(|recipient| row.to.as_ref() == Some(recipient))
        && filter.batch.is_none_or(|batch| entry.batch == Some(batch))
        && filter.metadata.iter().all(|(key, value)| entry.metadata.get(key) == Some(value))
        && filter.since.is_none_or(|since| entry.enqueued_at >= since)
        && filter.until.is_none_or(|until| entry.enqueued_at < until)
}

#[async_trait]
impl MessageIndex for MemoryStores {
    async fn list(
        &self,
        filter: &MessageFilter,
        before: Option<MessagePlace>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError> {
        let tables = self.tables();
        let rows = tables.ledger.rows().filter(|row| fits(filter, row)).map(|row| &row.entry);
        let mut found: Vec<_> =
            rows.filter(|entry| before.is_none_or(|before| MessagePlace::of(entry) < before)).collect();
        found.sort_unstable_by_key(|entry| std::cmp::Reverse(MessagePlace::of(entry)));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found.into_iter().cloned().collect())
    }

    async fn count(&self, filter: &MessageFilter) -> Result<Vec<(MessageState, u64)>, PortError> {
        let tables = self.tables();
        let of = |state| tables.ledger.rows().filter(|row| row.entry.state == state && fits(filter, row)).count();
        let counts = MessageState::ALL.into_iter().map(|state| (state, of(state) as u64));
        Ok(counts.filter(|(_, count)| *count > 0).collect())
    }

    async fn activity(&self, tenant: &TenantId, steps: &Steps) -> Result<Vec<Activity>, PortError> {
        let tables = self.tables();
        let mut counted = steps.empty();
        for row in tables.ledger.rows().filter(|row| row.entry.key.tenant == *tenant) {
            Activity::count(&row.entry, steps, &mut counted);
        }
        Ok(counted)
    }

    async fn waiting(&self, tenant: &TenantId) -> Result<Vec<Waiting>, PortError> {
        let tables = self.tables();
        let entries = tables.ledger.rows().map(|row| &row.entry);
        let mut found: BTreeMap<(Option<SessionId>, Lane), Waiting> = BTreeMap::new();
        for entry in entries.filter(|entry| entry.key.tenant == *tenant && entry.state.is_waiting()) {
            let (session, lane) = (entry.session.clone(), entry.lane);
            let none = || Waiting { session: session.clone(), lane, messages: 0, since: entry.enqueued_at };
            let waiting = found.entry((session.clone(), lane)).or_insert_with(none);
            waiting.messages += 1;
            waiting.since = waiting.since.min(entry.enqueued_at);
        }
        Ok(found.into_values().collect())
    }

    async fn by_whatsapp_id(
        &self,
        tenant: &TenantId,
        id: &MessageId,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError> {
        let tables = self.tables();
        let is_ours = |entry: &LedgerEntry| {
            entry
                .session
                .as_ref()
                .is_none_or(|session| tables.sessions.get(session).is_some_and(|record| record.tenant == *tenant))
        };
        let rows = tables.ledger.rows().map(|row| &row.entry);
        let found = rows.filter(|entry| entry.key.tenant == *tenant && entry.message_id == *id && is_ours(entry));
        Ok(found.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }
}
