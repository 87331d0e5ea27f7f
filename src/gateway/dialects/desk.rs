//! Who calls, and at whose desk.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use kurir_core::domain::{ApiKeyRecord, KeyId, Scope, SessionId, TenantId, Timestamp};
use tokio::sync::Mutex;

use super::socketio::starts::Starts;
use super::waziper::instance_id::InstanceIds;
use super::{DialectOptions, Refusal};
use crate::gateway::app::App;

/// One dialect at one place.
pub(super) struct Desk {
    pub app: Arc<App>,
    pub options: DialectOptions,
    pub instance_ids: InstanceIds,
    pub starts: Starts,
    /// Held while a session is made or changed where that depends on the other ones (`admin`).
    pub entering: Mutex<()>,
    /// As whom callers without a key act; `None`: they are refused.
    stranger: Option<Arc<ApiKeyRecord>>,
}

/// What stands for the hash of the key of callers who have none; nobody knows a key with this hash.
const NO_KEY: [u8; 32] = [0; 32];

/// A caller.
#[derive(Clone)]
pub(super) struct Guest(Arc<ApiKeyRecord>);

impl Guest {
    pub fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// The caller's key, or what stands for one where there is none.
    pub fn record(&self) -> &ApiKeyRecord {
        &self.0
    }

    /// Whether the caller has given no key.
    pub fn is_stranger(&self) -> bool {
        self.0.hash == NO_KEY
    }

    /// Whether the caller's key allows this.
    pub fn needs(&self, scope: Scope) -> Result<(), Refusal> {
        if self.0.may(scope) { Ok(()) } else { Err(Refusal::NotAllowed) }
    }

    /// Whether the caller's key is good for all of the tenant's sessions.
    pub fn covers_all(&self) -> bool {
        self.0.sessions.is_none()
    }

    /// Whether the caller's key is good for this session; one that it isn't good for is as good as none.
    pub fn covers(&self, session: &SessionId) -> bool {
        self.0.covers(session)
    }
}

impl Desk {
    pub fn new(app: Arc<App>, options: DialectOptions, open: bool) -> Self {
        let stranger = open.then(|| KeyId::new("none").ok()).flatten().map(|id| {
            Arc::new(ApiKeyRecord {
                id,
                tenant: options.tenant.clone(),
                label: String::new(),
                hash: NO_KEY,
                scopes: BTreeSet::from([Scope::Send, Scope::Read, Scope::Control]),
                sessions: None,
                created_at: Timestamp::from_millis(0),
                until: None,
            })
        });
        let (instance_ids, starts, entering) = (InstanceIds::default(), Starts::default(), Mutex::default());
        Self { app, options, instance_ids, starts, entering, stranger }
    }

    /// The caller with this key, or without one where that is allowed. A key that is none of ours is refused there too: its
    /// bearer means somebody.
    pub async fn guest(&self, presented: Option<&[u8]>) -> Result<Guest, Refusal> {
        let Some(presented) = presented.filter(|key| !key.is_empty()) else {
            return self.stranger.clone().map(Guest).ok_or(Refusal::NoKey);
        };
        let key = self.app.keys.of(presented).await?.ok_or(Refusal::BadKey)?;
        tracing::Span::current().record("tenant", tracing::field::display(&key.tenant));
        if let Some(wait) = self.app.key_limit.take(&key, self.app.clock.now()).and_then(|spent| spent.wait) {
            if let Some(meter) = &self.app.meter {
                meter.key_limited();
            }
            return Err(Refusal::TooFast(wait));
        }
        Ok(Guest(key))
    }

    /// Whether a caller is still one. While the register does not answer, what was known counts.
    pub async fn still(&self, guest: &Guest) -> bool {
        guest.is_stranger() || !matches!(self.app.keys.still(&guest.0).await, Ok(false))
    }

    /// The caller of a request whose key stands in its head.
    pub async fn guest_of(&self, headers: &HeaderMap) -> Result<Guest, Refusal> {
        self.guest(key_in(headers)).await
    }
}

/// The key in a request's head: `Authorization: Bearer …` or `X-API-Key`.
pub(super) fn key_in(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    match bearer {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Some(key.trim().as_bytes()),
        _ => headers.get("x-api-key").map(axum::http::HeaderValue::as_bytes),
    }
}
