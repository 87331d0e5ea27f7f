//! `/v1/keys`

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{ApiKeyRecord, KeyId, Scope, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::MayAdmin;
use super::body;
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::{App, Routes};
use crate::gateway::usecase::{MadeKey, NewKey, UseCaseError};

/// How long a key that is replaced is still taken, unless the caller says otherwise.
const OVERLAP: u32 = 24 * 3600;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(create, list)).routes(routes!(one, revoke)).routes(routes!(rotate))
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
struct Create {
    /// What people call it.
    #[serde(default)]
    #[schema(example = "shop")]
    label: String,
    /// What it allows: `send` (messages, codes, files, number checks, read marks, typing), `read`, `control` (sessions and their QR codes, pools,
    /// templates, the suppression list), `admin` (all of it, and keys, webhooks, limits, metrics).
    #[schema(value_type = Vec<String>, example = json!(["send", "read"]))]
    scopes: BTreeSet<Scope>,
    /// The sessions that it is good for; without it all of the tenant's, and pools.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, example = json!(["toko-1"]))]
    sessions: Option<BTreeSet<SessionId>>,
    /// From when on it is taken no more.
    #[serde(default)]
    #[schema(format = DateTime, example = json!(null))]
    expires_at: Option<String>,
}

/// What is known of a key.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyView {
    /// Names it.
    #[schema(example = "5f0c2a91d3e84b76")]
    id: String,
    /// What people call it.
    #[schema(example = "shop")]
    label: String,
    /// What it allows.
    #[schema(example = json!(["send", "read"]))]
    scopes: Vec<&'static str>,
    /// The sessions that it is good for; `null`: all.
    sessions: Option<Vec<String>>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it is taken no more.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Whether it is taken now. Other gateways follow within seconds.
    #[schema(example = true)]
    active: bool,
}

impl KeyView {
    fn of(record: &ApiKeyRecord, now: Timestamp) -> Self {
        let sessions = record.sessions.as_ref();
        Self {
            id: record.id.to_string(),
            label: record.label.clone(),
            scopes: record.scopes.iter().map(|scope| scope.as_str()).collect(),
            sessions: sessions.map(|sessions| sessions.iter().map(ToString::to_string).collect()),
            created_at: record.created_at.to_rfc3339(),
            expires_at: record.until.map(Timestamp::to_rfc3339),
            active: record.until.is_none_or(|until| now < until),
        }
    }
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeKey)]
struct MadeView {
    /// The key itself. It is shown this once, and by a repetition of this very request under its `Idempotency-Key`.
    key: String,
    /// What is known of it.
    #[serde(flatten)]
    known: KeyView,
}

/// The keys of the tenant.
#[derive(Serialize, ToSchema)]
struct KeyList {
    /// In the order of their ids, those that have ended included.
    keys: Vec<KeyView>,
}

/// How a key is replaced.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// For how many seconds the old key is still taken, at most 30 days; a day without it.
    #[serde(default)]
    #[schema(example = 3600)]
    overlap: Option<u32>,
}

fn shown(made: &MadeKey, now: Timestamp) -> Response {
    let view = MadeView { key: made.key.expose().clone(), known: KeyView::of(&made.record, now) };
    let place = format!("/v1/keys/{}", made.record.id);
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// What can't be a key's id is the id of no key.
fn named(id: &str) -> Result<KeyId, UseCaseError> {
    KeyId::new(id).map_err(|_| UseCaseError::NotFound { what: "key", field: None })
}

/// Make a key. It is shown in this answer and never again.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", operation_id = "createKey", request_body = Create,
    responses((status = 201, description = "The key, this once", body = MadeView), Problems))]
async fn create(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    request: Request,
) -> Result<Response, ApiError> {
    let Create { label, scopes, sessions, expires_at } = body::read(request, app.body_limit).await?;
    let moment = |text: &str| {
        let wrong = "not a moment of RFC 3339, like 2026-01-31T12:00:00Z";
        Timestamp::parse_rfc3339(text).ok_or_else(|| UseCaseError::field("expires_at", wrong))
    };
    let until = expires_at.as_deref().map(moment).transpose()?;
    if caller.key().sessions.is_some() {
        return Err(narrow());
    }
    let new = NewKey { tenant: caller.tenant().clone(), label, scopes, sessions, until };
    Ok(shown(&app.cases.keys().create(new).await?, app.clock.now()))
}

/// Who is good for some sessions only can't hand out more than that.
fn narrow() -> ApiError {
    let detail = "this key is good for some sessions only, so it can't manage keys";
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

/// The tenant's keys.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", operation_id = "listKeys",
    responses((status = 200, description = "All of them", body = KeyList), Problems))]
async fn list(State(app): State<Arc<App>>, MayAdmin(caller): MayAdmin) -> Result<Json<KeyList>, ApiError> {
    if caller.key().sessions.is_some() {
        return Err(narrow());
    }
    let now = app.clock.now();
    let keys = app.cases.keys().list(Some(caller.tenant())).await.map_err(UseCaseError::from)?;
    Ok(Json(KeyList { keys: keys.iter().map(|key| KeyView::of(key, now)).collect() }))
}

/// One key.
#[utoipa::path(get, path = "/v1/keys/{id}", tag = "keys", operation_id = "getKey",
    params(("id" = String, Path, description = "The key's id", example = "5f0c2a91d3e84b76")),
    responses((status = 200, description = "What is known of it", body = KeyView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
) -> Result<Json<KeyView>, ApiError> {
    if caller.key().sessions.is_some() {
        return Err(narrow());
    }
    let record = app.cases.keys().one(Some(caller.tenant()), &named(&id)?).await?;
    Ok(Json(KeyView::of(&record, app.clock.now())))
}

/// Revoke a key: it is taken no more.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", operation_id = "revokeKey",
    params(("id" = String, Path, description = "The key's id", example = "5f0c2a91d3e84b76")),
    responses((status = 200, description = "It has ended; other gateways follow within seconds", body = KeyView), Problems))]
async fn revoke(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
) -> Result<Json<KeyView>, ApiError> {
    let id = named(&id)?;
    if caller.key().sessions.is_some() {
        return Err(narrow());
    }
    let record = app.cases.keys().revoke(Some(caller.tenant()), &id).await?;
    app.keys.forget(&id);
    Ok(Json(KeyView::of(&record, app.clock.now())))
}

/// Replace a key by one that may do the same. The old one is still taken for a while.
#[utoipa::path(post, path = "/v1/keys/{id}/rotate", tag = "keys", operation_id = "rotateKey",
    params(("id" = String, Path, description = "The key's id", example = "5f0c2a91d3e84b76")),
    request_body(content = Option<Rotate>, example = json!({"overlap": 3600})),
    responses(
        (status = 201, description = "The new key, this once", body = MadeView),
        (status = 409, description = "`key_ended`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn rotate(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let id = named(&id)?;
    let Rotate { overlap } = body::read_or_default(request, app.body_limit).await?;
    if caller.key().sessions.is_some() {
        return Err(narrow());
    }
    let overlap = Duration::from_secs(overlap.unwrap_or(OVERLAP).into());
    let (made, _) = app.cases.keys().rotate(Some(caller.tenant()), &id, overlap).await?;
    app.keys.forget(&id);
    Ok(shown(&made, app.clock.now()))
}
