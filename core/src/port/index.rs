//! Finding messages: the ledger by what callers ask for.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Activity, PortError, Steps, Waiting};
use crate::domain::{
    BatchId, JobId, Lane, LedgerEntry, MessageId, MessageState, PhoneNumber, SessionId, TenantId, Timestamp,
};

/// Which messages of a tenant; an absent part means all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFilter {
    /// Whose.
    pub tenant: TenantId,
    /// In one of these states.
    pub states: Option<Vec<MessageState>>,
    /// Of one of these sessions. Those that no session has yet are none of these.
    pub sessions: Option<Vec<SessionId>>,
    /// Of this lane.
    pub lane: Option<Lane>,
    /// To this number.
    pub recipient: Option<PhoneNumber>,
    /// Of this batch.
    pub batch: Option<BatchId>,
    /// With all of these among the caller's own words.
    pub metadata: BTreeMap<String, String>,
    /// Enqueued at this moment or later.
    pub since: Option<Timestamp>,
    /// Enqueued before this moment.
    pub until: Option<Timestamp>,
}

impl MessageFilter {
    /// All messages of a tenant.
    pub const fn of(tenant: TenantId) -> Self {
        Self {
            tenant,
            states: None,
            sessions: None,
            lane: None,
            recipient: None,
            batch: None,
            metadata: BTreeMap::new(),
            since: None,
            until: None,
        }
    }
}

/// The place of a message among those of its tenant: by the moment at which it was enqueued, then by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessagePlace {
    /// When it was enqueued.
    pub at: Timestamp,
    /// Its id.
    pub job: JobId,
}

impl MessagePlace {
    /// Of an entry.
    pub const fn of(entry: &LedgerEntry) -> Self {
        Self { at: entry.enqueued_at, job: entry.key.job }
    }
}

/// Looks into the ledger of many messages at once. A message's place, lane, recipient, batch and metadata are those of its
/// first write.
#[async_trait]
pub trait MessageIndex: Send + Sync {
    /// The messages before this place, the newest first, at most `limit`.
    async fn list(
        &self,
        filter: &MessageFilter,
        before: Option<MessagePlace>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError>;

    /// How many there are in each state, in the order of [`MessageState::ALL`]; a state that none is in is left out.
    async fn count(&self, filter: &MessageFilter) -> Result<Vec<(MessageState, u64)>, PortError>;

    /// How many of a tenant's messages came to stand where in each of these steps, by the moments that their entries hold; one
    /// for each step, in order. What the ledger has forgotten counts no more.
    async fn activity(&self, tenant: &TenantId, steps: &Steps) -> Result<Vec<Activity>, PortError>;

    /// What waits of a tenant's messages, by session and lane, in the order of [`Waiting`]; where nothing waits there is no
    /// entry.
    async fn waiting(&self, tenant: &TenantId) -> Result<Vec<Waiting>, PortError>;

    /// The tenant's messages that WhatsApp knows by this id, at most `limit`, in any order: those of its sessions, and those
    /// that no session has yet. What a session left behind that was deleted is not looked through.
    async fn by_whatsapp_id(
        &self,
        tenant: &TenantId,
        id: &MessageId,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError>;
}
