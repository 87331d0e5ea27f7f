//! `/v1/sessions`

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{SessionId, SessionRecord, SessionState, Timestamp};
use serde::{Deserialize, Serialize};

use super::App;
use super::auth::Caller;
use super::body;
use super::error::ApiError;
use crate::gateway::usecase::UseCaseError;

/// Sessions of one page: without a wish, and at most.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

/// A session as callers see it.
#[derive(Debug, Serialize)]
pub(super) struct SessionView {
    id: String,
    pool: Option<String>,
    state: &'static str,
    since: String,
    wanted: &'static str,
    /// Whether a code waits to be scanned, see `/qr`.
    qr: bool,
    /// The linked number, masked.
    number: Option<String>,
    device: Option<u16>,
    reason: Option<&'static str>,
    until: Option<String>,
    worker: Option<String>,
    epoch: u64,
    created_at: String,
}

impl SessionView {
    pub fn of(record: &SessionRecord) -> Self {
        let status = &record.status;
        Self {
            id: record.id.to_string(),
            pool: record.pool.as_ref().map(ToString::to_string),
            state: status.state.as_str(),
            since: status.since.to_rfc3339(),
            wanted: record.wanted.as_str(),
            qr: status.state == SessionState::AwaitingScan && status.qr.is_some(),
            number: status.account.as_ref().map(|account| account.number.masked()),
            device: status.account.as_ref().map(|account| account.device),
            reason: status.reason.map(kurir_core::domain::FailReason::as_str),
            until: status.until.map(Timestamp::to_rfc3339),
            worker: record.owner.as_ref().map(ToString::to_string),
            epoch: record.epoch.0,
            created_at: record.created_at.to_rfc3339(),
        }
    }
}

/// An id from the path. One that can't be a session's id is the id of no session.
pub(super) fn session_id(text: &str) -> Result<SessionId, ApiError> {
    SessionId::new(text).map_err(|_| UseCaseError::NotFound { what: "session", field: None }.into())
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    pool: Option<String>,
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    request: Request,
) -> Result<Response, ApiError> {
    let body: Create = body::read_or_default(request, app.body_limit).await?;
    let cases = app.cases.clone();
    // In a task of its own, so that a caller who hangs up leaves no session without queues.
    let created = app.tasks.spawn(async move { cases.create_session(&tenant, body.id, body.pool).await });
    let record = created.await.map_err(|_| ended_early())??;
    let place = format!("/v1/sessions/{}", record.id);
    let mut response = (StatusCode::CREATED, Json(SessionView::of(&record))).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    /// `null`: out of its pool. It must be there: leaving out a field is easily done by mistake.
    #[serde(deserialize_with = "Option::deserialize")]
    pool: Option<String>,
}

pub(super) async fn join_pool(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<SessionView>, ApiError> {
    let id = session_id(&id)?;
    let Join { pool } = body::read(request, app.body_limit).await?;
    let record = app.cases.join_pool(&tenant, &id, pool.as_deref()).await?;
    Ok(Json(SessionView::of(&record)))
}

/// A task of ours panicked, which is a mistake of ours.
pub(super) fn ended_early() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request could not be carried out")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    after: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SessionList {
    sessions: Vec<SessionView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<SessionList>, ApiError> {
    let bad = |message: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", message);
    let Query(page) = page.map_err(|_| bad("the query takes `limit`, a number, and `after`, a session's id".into()))?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad(format!("must be from 1 to {MAX_PAGE}")).field("limit"));
    }
    let after = page.after.filter(|after| !after.is_empty()).map(SessionId::new).transpose();
    let after = after.map_err(|error| bad(error.to_string()).field("after"))?;
    let page = app.cases.sessions(&tenant, after.as_ref(), limit).await?;
    let next = page.next.map(|id| id.to_string());
    Ok(Json(SessionList { sessions: page.sessions.iter().map(SessionView::of).collect(), next }))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, ApiError> {
    Ok(Json(SessionView::of(&app.cases.session(&tenant, &session_id(&id)?).await?)))
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<SessionView>), ApiError> {
    let record = app.cases.delete_session(&tenant, &session_id(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(SessionView::of(&record))))
}
