//! Verifications in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::MemoryStores;
use super::stores::Tables;
use crate::domain::{
    NumberPrefix, PhoneNumber, PrefixId, PrefixRecord, Secret, TenantId, Timestamp, Verification, VerificationId,
    VerificationStatus,
};
use crate::policy;
use crate::port::{
    Entered, LimitCharge, LimitOf, PortError, Tally, VerificationFilter, VerificationWrite, Verifications, Written,
};

/// A verification, and its code while it is open.
struct Row {
    record: Verification,
    code: Option<Secret<String>>,
}

/// The verifications and what is counted for them.
#[derive(Default)]
pub(super) struct Codes {
    rows: BTreeMap<(TenantId, VerificationId), Row>,
    counts: HashMap<(TenantId, LimitOf), (Timestamp, u32)>,
    prefixes: BTreeMap<(TenantId, PrefixId), PrefixRecord>,
}

/// Nobody reads this memory but us, so no key is needed.
fn id_of(tenant: &TenantId, prefix: &NumberPrefix) -> PrefixId {
    let hash = Sha256::new().chain_update(tenant.as_str()).chain_update("/").chain_update(prefix.digits()).finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    PrefixId(id)
}

fn count(tables: &mut Tables, of: &Verification, tally: Tally, now: Timestamp) {
    let prefix = NumberPrefix::of(&of.to);
    let id = id_of(&of.tenant, &prefix);
    let known = tables.verify.prefixes.get(&(of.tenant.clone(), id)).cloned();
    let known = known.unwrap_or_else(|| PrefixRecord::new(id, prefix, tally.at));
    let (next, blocks) = policy::counted(&known, tally.what, &tally.rule, tally.at);
    tables.verify.prefixes.insert((of.tenant.clone(), id), next);
    if blocks {
        tables.outbox.add(&[tally.blocked], now);
    }
}

impl Codes {
    fn of<'a>(&'a self, tenant: &'a TenantId) -> impl DoubleEndedIterator<Item = &'a Verification> {
        let first = VerificationId::new(uuid::Uuid::nil());
        let rows = self.rows.range((tenant.clone(), first)..).take_while(move |((owner, _), _)| owner == tenant);
        let rows: Vec<_> = rows.map(|(_, row)| &row.record).collect();
        rows.into_iter()
    }
}

fn many(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl Verifications for MemoryStores {
    async fn enter(&self, new: VerificationWrite, code: &Secret<String>) -> Result<Entered, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        let VerificationWrite { record, tally, events } = new;
        let open = |other: &&Verification| other.to == record.to && other.status.is_open();
        if let Some(open) = tables.verify.of(&record.tenant).find(open).cloned() {
            return Ok(Entered::Open(Box::new(open)));
        }
        tables.outbox.add(&events, now);
        if let Some(tally) = tally {
            count(&mut tables, &record, tally, now);
        }
        let key = (record.tenant.clone(), record.id);
        let record = Verification { version: record.version + 1, ..record };
        tables.verify.rows.insert(key, Row { record, code: Some(code.clone()) });
        Ok(Entered::New)
    }

    async fn save(&self, write: VerificationWrite) -> Result<Written, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        let VerificationWrite { record, tally, events } = write;
        let row = tables.verify.rows.get_mut(&(record.tenant.clone(), record.id));
        let Some(row) = row.filter(|row| row.record.version == record.version) else { return Ok(Written::Conflict) };
        row.record = Verification { version: record.version + 1, ..record.clone() };
        if !record.status.is_open() {
            row.code = None;
        }
        tables.outbox.add(&events, now);
        if let Some(tally) = tally {
            count(&mut tables, &record, tally, now);
        }
        Ok(Written::Done)
    }

    async fn verification(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Verification>, PortError> {
        Ok(self.tables().verify.rows.get(&(tenant.clone(), id)).map(|row| row.record.clone()))
    }

    async fn latest_to(&self, tenant: &TenantId, to: &PhoneNumber) -> Result<Option<Verification>, PortError> {
        let tables = self.tables();
        let same = tables.verify.of(tenant).filter(|record| record.to == *to);
        Ok(same.max_by_key(|record| (record.status.is_open(), record.id)).cloned())
    }

    async fn code_of(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Secret<String>>, PortError> {
        Ok(self.tables().verify.rows.get(&(tenant.clone(), id)).and_then(|row| row.code.clone()))
    }

    async fn verifications(
        &self,
        tenant: &TenantId,
        filter: &VerificationFilter,
        before: Option<VerificationId>,
        limit: u32,
    ) -> Result<Vec<Verification>, PortError> {
        let fits = |record: &&Verification| {
            before.is_none_or(|before| record.id < before)
                && filter.status.is_none_or(|status| record.status == status)
                && filter.to.as_ref().is_none_or(|to| record.to == *to)
        };
        Ok(self.tables().verify.of(tenant).rev().filter(fits).take(many(limit)).cloned().collect())
    }

    async fn count_from(
        &self,
        tenant: &TenantId,
        from: VerificationId,
    ) -> Result<Vec<(VerificationStatus, u64)>, PortError> {
        let tables = self.tables();
        let of = |status| {
            tables.verify.of(tenant).filter(|record| record.id >= from && record.status == status).count() as u64
        };
        let counts = VerificationStatus::ALL.into_iter().map(|status| (status, of(status)));
        Ok(counts.filter(|(_, count)| *count > 0).collect())
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Verification>, PortError> {
        let tables = self.tables();
        let records = tables.verify.rows.values().map(|row| &row.record);
        let mut due: Vec<_> = records.filter(|record| record.due_at.is_some_and(|at| at <= now)).cloned().collect();
        due.sort_by_key(|record| record.due_at);
        due.truncate(many(limit));
        Ok(due)
    }

    async fn forget_ended(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let mut tables = self.tables();
        let codes = &mut tables.verify;
        let old = codes.rows.iter().filter(|(_, row)| row.record.ended_at.is_some_and(|at| at < before));
        let old: Vec<_> = old.map(|(key, _)| key.clone()).take(many(limit)).collect();
        for key in &old {
            codes.rows.remove(key);
        }
        codes.counts.retain(|_, (start, _)| *start >= before);
        codes.prefixes.retain(|_, prefix| prefix.since >= before || prefix.blocked(before).is_some());
        Ok(old.len() as u64)
    }

    async fn charge_all(&self, tenant: &TenantId, charges: &[LimitCharge]) -> Result<Option<usize>, PortError> {
        let mut tables = self.tables();
        let counts = &mut tables.verify.counts;
        let spent = |charge: &LimitCharge, counts: &HashMap<(TenantId, LimitOf), (Timestamp, u32)>| {
            let counted = counts.get(&(tenant.clone(), charge.of.clone()));
            counted.filter(|(start, _)| *start == charge.start).map_or(0, |(_, spent)| *spent)
        };
        if let Some(over) = charges.iter().position(|charge| spent(charge, counts) >= charge.most) {
            return Ok(Some(over));
        }
        for charge in charges {
            let spent = spent(charge, counts);
            counts.insert((tenant.clone(), charge.of.clone()), (charge.start, spent + 1));
        }
        Ok(None)
    }

    async fn prefix(&self, tenant: &TenantId, prefix: &NumberPrefix) -> Result<Option<PrefixRecord>, PortError> {
        Ok(self.tables().verify.prefixes.get(&(tenant.clone(), id_of(tenant, prefix))).cloned())
    }

    async fn prefixes(
        &self,
        tenant: &TenantId,
        after: Option<PrefixId>,
        limit: u32,
    ) -> Result<Vec<PrefixRecord>, PortError> {
        let tables = self.tables();
        let own = tables.verify.prefixes.iter().filter(|((owner, _), _)| owner == tenant);
        let own = own.filter(|((_, id), _)| after.is_none_or(|after| *id > after));
        Ok(own.map(|(_, record)| record.clone()).take(many(limit)).collect())
    }

    async fn unblock(
        &self,
        tenant: &TenantId,
        id: PrefixId,
        now: Timestamp,
    ) -> Result<Option<PrefixRecord>, PortError> {
        let mut tables = self.tables();
        let Some(record) = tables.verify.prefixes.get_mut(&(tenant.clone(), id)) else { return Ok(None) };
        *record = record.unblocked(now);
        Ok(Some(record.clone()))
    }
}
