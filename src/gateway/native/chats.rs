//! `/v1/numbers/check`, `/v1/sessions/{id}/chats/…` and `…/presence`: what is asked of a session's connection at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use kurir_core::domain::{Presence, SessionId, Typing};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::{MayControl, MaySend};
use super::body;
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::sessions::session_id;
use super::{App, Routes};
use crate::gateway::usecase::UseCaseError;

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(check))
        .routes(routes!(mark_read))
        .routes(routes!(show_typing))
        .routes(routes!(show_presence))
        .routes(routes!(pairing_code))
}

/// Numbers to check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NumberCheck)]
struct Check {
    /// The session that asks; without it the default session.
    #[serde(default)]
    #[schema(example = "toko-1")]
    session: Option<String>,
    /// 1 to 50 numbers, as people write them.
    #[schema(example = json!(["+62 812-3456-7890", "081234567891"]))]
    numbers: Vec<String>,
}

/// A number and whether it has WhatsApp.
#[derive(Serialize, ToSchema)]
struct CheckedNumber {
    /// Its digits in international form.
    #[schema(example = "6281234567890")]
    number: String,
    /// Whether it has WhatsApp.
    #[schema(example = true)]
    on_whatsapp: bool,
}

/// What was found out.
#[derive(Serialize, ToSchema)]
struct CheckedNumbers {
    /// The session that asked.
    #[schema(example = "toko-1")]
    session: String,
    /// In the order of the request.
    numbers: Vec<CheckedNumber>,
}

/// Ask which numbers have WhatsApp. The session asks at its own pace (`numbers.*` of the limits) and remembers answers for a while.
#[utoipa::path(post, path = "/v1/numbers/check", tag = "numbers", operation_id = "checkNumbers", request_body = Check,
    responses(
        (status = 200, description = "What WhatsApp said", body = CheckedNumbers),
        (status = 409, description = "`session_not_connected`: `Retry-After` stands there if it is wanted running; `session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn check(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    request: Request,
) -> Result<Json<CheckedNumbers>, ApiError> {
    let Check { session, numbers } = body::read(request, app.body_limit).await?;
    let session = match session {
        Some(session) => session_id(&session).map_err(|error| error.field("session"))?,
        None => app.cases.default_session(caller.tenant()).await?.ok_or_else(|| {
            UseCaseError::field("session", "names no session, and there is no default session to ask through")
        })?,
    };
    caller.covers(&session).map_err(|error| error.field("session"))?;
    let checked = app.cases.check_numbers(caller.tenant(), &session, &numbers).await?;
    let numbers = checked
        .into_iter()
        .map(|checked| CheckedNumber { number: checked.number.digits().to_owned(), on_whatsapp: checked.on_whatsapp });
    Ok(Json(CheckedNumbers { session: session.to_string(), numbers: numbers.collect() }))
}

/// Messages that were read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReadMarks {
    /// WhatsApp's ids of them, as `message.received` tells them: 1 to 100.
    #[schema(example = json!(["3EB0C767D26A1F4B8A"]))]
    message_ids: Vec<String>,
}

/// Show the writer of messages that they were read.
#[utoipa::path(post, path = "/v1/sessions/{id}/chats/{number}/read", tag = "numbers", operation_id = "markRead",
    params(
        ("id" = String, Path, description = "The session", example = "toko-1"),
        ("number" = String, Path, description = "Who wrote", example = "6281234567890")
    ), request_body = ReadMarks,
    responses(
        (status = 204, description = "WhatsApp was told"),
        (status = 409, description = "`session_not_connected`: `Retry-After` stands there if it is wanted running; `session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn mark_read(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path((id, number)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let id = covered(&caller, &id)?;
    let ReadMarks { message_ids } = body::read(request, app.body_limit).await?;
    app.cases.mark_read(caller.tenant(), &id, &number, message_ids).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a chat is to show.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShowTyping {
    /// `typing`, `recording`, or `paused`. A phone forgets it after a while by itself.
    #[schema(value_type = String, example = "typing")]
    state: Typing,
}

/// Show in a chat that somebody writes, or not any more.
#[utoipa::path(post, path = "/v1/sessions/{id}/chats/{number}/typing", tag = "numbers", operation_id = "showTyping",
    params(
        ("id" = String, Path, description = "The session", example = "toko-1"),
        ("number" = String, Path, description = "Whose chat", example = "6281234567890")
    ), request_body = ShowTyping,
    responses(
        (status = 204, description = "WhatsApp was told"),
        (status = 409, description = "`session_not_connected`: `Retry-After` stands there if it is wanted running; `session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn show_typing(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path((id, number)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let id = covered(&caller, &id)?;
    let ShowTyping { state } = body::read(request, app.body_limit).await?;
    app.cases.show_typing(caller.tenant(), &id, &number, state).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a session's contacts are to see of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShowPresence {
    /// `available` or `unavailable`.
    #[schema(value_type = String, example = "unavailable")]
    state: Presence,
}

/// Show the session's contacts that it is there, or not. It holds until the connection ends: a new one is available again. While a
/// session is available its phone rings for nothing.
#[utoipa::path(post, path = "/v1/sessions/{id}/presence", tag = "sessions", operation_id = "showPresence",
    params(("id" = String, Path, description = "The session", example = "toko-1")), request_body = ShowPresence,
    responses(
        (status = 204, description = "WhatsApp was told"),
        (status = 409, description = "`session_not_connected`: `Retry-After` stands there if it is wanted running; `session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn show_presence(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let id = covered(&caller, &id)?;
    let ShowPresence { state } = body::read(request, app.body_limit).await?;
    app.cases.show_presence(caller.tenant(), &id, state).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The phone that is to be linked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PairingNumber {
    /// Its number, as people write it.
    #[schema(example = "+62 812-3456-7890")]
    number: String,
}

/// A code to type on the phone.
#[derive(Serialize, ToSchema)]
#[schema(as = PairingCode)]
struct PairingCodeView {
    /// Eight letters and digits; typed under Linked devices, Link with phone number.
    #[schema(example = "ABCD1234")]
    code: String,
    /// When WhatsApp stops taking it.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Ask for a code that links the session when it is typed on a phone, instead of a scan. The same comes again while it is valid.
#[utoipa::path(post, path = "/v1/sessions/{id}/pairing-code", tag = "sessions", operation_id = "getPairingCode",
    params(("id" = String, Path, description = "The session", example = "toko-1")), request_body = PairingNumber,
    responses(
        (status = 200, description = "Whoever types it links the session: treat it as a secret", body = PairingCodeView),
        (status = 409, description = "`session_not_connected`: `Retry-After` stands there if it is wanted running; `session_linked`, `whatsapp_refused`, `session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn pairing_code(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<PairingCodeView>, ApiError> {
    let id = covered(&caller, &id)?;
    let PairingNumber { number } = body::read(request, app.body_limit).await?;
    let shown = app.cases.pairing_code(caller.tenant(), &id, &number).await?;
    Ok(Json(PairingCodeView { code: shown.code.into_inner(), expires_at: shown.expires_at.to_rfc3339() }))
}

fn covered(caller: &super::auth::Caller, id: &str) -> Result<SessionId, ApiError> {
    let id = session_id(id)?;
    caller.covers(&id)?;
    Ok(id)
}
