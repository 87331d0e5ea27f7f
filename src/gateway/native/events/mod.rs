//! `/v1/events`: what happens, as a stream.

mod socket;
mod sse;
mod telling;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use kurir_core::domain::{KindChoice, LogFilter, LogPosition, SessionId, Timestamp};
use kurir_core::port::PortError;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayRead};
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::{App, Routes};
use crate::gateway::server::ConnectionEnd;
use crate::gateway::usecase::UseCaseError;
use telling::{Start, Stream};

/// Seconds after which a stream that found no place may be asked for again.
const LATER: u32 = 10;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(follow))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Which events, separated by commas: names, families, `*`; all without it.
    #[serde(default)]
    #[param(example = "message.*,session.connected")]
    types: Option<String>,
    /// Of this session only.
    #[serde(default)]
    #[param(example = "toko-1")]
    session: Option<String>,
    /// From this moment on, as far as events are kept; without it from now on.
    #[serde(default)]
    #[param(example = "2026-01-31T12:00:00Z")]
    since: Option<String>,
    /// After the event of this id, for those who can't set the header `Last-Event-ID`.
    #[serde(default)]
    last_event_id: Option<String>,
    /// `false`: only what there is already, from `since` or `last_event_id` on, then the stream ends; without these nothing.
    #[serde(default)]
    #[param(example = false)]
    follow: Option<bool>,
}

fn bad(field: &'static str, message: impl Into<String>) -> ApiError {
    UseCaseError::field(field, message).into()
}

fn session(text: &str, caller: &Caller) -> Result<SessionId, ApiError> {
    let id = SessionId::new(text).map_err(|error| bad("session", error.to_string()))?;
    caller.covers(&id)?;
    Ok(id)
}

/// What the stream of a caller lets through.
fn filter(wanted: &Wanted, caller: &Caller) -> Result<LogFilter, ApiError> {
    let types = wanted.types.as_deref().map(|types| KindChoice::new(types.split(',').map(str::trim))).transpose();
    let kinds = types.map_err(|error| bad("types", error.to_string()))?.and_then(|choice| choice.kinds());
    let sessions = match &wanted.session {
        Some(one) => Some(BTreeSet::from([session(one, caller)?])),
        None => caller.key().sessions.clone(),
    };
    Ok(LogFilter { tenant: Some(caller.tenant().clone()), sessions, kinds })
}

/// Where the stream begins. What was seen last counts more than a moment.
async fn start(app: &App, wanted: &Wanted, headers: &HeaderMap) -> Result<Start, ApiError> {
    let failed = |error: PortError| ApiError::from(UseCaseError::from(error));
    let given = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let seen = given.filter(|text| !text.is_empty()).or(wanted.last_event_id.as_deref());
    let since = wanted.since.as_deref().map(|text| {
        let wrong = "not a moment of RFC 3339, like 2026-01-31T12:00:00Z";
        Timestamp::parse_rfc3339(text).ok_or_else(|| bad("since", wrong))
    });
    let since = since.transpose()?;
    let seen: Option<LogPosition> = seen
        .map(|text| text.parse().map_err(|_| bad("last_event_id", "is the id of no event of a stream")))
        .transpose()?;
    let span = app.tail.log().span().await.map_err(failed)?;
    let newest = span.map(|span| span.newest).unwrap_or_default();
    if let Some(seen) = seen {
        let missed = span.is_some_and(|span| seen.0.saturating_add(1) < span.oldest.0);
        // One that lies ahead was never given out by this log.
        return Ok(Start { after: seen.min(newest), missed });
    }
    let after = match since {
        Some(since) => app.tail.log().before(since).await.map_err(failed)?,
        None => newest,
    };
    Ok(Start { after, missed: false })
}

/// One event of the stream, by the names of its lines.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct ServerSentEvent {
    /// The event's place in the log, for `Last-Event-ID`; the last word has none.
    #[schema(example = "42")]
    id: Option<String>,
    /// The event's type, or `end`, or `gap`.
    #[schema(example = "message.sent")]
    event: Option<String>,
    /// JSON: the envelope of the event.
    data: Option<String>,
}

/// Whether the caller asks for a WebSocket.
fn wants_socket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Follow what happens: as Server-Sent Events, or as a WebSocket where the request asks for an upgrade.
///
/// Each event is a CloudEvents envelope as in the contract (`docs/CONTRACT`); its place is the `id` of the Server-Sent Event, or
/// `position` beside `event` in a WebSocket's message. Whoever gives it as `Last-Event-ID` goes on after it. QR payloads and
/// pairing codes are left out: ask for them at the session. The last word is an event `end` with a `reason` (a close frame
/// with it on a WebSocket): `stopping`, `key_ended`, `too_slow`, `unavailable`; `caught_up` where `follow=false`.
#[utoipa::path(get, path = "/v1/events", tag = "events", operation_id = "followEvents", params(Wanted),
    responses(
        (status = 101, description = "A WebSocket, if one was asked for"),
        (status = 200, description = "The stream", body = ServerSentEvent, content_type = "text/event-stream"),
        (status = 429, description = "`too_many_streams`: of this key, or of this gateway", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn follow(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    wanted: Result<Query<Wanted>, QueryRejection>,
    connection: Option<Extension<ConnectionEnd>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let Query(wanted) = wanted.map_err(|_| {
        let words = "the query takes `types`, `session`, `since`, `last_event_id` and `follow`, which is true or false";
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", words)
    })?;
    let filter = filter(&wanted, &caller)?;
    let start = start(&app, &wanted, &headers).await?;
    let Some(place) = app.streams.take(caller.key()) else {
        let words =
            "there are too many streams of this key or in this gateway; one `*` stream has all of a tenant's events";
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", words);
        error.retry_after = Some(LATER);
        return Err(error);
    };
    let follow = wanted.follow.unwrap_or(true);
    let stream = Stream { app, key: caller.key().clone(), filter, start, follow, place };
    if wants_socket(&headers) {
        let upgrade = upgrade.map_err(|_| {
            let words = "this is no WebSocket handshake of version 13";
            ApiError::new(StatusCode::BAD_REQUEST, "bad_handshake", words)
        })?;
        return Ok(socket::answer(upgrade, stream));
    }
    Ok(sse::answer(stream, connection.map(|Extension(end)| end)))
}
