//! The register of verifications, the counters of their limits, and what is known of prefixes.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use super::{PortError, Written};
use crate::domain::{
    ConversionRule, NumberPrefix, OutboxEvent, PhoneNumber, PrefixId, PrefixRecord, Secret, TenantId, Timestamp,
    Traffic, Verification, VerificationId, VerificationStatus,
};

/// What a write counts for its number's prefix, in the same transaction.
#[derive(Clone, Debug)]
pub struct Tally {
    /// What happened.
    pub what: Traffic,
    /// By which rule it may block the prefix.
    pub rule: ConversionRule,
    /// When.
    pub at: Timestamp,
    /// The event that enters the outbox if it does.
    pub blocked: OutboxEvent,
}

/// One write. All of it happens or nothing.
#[derive(Clone, Debug)]
pub struct VerificationWrite {
    /// The verification as it is to be. Its `version` is the one that it was made from; the store writes `version + 1`.
    pub record: Verification,
    /// What it counts.
    pub tally: Option<Tally>,
    /// The events that tell of it.
    pub events: Vec<OutboxEvent>,
}

/// What became of a new verification.
#[derive(Clone, Debug)]
pub enum Entered {
    /// It is in the register.
    New,
    /// One of the same tenant and number is open; nothing was changed.
    Open(Box<Verification>),
}

/// Which verifications to list.
#[derive(Clone, Debug, Default)]
pub struct VerificationFilter {
    /// Of this status.
    pub status: Option<VerificationStatus>,
    /// To this number.
    pub to: Option<PhoneNumber>,
}

/// What a limit counts, each tenant's for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitOf {
    /// Codes to a number.
    Recipient(PhoneNumber),
    /// Codes to a prefix.
    Prefix(NumberPrefix),
    /// Codes to a country, by its calling code; empty: of none.
    Country(String),
    /// Codes that an address asked the caller for.
    Ip(IpAddr),
}

impl LimitOf {
    /// What a store makes its fingerprint of; no two of them are the same.
    pub fn name(&self) -> String {
        match self {
            Self::Recipient(number) => format!("recipient/{}", number.digits()),
            Self::Prefix(prefix) => format!("prefix/{}", prefix.digits()),
            Self::Country(code) => format!("country/{code}"),
            Self::Ip(address) => format!("ip/{address}"),
        }
    }
}

/// One more of something that is limited.
#[derive(Clone, Debug)]
pub struct LimitCharge {
    /// Of what.
    pub of: LimitOf,
    /// Where the window began that is counted in.
    pub start: Timestamp,
    /// How long it is.
    pub span: Duration,
    /// At most so many in a window.
    pub most: u32,
}

/// Verifications of all tenants. Numbers and codes are sealed; what they are found by are keyed fingerprints.
#[async_trait]
pub trait Verifications: Send + Sync {
    /// Enters a new verification (version 0; it becomes 1) with its code, unless the tenant has an open one to this
    /// number.
    async fn enter(&self, new: VerificationWrite, code: &Secret<String>) -> Result<Entered, PortError>;

    /// Writes a verification that is there. With its end its code is forgotten. `Conflict`: another write came first.
    async fn save(&self, write: VerificationWrite) -> Result<Written, PortError>;

    /// One verification of a tenant.
    async fn verification(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Verification>, PortError>;

    /// The verification of a tenant to a number that is open, else the newest one.
    async fn latest_to(&self, tenant: &TenantId, to: &PhoneNumber) -> Result<Option<Verification>, PortError>;

    /// The code of an open verification.
    async fn code_of(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Secret<String>>, PortError>;

    /// A tenant's verifications, the newest first, of those with ids below `before`; at most `limit`.
    async fn verifications(
        &self,
        tenant: &TenantId,
        filter: &VerificationFilter,
        before: Option<VerificationId>,
        limit: u32,
    ) -> Result<Vec<Verification>, PortError>;

    /// How many of a tenant's verifications with this id or a later one there are of each status, in the order of
    /// [`VerificationStatus::ALL`]; a status that none is of is left out.
    async fn count_from(
        &self,
        tenant: &TenantId,
        from: VerificationId,
    ) -> Result<Vec<(VerificationStatus, u64)>, PortError>;

    /// Verifications of all tenants that are due at `now`, the oldest first; at most `limit`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Verification>, PortError>;

    /// Forgets verifications that ended before this moment, counters and prefixes that were not touched since then and
    /// block nothing; at most `limit` of each. Tells how many verifications.
    async fn forget_ended(&self, before: Timestamp, limit: u32) -> Result<u64, PortError>;

    /// Counts one more of each, or of none of them if one is over its limit; tells the place of the first that is.
    async fn charge_all(&self, tenant: &TenantId, charges: &[LimitCharge]) -> Result<Option<usize>, PortError>;

    /// What is known of a tenant's prefix.
    async fn prefix(&self, tenant: &TenantId, prefix: &NumberPrefix) -> Result<Option<PrefixRecord>, PortError>;

    /// A tenant's prefixes in the order of their ids, after `after`; at most `limit`.
    async fn prefixes(
        &self,
        tenant: &TenantId,
        after: Option<PrefixId>,
        limit: u32,
    ) -> Result<Vec<PrefixRecord>, PortError>;

    /// Unblocks a prefix and counts anew for it; `None`: there is none of this name.
    async fn unblock(&self, tenant: &TenantId, id: PrefixId, now: Timestamp)
    -> Result<Option<PrefixRecord>, PortError>;
}
