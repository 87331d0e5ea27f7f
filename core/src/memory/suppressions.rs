//! The list of those who want no bulk messages, in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::MemoryStores;
use super::stores::Tables;
use crate::domain::{
    Applied, EventId, OptOut, OutboxEvent, PhoneNumber, Release, SessionId, Suppression, SuppressionChange,
    SuppressionCursor, TenantId, Timestamp,
};
use crate::port::{PortError, SuppressionList};

/// The list of one tenant.
#[derive(Default)]
pub(super) struct Suppressed {
    entries: BTreeMap<SuppressionCursor, Suppression>,
    changes: HashMap<PhoneNumber, Vec<SuppressionChange>>,
}

/// Where a number stands.
fn place(number: &PhoneNumber) -> SuppressionCursor {
    let digest = Sha256::digest(number.digits().as_bytes());
    SuppressionCursor(std::array::from_fn(|at| digest[at]))
}

impl Suppressed {
    fn suppress(&mut self, wish: &Suppression) -> Applied {
        let place = place(&wish.number);
        let (applied, after) = wish.over(self.entries.get(&place));
        if let Some(change) = SuppressionChange::of(applied, wish) {
            self.entries.insert(place, after);
            self.changes.entry(wish.number.clone()).or_default().push(change);
        }
        applied
    }

    fn release(&mut self, release: &Release) -> Option<Suppression> {
        let place = place(&release.number);
        if !self.entries.get(&place).is_some_and(|entry| entry.yields_to(release)) {
            return None;
        }
        self.changes.entry(release.number.clone()).or_default().push(SuppressionChange::released(release));
        self.entries.remove(&place)
    }
}

impl Tables {
    /// Carries out what one recipient wrote; gives the event that tells of it.
    fn heed(&mut self, tenant: &TenantId, session: &SessionId, reply: &OptOut, now: Timestamp) -> Option<EventId> {
        let event = match reply {
            OptOut::Stop(wish, event) => {
                let addressed = self.bulk.get(session).is_some_and(|met| met.contains(&wish.number));
                let list = self.suppressed.entry(tenant.clone()).or_default();
                (addressed && list.suppress(wish) == Applied::Added).then_some(event)?
            }
            OptOut::Resume(release, event) => {
                self.suppressed.entry(tenant.clone()).or_default().release(release)?;
                event
            }
        };
        self.outbox.add(std::slice::from_ref(event), now);
        Some(event.id)
    }
}

#[async_trait]
impl SuppressionList for MemoryStores {
    async fn suppress(&self, tenant: &TenantId, wishes: &[Suppression]) -> Result<Vec<Applied>, PortError> {
        let mut tables = self.tables();
        let list = tables.suppressed.entry(tenant.clone()).or_default();
        Ok(wishes.iter().map(|wish| list.suppress(wish)).collect())
    }

    async fn release(&self, tenant: &TenantId, release: &Release) -> Result<Option<Suppression>, PortError> {
        Ok(self.tables().suppressed.entry(tenant.clone()).or_default().release(release))
    }

    async fn heed(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        events: &[OutboxEvent],
        replies: &[OptOut],
    ) -> Result<Vec<EventId>, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        tables.outbox.add(events, now);
        Ok(replies.iter().filter_map(|reply| tables.heed(tenant, session, reply, now)).collect())
    }

    async fn suppressed(&self, asked: &[(TenantId, PhoneNumber)]) -> Result<Vec<bool>, PortError> {
        let tables = self.tables();
        let found = |(tenant, number): &(TenantId, PhoneNumber)| {
            tables.suppressed.get(tenant).is_some_and(|list| list.entries.contains_key(&place(number)))
        };
        Ok(asked.iter().map(found).collect())
    }

    async fn suppression(&self, tenant: &TenantId, number: &PhoneNumber) -> Result<Option<Suppression>, PortError> {
        Ok(self.tables().suppressed.get(tenant).and_then(|list| list.entries.get(&place(number))).cloned())
    }

    async fn suppressions(
        &self,
        tenant: &TenantId,
        after: Option<SuppressionCursor>,
        limit: u32,
    ) -> Result<Vec<(SuppressionCursor, Suppression)>, PortError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.tables();
        let Some(list) = tables.suppressed.get(tenant) else { return Ok(Vec::new()) };
        let page = list.entries.range((start, Bound::Unbounded)).map(|(place, entry)| (*place, entry.clone()));
        Ok(page.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    async fn suppression_changes(
        &self,
        tenant: &TenantId,
        number: &PhoneNumber,
        limit: u32,
    ) -> Result<Vec<SuppressionChange>, PortError> {
        let tables = self.tables();
        let Some(changes) = tables.suppressed.get(tenant).and_then(|list| list.changes.get(number)) else {
            return Ok(Vec::new());
        };
        Ok(changes.iter().rev().take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }
}
