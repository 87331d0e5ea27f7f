//! `/v1/sessions`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{SessionId, SessionRecord, SessionState, Timestamp, WahaStatus};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{MayControl, MayRead};
use super::error::ApiError;
use super::paging::{self, Pages};
use super::problem::{Problem, Problems};
use super::session_ops::may_choose;
use super::{App, Routes, body};
use crate::gateway::usecase::{self, Search, UseCaseError};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(create, list)).routes(routes!(one, delete)).routes(routes!(join_pool))
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(in crate::gateway) struct SessionView {
    /// Its id.
    #[schema(example = "toko-1")]
    id: String,
    /// What people call it.
    #[schema(example = "Toko Sari")]
    name: Option<String>,
    /// What it is found by.
    #[schema(example = json!({"team": "jakarta"}))]
    labels: BTreeMap<String, String>,
    /// The pool whose jobs it shares.
    #[schema(example = json!(null))]
    pool: Option<String>,
    /// `created`, `awaiting_scan`, `scan_timed_out`, `paired`, `connected`, `disconnected`, `logged_out`, `banned` or `outdated`.
    #[schema(example = "connected")]
    state: &'static str,
    /// State and wish in WAHA's words: `STOPPED`, `STARTING`, `SCAN_QR_CODE`, `WORKING` or `FAILED`.
    #[schema(example = "WORKING")]
    status: &'static str,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// What it is to be: `running`, `stopped`, `logged_out` or `deleted`.
    #[schema(example = "running")]
    wanted: &'static str,
    /// Whether a code waits to be scanned, see `/qr`.
    qr: bool,
    /// The linked number, masked.
    #[schema(example = "6281…12")]
    number: Option<String>,
    /// Which of the number's devices it is.
    #[schema(example = 7)]
    device: Option<u16>,
    /// Why it can't send now, if that has a name.
    reason: Option<&'static str>,
    /// How long that lasts, if that is known.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// The worker that has it.
    #[schema(example = "worker-1")]
    worker: Option<String>,
    /// Counts its owners.
    #[schema(example = 3)]
    epoch: u64,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
}

impl SessionView {
    pub fn of(record: &SessionRecord) -> Self {
        let status = &record.status;
        Self {
            id: record.id.to_string(),
            name: record.name.as_ref().map(|name| name.as_str().to_owned()),
            labels: record.labels.as_map().clone(),
            pool: record.pool.as_ref().map(ToString::to_string),
            state: status.state.as_str(),
            status: WahaStatus::of(status.state, record.wanted).as_str(),
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

/// A session to create.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession)]
struct Create {
    /// Its id: letters, digits, `-` and `_`, at most 64. Without one it gets a random one.
    #[serde(default)]
    #[schema(example = "toko-1")]
    id: Option<String>,
    /// A pool that it is to share jobs of; made by its first use.
    #[serde(default)]
    #[schema(example = json!(null))]
    pool: Option<String>,
    /// What people call it: at most 100 characters.
    #[serde(default)]
    #[schema(example = "Toko Sari")]
    name: Option<String>,
    /// What it is found by: at most 16 labels, keys of small letters, digits, `.`, `-` and `_`, values of at most 64 characters.
    #[serde(default)]
    #[schema(example = json!({"team": "jakarta"}))]
    labels: BTreeMap<String, String>,
    /// Whether it becomes the default session, in the place of the one before.
    #[serde(default)]
    #[schema(example = false)]
    default: bool,
    /// Whether it is to run at once; `true` without it.
    #[serde(default)]
    #[schema(example = true)]
    start: Option<bool>,
}

/// Create a session, which then waits to be linked.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", operation_id = "createSession",
    request_body(content = Option<Create>, examples(
        ("plain" = (summary = "A session that asks for a scan", value = json!({"id": "toko-1"}))),
        ("described" = (summary = "One with a name and labels, the default, that is started later", value = json!({
            "id": "toko-1", "name": "Toko Sari", "labels": {"team": "jakarta"}, "default": true, "start": false
        })))
    )),
    responses(
        (status = 201, description = "It is created; its place stands in `Location`", body = SessionView),
        (status = 409, description = "`session_exists`: the session stands beside; `session_id_taken`, `pool_taken`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn create(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    request: Request,
) -> Result<Response, ApiError> {
    let body: Create = body::read_or_default(request, app.body_limit).await?;
    match body.id.as_deref().map(SessionId::new) {
        // What is no name is refused below.
        Some(Ok(id)) => caller.covers(&id)?,
        Some(Err(_)) => {}
        // A random one is none of its own.
        None => caller.covers_pools()?,
    }
    if body.pool.is_some() {
        caller.covers_pools()?;
    }
    if body.default {
        may_choose(&caller)?;
    }
    let (cases, tenant) = (app.cases.clone(), caller.tenant().clone());
    let wish = usecase::Create {
        id: body.id,
        pool: body.pool,
        name: body.name,
        labels: body.labels,
        default: body.default,
        start: body.start.unwrap_or(true),
    };
    // In a task of its own, so that a caller who hangs up leaves no session without queues.
    let created = app.tasks.spawn(async move { cases.create_session(&tenant, wish).await });
    let record = created.await.map_err(|_| ended_early())??;
    let place = format!("/v1/sessions/{}", record.id);
    let mut response = (StatusCode::CREATED, Json(SessionView::of(&record))).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// The pool of a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PoolOfSession)]
struct Join {
    /// `null`: out of its pool. It must be there: leaving out a field is easily done by mistake.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(example = "senders", required)]
    pool: Option<String>,
}

/// Put a session into a pool, or take it out of its pool.
#[utoipa::path(put, path = "/v1/sessions/{id}/pool", tag = "sessions", operation_id = "setPoolOfSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")), request_body = Join,
    responses((status = 200, description = "It is there", body = SessionView), Problems))]
async fn join_pool(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<SessionView>, ApiError> {
    let id = session_id(&id)?;
    caller.covers(&id)?;
    let Join { pool } = body::read(request, app.body_limit).await?;
    if pool.is_some() {
        caller.covers_pools()?;
    }
    let record = app.cases.join_pool(caller.tenant(), &id, pool.as_deref()).await?;
    Ok(Json(SessionView::of(&record)))
}

/// A task of ours panicked, which is a mistake of ours.
pub(super) fn ended_early() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request could not be carried out")
}

/// What the list can be asked for; read by [`asked`], because a label may be named more than once.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes")]
struct Page {
    /// How many at most, up to 200; 50 without it.
    #[param(example = 50)]
    limit: Option<u32>,
    /// Those after this id: the `next` of the page before.
    after: Option<String>,
    /// Those in this state.
    #[param(example = "awaiting_scan")]
    state: Option<String>,
    /// Those of this pool.
    pool: Option<String>,
    /// Those of exactly this name.
    name: Option<String>,
    /// Those with this label, `key:value`; may be given more than once, for those with all of them.
    label: Option<Vec<String>>,
}

/// The query of a list: how many, after which, and which.
fn asked(pairs: Vec<(String, String)>) -> Result<(u32, Option<SessionId>, Search), ApiError> {
    let (mut limit, mut after, mut search) = (None, None, Search::default());
    let mut seen = BTreeSet::new();
    for (key, value) in pairs {
        if key != "label" && !seen.insert(key.clone()) {
            let message = "the query names something twice that it takes once";
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", message));
        }
        match key.as_str() {
            // What is no number is none that a page can have.
            "limit" => limit = Some(value.parse().unwrap_or(0)),
            "after" => after = paging::place("after", Some(&value), SessionId::new)?,
            "state" => search.state = Some(value),
            "pool" => search.pool = Some(value),
            "name" => search.name = Some(value),
            "label" => search.labels.push(value),
            _ => return Err(paging::bad_query("`limit`, `after`, `state`, `pool`, `name` and `label`")),
        }
    }
    Ok((Pages::USUAL.limit(limit)?, after, search))
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
struct SessionList {
    /// In the order of their ids.
    sessions: Vec<SessionView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

/// The sessions, a page at a time, all of them or those that fit.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", operation_id = "listSessions", params(Page),
    responses((status = 200, description = "A page", body = SessionList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Json<SessionList>, ApiError> {
    let Query(pairs) = pairs.map_err(|_| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", "the query is no list of names and values")
    })?;
    let (limit, after, search) = asked(pairs)?;
    let page = app.cases.sessions(caller.tenant(), search, after.as_ref(), limit).await?;
    let next = page.next.map(|id| id.to_string());
    let own = page.sessions.iter().filter(|record| caller.key().covers(&record.id));
    Ok(Json(SessionList { sessions: own.map(SessionView::of).collect(), next }))
}

/// One session.
#[utoipa::path(get, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "getSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")),
    responses((status = 200, description = "The session", body = SessionView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(id): Path<String>,
) -> Result<Json<SessionView>, ApiError> {
    let id = session_id(&id)?;
    caller.covers(&id)?;
    Ok(Json(SessionView::of(&app.cases.session(caller.tenant(), &id).await?)))
}

/// Delete a session: its device is logged out, its jobs come to an end.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "deleteSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")),
    responses((status = 202, description = "Its worker does it", body = SessionView), Problems))]
async fn delete(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<SessionView>), ApiError> {
    let id = session_id(&id)?;
    caller.covers(&id)?;
    let record = app.cases.delete_session(caller.tenant(), &id).await?;
    Ok((StatusCode::ACCEPTED, Json(SessionView::of(&record))))
}
