//! Sessions: create, look at, scan, delete.

use std::collections::BTreeMap;

use kurir_core::domain::{
    Epoch, EventKind, Labels, PoolId, QrCode, SessionId, SessionName, SessionRecord, SessionState, SessionStatus,
    TenantId, Wanted,
};
use kurir_core::port::{Created, NewSession, SessionFilter};
use kurir_core::wire::SessionDataV1;

use super::page::cut;
use super::{UseCaseError, UseCases};

/// One page of sessions.
#[derive(Debug)]
pub struct SessionPage {
    /// Ordered by id.
    pub sessions: Vec<SessionRecord>,
    /// Where the next page begins, if there is one: the id to pass as `after`.
    pub next: Option<SessionId>,
}

/// A session to create.
#[derive(Debug)]
pub struct Create {
    /// Its id; without one it gets a random one.
    pub id: Option<String>,
    /// The pool that it belongs to.
    pub pool: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What it is found by.
    pub labels: BTreeMap<String, String>,
    /// Whether it becomes the tenant's default.
    pub default: bool,
    /// Whether it is to run at once.
    pub start: bool,
}

/// Which sessions are looked for; what is empty lets all through.
#[derive(Debug, Default)]
pub struct Search {
    /// In which state.
    pub state: Option<String>,
    /// Of which pool.
    pub pool: Option<String>,
    /// Of which name.
    pub name: Option<String>,
    /// With which labels, each `key:value`.
    pub labels: Vec<String>,
}

/// An id that stands for the default session, so no session has it.
const RESERVED: &str = "default";

impl UseCases {
    /// Creates a session with its queues. Without an id it gets a random one.
    ///
    /// First the record, then the queues: a queue without a session would stay for ever, while a session without queues
    /// is healed by the same request again, by the first message for it, or by the worker that takes it.
    pub async fn create_session(&self, tenant: &TenantId, wish: Create) -> Result<SessionRecord, UseCaseError> {
        let id = match wish.id {
            Some(id) if id == RESERVED => {
                let message =
                    "`default` stands for the default session; choose another id, and give `\"default\": true`";
                return Err(UseCaseError::field("id", message));
            }
            Some(id) => SessionId::new(id).map_err(|error| UseCaseError::field("id", error.to_string()))?,
            None => self.random_session_id()?,
        };
        let name = wish.name.map(SessionName::new).transpose();
        let name = name.map_err(|error| UseCaseError::field("name", error.to_string()))?;
        let labels = Labels::new(wish.labels).map_err(|error| UseCaseError::field("labels", error.to_string()))?;
        let wanted = if wish.start { Wanted::Running } else { Wanted::Stopped };
        let pool = self.open_pool(tenant, wish.pool.as_deref()).await?;
        let at = self.ports.clock.now();
        let event = SessionDataV1::event(
            EventKind::SessionCreated,
            tenant,
            &id,
            &SessionStatus::created(at),
            // A session that is created anew after its deletion is another fact with another event.
            (Epoch(0), u64::try_from(at.as_millis()).unwrap_or(0)),
            at,
        )?;
        let new = NewSession {
            pool,
            name,
            labels,
            wanted,
            default: wish.default,
            events: vec![event],
            ..NewSession::new(id.clone(), tenant.clone(), at)
        };
        let created = self.ports.sessions.create(new).await?;
        let record = match &created {
            Created::New(record) | Created::Exists(record) => record,
        };
        if record.tenant != *tenant {
            return Err(UseCaseError::SessionIdTaken);
        }
        if record.wanted != Wanted::Deleted
            && let Err(error) = self.ports.jobs.declare(&id).await
        {
            tracing::warn!(session = %id, error = error.chain(), "the queues of a new session could not be declared");
            return Err(UseCaseError::NotDeclared);
        }
        match created {
            Created::New(record) => {
                tracing::info!(session = %id, %tenant, "session created");
                self.nudge().await;
                Ok(record)
            }
            Created::Exists(record) => Err(UseCaseError::SessionExists(Box::new(record))),
        }
    }

    /// Puts a session into a pool of the tenant's, which is made by its first use, or takes it out of its pool.
    pub async fn join_pool(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        pool: Option<&str>,
    ) -> Result<SessionRecord, UseCaseError> {
        let mut record = self.own_session(tenant, id).await?;
        let pool = self.open_pool(tenant, pool).await?;
        if !self.ports.sessions.join(id, pool.as_ref()).await? {
            return Err(UseCaseError::NotFound { what: "session", field: None });
        }
        tracing::info!(session = %id, %tenant, pool = pool.as_ref().map(tracing::field::display), "session joins a pool");
        self.nudge().await;
        record.pool = pool;
        Ok(record)
    }

    /// A pool of this tenant's with its queues, made if nobody has one of this name; none where none is wanted. Its queues come before its first
    /// session: without them jobs for the pool would be refused, while a session reads them as soon as it belongs to it.
    async fn open_pool(&self, tenant: &TenantId, pool: Option<&str>) -> Result<Option<PoolId>, UseCaseError> {
        let Some(pool) = pool else { return Ok(None) };
        let pool = PoolId::new(pool).map_err(|error| UseCaseError::field("pool", error.to_string()))?;
        if !self.ports.sessions.own_pool(&pool, tenant).await? {
            return Err(UseCaseError::PoolTaken);
        }
        if let Err(error) = self.ports.pools.declare_pool(&pool).await {
            tracing::warn!(%pool, error = error.chain(), "the queues of a pool could not be declared");
            return Err(UseCaseError::PoolNotDeclared);
        }
        Ok(Some(pool))
    }

    fn random_session_id(&self) -> Result<SessionId, UseCaseError> {
        // 80 bits: ids never meet, and stay short enough to be read out.
        let nonce = self.ports.entropy.nonce() >> 48;
        SessionId::new(format!("s{nonce:020x}")).map_err(|error| UseCaseError::field("id", error.to_string()))
    }

    /// One session.
    pub async fn session(&self, tenant: &TenantId, id: &SessionId) -> Result<SessionRecord, UseCaseError> {
        self.own_session(tenant, id).await
    }

    /// The tenant's sessions that fit, after `after`, at most `limit`.
    pub async fn sessions(
        &self,
        tenant: &TenantId,
        search: Search,
        after: Option<&SessionId>,
        limit: u32,
    ) -> Result<SessionPage, UseCaseError> {
        let filter = filter(tenant, search)?;
        // One more than asked for tells whether there is another page.
        let mut sessions = self.ports.sessions.find(&filter, after, limit.saturating_add(1)).await?;
        let next = cut(&mut sessions, limit, |record| record.id.clone());
        Ok(SessionPage { sessions, next })
    }

    /// The QR code that waits to be scanned. Asking for one after a round went by unscanned starts the next round.
    pub async fn qr(&self, tenant: &TenantId, id: &SessionId) -> Result<QrCode, UseCaseError> {
        let record = self.own_session(tenant, id).await?;
        let state = record.status.state;
        let none = |hint, soon| Err(UseCaseError::NoQr { state, hint, soon });
        match record.wanted {
            Wanted::Deleted => return none("the session is being deleted", false),
            Wanted::LoggedOut => return none("the session is being logged out", false),
            // Its owner let it rest because nobody scanned or because it was logged out: asking is the wish to go on.
            Wanted::Stopped if matches!(state, SessionState::ScanTimedOut | SessionState::LoggedOut) => {}
            Wanted::Stopped => return none("the session is stopped", false),
            Wanted::Running => {}
        }
        match state {
            SessionState::AwaitingScan => match record.status.qr {
                Some(qr) if qr.expires_at > self.ports.clock.now() => Ok(qr),
                _ => none("the last one has ended, the next one follows", true),
            },
            SessionState::Created => none("no worker has connected the session yet", true),
            SessionState::ScanTimedOut | SessionState::LoggedOut => {
                self.ports.sessions.want(id, Wanted::Running).await?;
                self.nudge().await;
                none("a new round of codes was asked for", true)
            }
            SessionState::Paired | SessionState::Connected | SessionState::Disconnected => {
                none("the session is linked already", false)
            }
            SessionState::Banned => none("WhatsApp bans the account", false),
            SessionState::Outdated => none("WhatsApp refuses this version of the client", false),
        }
    }

    /// Says that the session is to be logged out and removed; its owner does it.
    pub async fn delete_session(&self, tenant: &TenantId, id: &SessionId) -> Result<SessionRecord, UseCaseError> {
        let mut record = self.own_session(tenant, id).await?;
        if !self.ports.sessions.want(id, Wanted::Deleted).await? {
            return Err(UseCaseError::NotFound { what: "session", field: None });
        }
        tracing::info!(session = %id, %tenant, "session is to be deleted");
        self.nudge().await;
        record.wanted = Wanted::Deleted;
        Ok(record)
    }
}

fn filter(tenant: &TenantId, search: Search) -> Result<SessionFilter, UseCaseError> {
    let state = search.state.map(|state| {
        SessionState::parse(&state).ok_or_else(|| UseCaseError::field("state", "must be one of the states of sessions"))
    });
    let pool = search.pool.map(PoolId::new).transpose();
    let name = search.name.map(SessionName::new).transpose();
    let labels = search.labels.iter().map(|label| label.split_once(':').map(|(key, value)| (key.into(), value.into())));
    let labels: Option<BTreeMap<String, String>> = labels.collect();
    let labels =
        labels.ok_or_else(|| UseCaseError::field("label", "must be a key and a value, like `team:jakarta`"))?;
    // Two values of one key are a wish that nothing fulfils, and most likely a mistake.
    if labels.len() != search.labels.len() {
        return Err(UseCaseError::field("label", "names one key twice"));
    }
    Ok(SessionFilter {
        tenant: Some(tenant.clone()),
        state: state.transpose()?,
        pool: pool.map_err(|error| UseCaseError::field("pool", error.to_string()))?,
        name: name.map_err(|error| UseCaseError::field("name", error.to_string()))?,
        labels: Labels::new(labels).map_err(|error| UseCaseError::field("label", error.to_string()))?,
    })
}
