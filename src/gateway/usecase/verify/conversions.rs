//! How many codes came back, by country and by prefix.

use std::collections::BTreeMap;

use kurir_core::domain::{PrefixRecord, TenantId, VerificationId, VerificationStatus};
use kurir_core::policy::calling_code_of;
use uuid::Uuid;

use crate::gateway::usecase::{UseCaseError, UseCases};

/// Prefixes read at a time, and how often at most.
const PAGE: u32 = 500;
const PAGES: usize = 10;

/// Prefixes that are told one by one.
const MOST: usize = 50;

/// What became of the verifications to a country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Begun.
    pub begun: u64,
    /// Their code came back.
    pub approved: u64,
    /// They ended without it.
    pub lost: u64,
    /// How many prefixes of it get no codes now.
    pub blocked: u64,
}

impl Conversion {
    fn add(&mut self, record: &PrefixRecord, blocked: bool) {
        self.begun += u64::from(record.begun);
        self.approved += u64::from(record.approved);
        self.lost += u64::from(record.lost);
        self.blocked += u64::from(blocked);
    }
}

/// How many codes come back.
#[derive(Debug, Default)]
pub struct Conversions {
    /// By calling code; `None`: of no country.
    pub countries: BTreeMap<Option<&'static str>, Conversion>,
    /// The prefixes that get no codes now.
    pub blocked: Vec<PrefixRecord>,
    /// The others that most verifications went to, at most fifty.
    pub busiest: Vec<PrefixRecord>,
    /// There are more prefixes than were looked at.
    pub more: bool,
}

impl UseCases {
    /// How many of the tenant's codes come back. Each prefix counts since it began to count anew.
    pub async fn conversions(&self, tenant: &TenantId) -> Result<Conversions, UseCaseError> {
        let now = self.ports.clock.now();
        let (mut all, mut after) = (Conversions::default(), None);
        for _ in 0..PAGES {
            let page = self.prefixes(tenant, after, PAGE).await?;
            for record in page.prefixes {
                let blocked = record.blocked(now).is_some();
                all.countries.entry(calling_code_of(&record.prefix)).or_default().add(&record, blocked);
                if blocked { all.blocked.push(record) } else { all.busiest.push(record) }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        all.more = after.is_some();
        all.blocked.sort_by_key(|record| record.blocked_until);
        all.busiest.sort_by_key(|record| (std::cmp::Reverse(record.begun), record.id));
        all.busiest.truncate(MOST);
        Ok(all)
    }

    /// How many verifications of the last day stand where.
    pub async fn late_verifications(&self, tenant: &TenantId) -> Result<Vec<(VerificationStatus, u64)>, UseCaseError> {
        let since = self.ports.clock.now().minus(std::time::Duration::from_hours(24));
        // The first id that a verification of this moment can have: ids begin with the moment, in 48 bits.
        let moment = u128::try_from(since.as_millis().max(0)).unwrap_or(0) << 80;
        let first = VerificationId::new(Uuid::from_u128(moment));
        Ok(self.ports.verifications.count_from(tenant, first).await?)
    }
}
