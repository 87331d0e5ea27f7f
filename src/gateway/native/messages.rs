//! `/v1/messages`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{FailReason, JobId, Lane, LedgerEntry, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::{Caller, MayRead, MaySend};
use super::body;
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::schemas::ContentSchema;
use super::sessions::ended_early;
use super::{App, Routes};
use crate::gateway::usecase::{Enqueue, Receipt, UseCaseError, Wording};

/// Longest `traceparent` that is passed on; the W3C's version 0 has 55 characters.
const MAX_TRACEPARENT: usize = 128;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(enqueue)).routes(routes!(one)).routes(routes!(cancel)).routes(routes!(reschedule))
}

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessage)]
struct Send {
    /// The caller's id of it, a UUID; the same id again is the same message. Without one it gets one.
    #[serde(default)]
    #[schema(format = "uuid", example = json!(null))]
    id: Option<String>,
    /// The session that is to send it; either this or `pool`.
    #[serde(default)]
    #[schema(example = "toko-1")]
    session: Option<String>,
    /// The pool of which any session may send it.
    #[serde(default)]
    #[schema(example = json!(null))]
    pool: Option<String>,
    /// The recipient's number, as people write it.
    #[schema(example = "+62 812-3456-7890")]
    to: String,
    /// `otp` or `bulk`; without it `otp` for a one-time password and `bulk` for everything else.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "otp")]
    lane: Option<Lane>,
    /// What it says.
    #[schema(value_type = ContentSchema, example = json!({"type": "otp", "code": "493817", "text": "Kode: {code}"}))]
    content: Wording,
    /// Its deadline: at or past it no attempt is begun. The otp lane needs one, or the gateway's default.
    #[serde(default)]
    #[schema(format = DateTime, example = json!(null))]
    expires_at: Option<String>,
    /// Its deadline in seconds from now, at most 30 days; not beside `expires_at`.
    #[serde(default)]
    #[schema(example = 300)]
    ttl: Option<u32>,
    /// The caller's own words, repeated in every event: at most 16 of them.
    #[serde(default)]
    #[schema(example = json!({"order": "77"}))]
    metadata: BTreeMap<String, String>,
}

/// A message and where it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
struct MessageView {
    /// Its id.
    #[schema(format = "uuid", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")]
    id: String,
    /// `queued`, `delayed`, `sending`, `sent`, `delivered`, `read`, `failed`, `expired`, `uncertain` or `cancelled`.
    #[schema(example = "delivered")]
    state: &'static str,
    /// WhatsApp's id of it.
    #[schema(example = "3EB0C767D26A1F4B8A")]
    message_id: String,
    /// The session that sends it; for a pool's message none before the first attempt.
    #[schema(example = "toko-1")]
    session: Option<String>,
    /// The recipient's number, masked.
    #[schema(example = "62812****7890")]
    to: String,
    /// `otp` or `bulk`.
    #[schema(example = "otp")]
    lane: &'static str,
    /// How often it was put on the wire.
    #[schema(example = 1)]
    attempts: u32,
    /// Why it failed or waits.
    reason: Option<&'static str>,
    /// WhatsApp's code that led to the reason.
    code: Option<u16>,
    /// Its deadline.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was taken.
    #[schema(format = DateTime)]
    enqueued_at: String,
    /// Not before this moment, while it is delayed.
    #[schema(format = DateTime)]
    not_before: Option<String>,
    /// When WhatsApp's server took it.
    #[schema(format = DateTime)]
    sent_at: Option<String>,
    /// When the phone had it.
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
    /// When it was read.
    #[schema(format = DateTime)]
    read_at: Option<String>,
    /// When it failed, expired, became uncertain or was cancelled.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// The caller's own words.
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

/// Send a message. It is queued when the answer comes; what becomes of it, events tell, or looking at it.
#[utoipa::path(post, path = "/v1/messages", tag = "messages", operation_id = "sendMessage",
    request_body(content = Send, examples(
        ("otp" = (summary = "A one-time password", value = json!({
            "session": "toko-1", "to": "+62 812-3456-7890", "ttl": 300,
            "content": {"type": "otp", "code": "493817", "text": "Kode: {code}"}
        }))),
        ("text" = (summary = "A text", value = json!({
            "session": "toko-1", "to": "0812-3456-7890", "content": {"type": "text", "text": "Pesanan Anda sudah dikirim."},
            "metadata": {"order": "77"}
        }))),
        ("template" = (summary = "A text with placeholders", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "template", "text": "Halo {nama}", "values": {"nama": "Sari"}}
        }))),
        ("named" = (summary = "A template by its name", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "template", "name": "notification", "locale": "en", "values": {"title": "Order 77", "message": "It is on its way."}}
        }))),
        ("named_otp" = (summary = "A one-time password in the text of a template", value = json!({
            "session": "toko-1", "to": "6281234567890", "ttl": 300,
            "content": {"type": "otp", "code": "493817", "template": "otp_with_name", "locale": "id", "values": {"name": "Sari"}}
        })))
    )),
    params(("traceparent" = Option<String>, Header, description = "W3C trace context, passed on to the worker")),
    responses(
        (status = 202, description = "It is queued; its place stands in `Location`. A bulk message to a suppressed number has `failed` already (`suppressed`)", body = MessageView),
        (status = 200, description = "It was taken before, under the same id", body = MessageView),
        Problems
    ))]
async fn enqueue(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    request: Request,
) -> Result<Response, ApiError> {
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let traceparent = traceparent.filter(|value| value.len() <= MAX_TRACEPARENT).map(str::to_owned);
    let send: Send = body::read(request, app.body_limit).await?;
    check_target(&caller, &send)?;
    let id = send.id.map(|id| id.parse::<JobId>()).transpose();
    let id = id.map_err(|error| UseCaseError::Field {
        field: "id",
        reason: FailReason::BadField,
        message: error.to_string(),
    })?;
    let lane = send.lane.or(send.content.lane());
    let content = app.cases.content_of(caller.tenant(), send.content).await?;
    let job = Enqueue {
        id,
        session: send.session,
        pool: send.pool,
        to: send.to,
        lane,
        content,
        expires_at: send.expires_at,
        ttl: send.ttl,
        metadata: send.metadata,
        traceparent,
    };
    let (cases, tenant) = (app.cases.clone(), caller.tenant().clone());
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

/// One message.
#[utoipa::path(get, path = "/v1/messages/{id}", tag = "messages", operation_id = "getMessage",
    params(("id" = String, Path, description = "The message", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")),
    responses((status = 200, description = "The message", body = MessageView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(Json(MessageView::of(own(&app, &caller, named(&id)?).await?)).into_response())
}

/// Whether the key is good for the session or the pool that a message names; what is no name is refused elsewhere.
fn check_target(caller: &Caller, send: &Send) -> Result<(), ApiError> {
    let session = send.session.as_deref().and_then(|session| SessionId::new(session).ok());
    if let Some(session) = session {
        caller.covers(&session).map_err(|error| error.field("session"))?;
    }
    if send.pool.is_some() {
        caller.covers_pools().map_err(|error| error.field("pool"))?;
    }
    Ok(())
}

/// A message that the key is good for.
async fn own(app: &App, caller: &Caller, job: JobId) -> Result<LedgerEntry, ApiError> {
    let entry = app.cases.message(caller.tenant(), job).await?;
    caller.covers_message(entry.session.as_ref())?;
    Ok(entry)
}

/// What can't be a job's id is the id of no message.
fn named(id: &str) -> Result<JobId, UseCaseError> {
    id.parse().map_err(|_| UseCaseError::NotFound { what: "message", field: None })
}

/// Take a message back that is not on the wire yet.
#[utoipa::path(post, path = "/v1/messages/{id}/cancel", tag = "messages", operation_id = "cancelMessage",
    params(("id" = String, Path, description = "The message", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")),
    responses(
        (status = 200, description = "It is never sent", body = MessageView),
        (status = 409, description = "`too_late`: `state` says where it stands", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn cancel(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let job = named(&id)?;
    own(&app, &caller, job).await?;
    Ok(Json(MessageView::of(app.cases.cancel(caller.tenant(), job).await?)).into_response())
}

/// When a message is to go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reschedule {
    /// Not before this moment, at most 30 days ahead; one that has passed means as soon as possible.
    #[schema(format = DateTime, example = "2026-12-01T08:00:00+07:00")]
    not_before: String,
}

/// Let a message that is not on the wire yet go at another moment.
#[utoipa::path(post, path = "/v1/messages/{id}/reschedule", tag = "messages", operation_id = "rescheduleMessage",
    params(("id" = String, Path, description = "The message", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")),
    request_body = Reschedule,
    responses(
        (status = 200, description = "It waits until then", body = MessageView),
        (status = 409, description = "`too_late`: `state` says where it stands", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn reschedule(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let job = named(&id)?;
    own(&app, &caller, job).await?;
    let Reschedule { not_before } = body::read(request, app.body_limit).await?;
    Ok(Json(MessageView::of(app.cases.reschedule(caller.tenant(), job, &not_before).await?)).into_response())
}
