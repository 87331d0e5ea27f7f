//! `/v1/messages`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{FailReason, JobId, Lane, LedgerEntry, Timestamp};
use kurir_core::wire::ContentV1;
use serde::{Deserialize, Serialize};

use super::App;
use super::auth::Caller;
use super::body;
use super::error::ApiError;
use super::sessions::ended_early;
use crate::gateway::usecase::{Enqueue, Receipt, UseCaseError};

/// Longest `traceparent` that is passed on; the W3C's version 0 has 55 characters.
const MAX_TRACEPARENT: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    session: Option<String>,
    #[serde(default)]
    pool: Option<String>,
    to: String,
    #[serde(default)]
    lane: Option<Lane>,
    content: ContentV1,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    ttl: Option<u32>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// A message as callers see it.
#[derive(Serialize)]
struct MessageView {
    id: String,
    state: &'static str,
    message_id: String,
    session: Option<String>,
    /// The recipient's number, masked.
    to: String,
    lane: &'static str,
    attempts: u32,
    reason: Option<&'static str>,
    code: Option<u16>,
    expires_at: Option<String>,
    enqueued_at: String,
    not_before: Option<String>,
    sent_at: Option<String>,
    delivered_at: Option<String>,
    read_at: Option<String>,
    ended_at: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl MessageView {
    fn of(entry: LedgerEntry) -> Self {
        let moment = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        Self {
            id: entry.key.job.to_string(),
            state: entry.state.as_str(),
            message_id: entry.message_id.to_string(),
            session: entry.session.map(|session| session.to_string()),
            to: entry.recipient,
            lane: entry.lane.as_str(),
            attempts: entry.attempts,
            reason: entry.reason.map(FailReason::as_str),
            code: entry.code,
            expires_at: moment(entry.expires_at),
            enqueued_at: entry.enqueued_at.to_rfc3339(),
            not_before: moment(entry.not_before),
            sent_at: moment(entry.sent_at),
            delivered_at: moment(entry.delivered_at),
            read_at: moment(entry.read_at),
            ended_at: moment(entry.ended_at),
            metadata: entry.metadata,
        }
    }
}

pub(super) async fn enqueue(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    request: Request,
) -> Result<Response, ApiError> {
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let traceparent = traceparent.filter(|value| value.len() <= MAX_TRACEPARENT).map(str::to_owned);
    let send: Send = body::read(request, app.body_limit).await?;
    let id = send.id.map(|id| id.parse::<JobId>()).transpose();
    let id = id.map_err(|error| UseCaseError::Field {
        field: "id",
        reason: FailReason::BadField,
        message: error.to_string(),
    })?;
    let job = Enqueue {
        id,
        session: send.session,
        pool: send.pool,
        to: send.to,
        lane: send.lane,
        content: send.content,
        expires_at: send.expires_at,
        ttl: send.ttl,
        metadata: send.metadata,
        traceparent,
    };
    let cases = app.cases.clone();
    // In a task of its own: between the ledger and the queue nothing may stop because a caller hangs up.
    let done = app.tasks.spawn(async move { cases.enqueue(&tenant, job).await });
    let (status, entry) = match done.await.map_err(|_| ended_early())?? {
        Receipt::Accepted(entry) => (StatusCode::ACCEPTED, entry),
        Receipt::Known(entry) => (StatusCode::OK, entry),
    };
    let place = format!("/v1/messages/{}", entry.key.job);
    let mut response = (status, Json(MessageView::of(entry))).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let job = named(&id)?;
    Ok(Json(MessageView::of(app.cases.message(&tenant, job).await?)).into_response())
}

/// What can't be a job's id is the id of no message.
fn named(id: &str) -> Result<JobId, UseCaseError> {
    id.parse().map_err(|_| UseCaseError::NotFound { what: "message", field: None })
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let job = named(&id)?;
    Ok(Json(MessageView::of(app.cases.cancel(&tenant, job).await?)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reschedule {
    not_before: String,
}

pub(super) async fn reschedule(
    State(app): State<Arc<App>>,
    Extension(Caller(tenant)): Extension<Caller>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let job = named(&id)?;
    let Reschedule { not_before } = body::read(request, app.body_limit).await?;
    Ok(Json(MessageView::of(app.cases.reschedule(&tenant, job, &not_before).await?)).into_response())
}
