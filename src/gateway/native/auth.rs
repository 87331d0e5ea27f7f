//! Who calls, and what they may do.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{ApiKeyRecord, Channel, Scope, SessionId, TenantId, Verification};

use super::App;
use super::error::ApiError;
use crate::gateway::key_limit::Spent;
use crate::gateway::usecase::UseCaseError;

/// The caller's key; put into the request by [`check`].
#[derive(Clone)]
pub(super) struct Caller(Arc<ApiKeyRecord>);

impl Caller {
    pub fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    pub fn key(&self) -> &ApiKeyRecord {
        &self.0
    }

    /// Whether the key is good for this session; one that it isn't good for is as good as none.
    pub fn covers(&self, session: &SessionId) -> Result<(), ApiError> {
        if self.0.covers(session) { Ok(()) } else { Err(no_such("session")) }
    }

    /// Whether the key is good for a message of this session; one that no session has yet is anybody's of the tenant.
    pub fn covers_message(&self, session: Option<&SessionId>) -> Result<(), ApiError> {
        let covered = session.map_or(self.0.sessions.is_none(), |session| self.0.covers(session));
        if covered { Ok(()) } else { Err(no_such("message")) }
    }

    /// Whether the key is good for a verification: for each channel that its code may take.
    pub fn covers_verification(&self, of: &Verification) -> bool {
        of.hops.iter().all(|hop| self.covers_channel(&hop.channel).is_ok())
    }

    /// Whether the key is good for a channel of a verification.
    pub fn covers_channel(&self, channel: &Channel) -> Result<(), ApiError> {
        match channel {
            Channel::Session(session) => self.covers(session),
            Channel::Pool(_) => self.covers_pools(),
            Channel::Webhook(_) => Ok(()),
        }
    }

    /// Whether the key is good for what belongs to the whole tenant.
    pub fn covers_tenant(&self) -> Result<(), ApiError> {
        if self.0.sessions.is_none() {
            return Ok(());
        }
        let detail = "this key is good for some sessions only, and this is the whole tenant's";
        Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail))
    }

    /// Whether the key is good for all sessions of its tenant, as pools are.
    pub fn covers_pools(&self) -> Result<(), ApiError> {
        if self.0.sessions.is_none() { Ok(()) } else { Err(no_such("pool")) }
    }
}

fn no_such(what: &'static str) -> ApiError {
    UseCaseError::NotFound { what, field: None }.into()
}

macro_rules! allowed {
    ($($(#[$doc:meta])* $name:ident needs $scope:ident;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name(pub Caller);

        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
                allowed(parts, Scope::$scope).map(Self)
            }
        }
    )*};
}

allowed! {
    /// A caller who may send.
    MaySend needs Send;
    /// A caller who may look.
    MayRead needs Read;
    /// A caller who may change sessions.
    MayControl needs Control;
    /// A caller who may do everything.
    MayAdmin needs Admin;
}

fn allowed(parts: &Parts, scope: Scope) -> Result<Caller, ApiError> {
    // Put there by `check`, which stands before every route that asks for it.
    let Some(caller) = parts.extensions.get::<Caller>() else { return Err(unauthorized()) };
    if caller.0.may(scope) {
        return Ok(caller.clone());
    }
    let detail = format!("this key does not allow that; it takes one with the scope `{scope}`");
    Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail))
}

fn unauthorized() -> ApiError {
    let detail = "give an API key in the header `Authorization: Bearer <key>` or `X-Api-Key`";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

/// Lets a request pass that has a key of ours.
pub(super) async fn check(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let Some(presented) = presented(request.headers()) else { return unauthorized().into_response() };
    let key = match app.keys.of(presented).await {
        Ok(Some(key)) => key,
        Ok(None) => return unauthorized().into_response(),
        Err(error) => return ApiError::from(UseCaseError::from(error)).into_response(),
    };
    tracing::Span::current().record("tenant", tracing::field::display(&key.tenant));
    let spent = app.key_limit.take(&key, app.clock.now());
    let mut response = if let Some(wait) = spent.and_then(|spent| spent.wait) {
        if let Some(meter) = &app.meter {
            meter.key_limited();
        }
        too_fast(wait).into_response()
    } else {
        request.extensions_mut().insert(Caller(key));
        next.run(request).await
    };
    if let Some(spent) = spent {
        tell(response.headers_mut(), spent);
    }
    response
}

fn too_fast(wait: Duration) -> ApiError {
    let mut error =
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "this key makes too many requests");
    error.retry_after = Some(whole_seconds(wait));
    error
}

fn whole_seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

/// Where the key stands, in the headers that clients know.
fn tell(headers: &mut HeaderMap, spent: Spent) {
    let told = [
        ("ratelimit-limit", spent.limit),
        ("ratelimit-remaining", spent.left),
        ("ratelimit-reset", whole_seconds(spent.reset)),
    ];
    for (name, value) in told {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().as_bytes());
    }
    headers.get("x-api-key").map(HeaderValue::as_bytes)
}
