//! `/v1/messages`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{JobId, Lane, LedgerEntry, MediaId, SessionId};
use kurir_core::wire::ContentV1;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayRead, MaySend};
use super::error::ApiError;
use super::idempotency::seed_of;
use super::message_view::MessageView;
use super::problem::{Problem, Problems};
use super::schemas::ContentSchema;
use super::sessions::ended_early;
use super::{App, Routes, body};
use crate::gateway::usecase::{Enqueue, Receipt, UseCaseError, Wording};
use crate::gateway::waits::Goal;

/// Longest `traceparent` that is passed on; the W3C's version 0 has 55 characters.
const MAX_TRACEPARENT: usize = 128;

/// Where messages are made.
pub(super) const PATH: &str = "/v1/messages";

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(enqueue)).routes(routes!(one)).routes(routes!(cancel)).routes(routes!(reschedule))
}

/// A message to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessage)]
pub(super) struct Send {
    /// The caller's id of it, a UUID; the same id again is the same message. Without one it gets one.
    #[serde(default)]
    #[schema(format = "uuid", example = json!(null))]
    pub id: Option<String>,
    /// The session that is to send it; without this and `pool` the default session.
    #[serde(default)]
    #[schema(example = "toko-1")]
    pub session: Option<String>,
    /// The pool of which any session may send it.
    #[serde(default)]
    #[schema(example = json!(null))]
    pub pool: Option<String>,
    /// The recipient's number, as people write it, or a group's address (`…@g.us`).
    #[schema(example = "+62 812-3456-7890")]
    pub to: String,
    /// `otp` or `bulk`; without it `otp` for a one-time password and `bulk` for everything else.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "otp")]
    pub lane: Option<Lane>,
    /// What it says.
    #[schema(value_type = ContentSchema, example = json!({"type": "otp", "code": "493817", "text": "Kode: {code}"}))]
    pub content: Wording,
    /// Its deadline: at or past it no attempt is begun. The otp lane needs one, or the gateway's default.
    #[serde(default)]
    #[schema(format = DateTime, example = json!(null))]
    pub expires_at: Option<String>,
    /// Its deadline in seconds from now, at most 30 days; not beside `expires_at`.
    #[serde(default)]
    #[schema(example = 300)]
    pub ttl: Option<u32>,
    /// The caller's own words, repeated in every event: at most 16 of them.
    #[serde(default)]
    #[schema(example = json!({"order": "77"}))]
    pub metadata: BTreeMap<String, String>,
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
        ("location" = (summary = "A place", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "location", "latitude": -6.1754, "longitude": 106.8272, "name": "Monas", "address": "Jakarta"}
        }))),
        ("contact" = (summary = "Somebody's details", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "contact", "name": "Sari Dewi", "numbers": ["+62 811-1111-2222"]}
        }))),
        ("reply" = (summary = "An answer to a message that came in", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "text", "text": "Ya, masih ada.", "reply_to": {"message_id": "3A5F0C2A91D3E84B7601", "text": "Masih ada?"}}
        }))),
        ("reaction" = (summary = "A sign on a message that came in; an empty one takes it back", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "reaction", "message": {"message_id": "3A5F0C2A91D3E84B7601"}, "emoji": "👍"}
        }))),
        ("edit" = (summary = "Another text for a message that was sent", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "edit", "message": {"job": "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"}, "text": "Pesanan Anda tiba besok."}
        }))),
        ("delete" = (summary = "A message that was sent is taken back, for everyone", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "delete", "message": {"job": "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"}}
        }))),
        ("media" = (summary = "A file that was uploaded", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "media", "kind": "document", "media": "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c", "caption": "Tagihan Anda"}
        }))),
        ("media_url" = (summary = "A file at an address, which the worker fetches", value = json!({
            "session": "toko-1", "to": "6281234567890",
            "content": {"type": "media", "kind": "image", "url": "https://www.example.com/promo.jpg"}
        }))),
        ("group" = (summary = "A text for a group", value = json!({
            "session": "toko-1", "to": "120363000000000001@g.us", "content": {"type": "text", "text": "Toko buka pukul 9."}
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
    params(
        ("traceparent" = Option<String>, Header, description = "W3C trace context, passed on to the worker"),
        Wait
    ),
    responses(
        (status = 202, description = "It is queued; its place stands in `Location`. With `wait`: it has not come that far yet. A bulk message to a suppressed number has `failed` already (`suppressed`)", body = MessageView),
        (status = 200, description = "It was taken before, under the same id; with `wait`: it has come that far, or to its end", body = MessageView),
        (status = 409, description = "`id_reused`; `idempotency_key_in_use`: the same request is being carried out", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`queue_full`: as many messages wait as may, nothing was stored", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is bad; `idempotency_key_reused`: the key names another request", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn enqueue(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    wait: Result<Query<Wait>, QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let wait =
        wait.map_err(|_| bad_wait("wait", "the query takes `wait`, `sent` or `delivered`, and `timeout`, seconds"));
    let wait = wanted(&app, wait?.0)?;
    send(&app, &caller, wait, request).await
}

/// Waits for a state before it answers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wait {
    /// Answer when WhatsApp's server has the message (`sent`), when the phone has it (`delivered`), or when it has come to its
    /// end otherwise.
    #[serde(default)]
    #[param(example = "sent")]
    wait: Option<String>,
    /// For so many seconds at most: 1 to `gateway.wait_max` (60), `gateway.wait_default` (10) without it. When too many wait already
    /// the answer comes at once.
    #[serde(default)]
    #[param(example = 1)]
    timeout: Option<u32>,
}

fn bad_wait(field: &'static str, message: impl Into<String>) -> ApiError {
    UseCaseError::field(field, message).into()
}

/// What a caller waits for, and how long.
fn wanted(app: &App, Wait { wait, timeout }: Wait) -> Result<Option<(Goal, Duration)>, ApiError> {
    let goal = match wait.as_deref() {
        None if timeout.is_some() => return Err(bad_wait("timeout", "goes with `wait`")),
        None => return Ok(None),
        Some("sent") => Goal::Sent,
        Some("delivered") => Goal::Delivered,
        Some(_) => return Err(bad_wait("wait", "is `sent` or `delivered`")),
    };
    let most = app.messages.wait_max;
    let limit = timeout.map_or(app.messages.wait_default, |seconds| Duration::from_secs(seconds.into()));
    if limit.is_zero() || limit > most {
        return Err(bad_wait("timeout", format!("must be from 1 to {} seconds", most.as_secs())));
    }
    Ok(Some((goal, limit)))
}

async fn send(
    app: &Arc<App>,
    caller: &Caller,
    wait: Option<(Goal, Duration)>,
    request: Request,
) -> Result<Response, ApiError> {
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let traceparent = traceparent.filter(|value| value.len() <= MAX_TRACEPARENT).map(str::to_owned);
    let seed = seed_of(&request);
    let mut send: Send = body::read(request, app.body_limit).await?;
    if send.session.is_none() && send.pool.is_none() {
        let default = app.cases.default_session(caller.tenant()).await?;
        send.session = default.map(|session| session.to_string());
    }
    let content = app.cases.content_of(caller.tenant(), send.content.clone()).await?;
    check_file(app, caller, &content).await?;
    let mut job = to_enqueue(caller, send, content)?;
    job.id = job.id.or_else(|| seed.map(|seed| seed.job(0)));
    job.traceparent = traceparent;
    let (cases, tenant) = (app.cases.clone(), caller.tenant().clone());
    // In a task of its own: between the ledger and the queue nothing may stop because a caller hangs up.
    let done = app.tasks.spawn(async move { cases.enqueue(&tenant, job).await });
    let (status, entry) = match done.await.map_err(|_| ended_early())?? {
        Receipt::Accepted(entry) => (StatusCode::ACCEPTED, entry),
        Receipt::Known(entry) => (StatusCode::OK, entry),
    };
    let (status, entry) = match wait {
        None => (status, entry),
        Some((goal, limit)) => {
            let seen = app.waits.until(entry.key.clone(), goal, limit).await.unwrap_or(entry);
            (if goal.is_reached(seen.state) { StatusCode::OK } else { StatusCode::ACCEPTED }, seen)
        }
    };
    let place = format!("{PATH}/{}", entry.key.job);
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

/// A message as the use case takes it, if the key is good for the session or the pool that it names. What is no name is
/// refused elsewhere.
pub(super) fn to_enqueue(caller: &Caller, send: Send, content: ContentV1) -> Result<Enqueue, UseCaseError> {
    let key = caller.key();
    let session = send.session.as_deref().and_then(|session| SessionId::new(session).ok());
    if session.is_some_and(|session| !key.covers(&session)) {
        return Err(UseCaseError::NotFound { what: "session", field: Some("session") });
    }
    if send.pool.is_some() && key.sessions.is_some() {
        return Err(UseCaseError::NotFound { what: "pool", field: Some("pool") });
    }
    let id = send.id.map(|id| id.parse::<JobId>()).transpose();
    let id = id.map_err(|error| UseCaseError::field("id", error.to_string()))?;
    Ok(Enqueue {
        id,
        session: send.session,
        pool: send.pool,
        to: send.to,
        lane: send.lane.or(send.content.lane()),
        content,
        expires_at: send.expires_at,
        ttl: send.ttl,
        metadata: send.metadata,
        traceparent: None,
        batch: None,
    })
}

/// Whether the key is good for the file that a message is to carry.
async fn check_file(app: &App, caller: &Caller, content: &ContentV1) -> Result<(), ApiError> {
    let ContentV1::Media { media: Some(id), .. } = content else { return Ok(()) };
    if caller.key().sessions.is_none() {
        return Ok(());
    }
    let no_such = || UseCaseError::field("content.media", "there is no such file");
    let media = match app.cases.file(caller.tenant(), MediaId::new(*id)).await {
        Ok(media) => media,
        // Sent again when the file has gone, perhaps; that is looked at later.
        Err(UseCaseError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if caller.covers_file(media.session.as_ref()) { Ok(()) } else { Err(no_such().into()) }
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
