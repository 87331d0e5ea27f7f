//! A store within one process: sessions, Signal state, ledger and outbox under one lock, which is their transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use super::event_log::Logged;
use super::ledger::Entries;
use super::lock;
use super::media::File;
use super::outbox::Waiting;
use super::requests::Requests;
use super::state::Values;
use super::suppressions::Suppressed;
use super::users::Users;
use super::verifications::Codes;
use super::webhooks::Webhooks;
use crate::domain::{
    ApiKeyRecord, Epoch, Fence, KeyId, MediaId, PhoneNumber, PoolId, SessionId, SessionNote, SessionRecord, Template,
    TemplateName, TenantId,
};
use crate::port::{Clock, PortError};

/// A store that keeps everything until it is dropped. It guards its writes as a real one does.
pub struct MemoryStores {
    /// Tells when something was written.
    pub(super) clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
pub(super) struct Tables {
    pub(super) sessions: BTreeMap<SessionId, SessionRecord>,
    /// Whose each pool is.
    pub(super) pools: BTreeMap<PoolId, TenantId>,
    /// Each tenant's default session.
    pub(super) defaults: HashMap<TenantId, SessionId>,
    /// What was noted of sessions.
    pub(super) notes: HashMap<SessionId, SessionNote>,
    pub(super) keys: BTreeMap<KeyId, ApiKeyRecord>,
    /// The last epochs of deleted sessions.
    pub(super) retired: HashMap<SessionId, Epoch>,
    pub(super) state: HashMap<SessionId, Values>,
    /// Whom each session has written to.
    pub(super) met: HashMap<SessionId, HashSet<PhoneNumber>>,
    pub(super) ledger: Entries,
    pub(super) media: HashMap<MediaId, File>,
    pub(super) outbox: Waiting,
    /// Whose alert stands.
    pub(super) alerts: BTreeSet<TenantId>,
    pub(super) requests: Requests,
    pub(super) verify: Codes,
    pub(super) log: Logged,
    pub(super) webhooks: Webhooks,
    pub(super) users: Users,
    pub(super) templates: HashMap<TenantId, BTreeMap<TemplateName, Template>>,
    pub(super) suppressed: HashMap<TenantId, Suppressed>,
    /// Whom each session has written bulk messages to.
    pub(super) bulk: HashMap<SessionId, HashSet<PhoneNumber>>,
}

impl Tables {
    /// Whether the writer still owns the session.
    pub(super) fn allows(&self, fence: &Fence) -> bool {
        self.sessions.get(&fence.session).is_some_and(|record| record.epoch == fence.epoch)
    }

    /// Whether a pool was entered, as a foreign key has it.
    pub(super) fn known(&self, pool: Option<&PoolId>, action: &'static str) -> Result<(), PortError> {
        let Some(unknown) = pool.filter(|pool| !self.pools.contains_key(*pool)) else { return Ok(()) };
        let source = format!("there is no pool {unknown}").into();
        Err(PortError::Refused { system: "the store in memory", action, source })
    }

    /// The session's record, if the writer still owns it.
    pub(super) fn owned(&mut self, fence: &Fence) -> Option<&mut SessionRecord> {
        self.sessions.get_mut(&fence.session).filter(|record| record.epoch == fence.epoch)
    }
}

impl MemoryStores {
    /// An empty store. The clock tells the age of what is written.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tables: Mutex::default() }
    }

    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        lock(&self.tables)
    }
}
