//! `/v1/sessions/{id}/…`: what is wanted of a session, how it is called, and which one is the default.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::{Caller, MayControl, MayRead};
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::sessions::{SessionView, session_id};
use super::{App, Routes, body};
use crate::gateway::usecase::{Order, SessionChange, UseCaseError};

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(describe))
        .routes(routes!(start))
        .routes(routes!(stop))
        .routes(routes!(restart))
        .routes(routes!(log_out))
        .routes(routes!(relocate))
        .routes(routes!(default_session, set_default, unset_default))
}

/// What is to be changed of a session; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionChange)]
struct Change {
    /// Another name; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Toko Sari, Bandung")]
    #[expect(clippy::option_option, reason = "left out, taken away, or given")]
    name: Option<Option<String>>,
    /// Labels to set; one that is `null` is removed, the others stay. A session has at most 16.
    #[serde(default)]
    #[schema(example = json!({"team": "bandung", "trial": null}))]
    labels: BTreeMap<String, Option<String>>,
}

/// Tells a field that is `null` from one that is left out.
#[expect(clippy::option_option, reason = "left out, taken away, or given")]
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Rename a session, or change its labels.
#[utoipa::path(patch, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "changeSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")), request_body = Change,
    responses((status = 200, description = "The session as it is now", body = SessionView), Problems))]
async fn describe(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<SessionView>, ApiError> {
    let id = session_id(&id)?;
    caller.covers(&id)?;
    let Change { name, labels } = body::read(request, app.body_limit).await?;
    let record = app.cases.describe_session(caller.tenant(), &id, SessionChange { name, labels }).await?;
    Ok(Json(SessionView::of(&record)))
}

type Ordered = Result<(StatusCode, Json<SessionView>), ApiError>;

async fn order(app: &App, caller: &Caller, id: &str, order: Order) -> Ordered {
    let id = session_id(id)?;
    caller.covers(&id)?;
    let record = app.cases.order(caller.tenant(), &id, order).await?;
    Ok((StatusCode::ACCEPTED, Json(SessionView::of(&record))))
}

/// Start a session: it is connected, or asks for a scan. One that runs goes on.
#[utoipa::path(post, path = "/v1/sessions/{id}/start", tag = "sessions", operation_id = "startSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")),
    responses(
        (status = 202, description = "A worker does it", body = SessionView),
        (status = 409, description = "`session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn start(State(app): State<Arc<App>>, MayControl(caller): MayControl, Path(id): Path<String>) -> Ordered {
    order(&app, &caller, &id, Order::Start).await
}

/// Stop a session: it is disconnected and keeps its credentials. Its messages wait.
#[utoipa::path(post, path = "/v1/sessions/{id}/stop", tag = "sessions", operation_id = "stopSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")),
    responses(
        (status = 202, description = "Its worker does it", body = SessionView),
        (status = 409, description = "`session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn stop(State(app): State<Arc<App>>, MayControl(caller): MayControl, Path(id): Path<String>) -> Ordered {
    order(&app, &caller, &id, Order::Stop).await
}

/// Restart a session: it gets a new connection, with the credentials that it has. What is on the wire comes to its end first.
#[utoipa::path(post, path = "/v1/sessions/{id}/restart", tag = "sessions", operation_id = "restartSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")),
    responses(
        (status = 202, description = "Its worker does it", body = SessionView),
        (status = 409, description = "`session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn restart(State(app): State<Arc<App>>, MayControl(caller): MayControl, Path(id): Path<String>) -> Ordered {
    order(&app, &caller, &id, Order::Restart).await
}

/// Log a session out: its device is removed from the phone's list and its credentials are forgotten. The session stays and
/// rests; its next start asks for a scan, and so does whoever asks for its QR code or a pairing code.
#[utoipa::path(post, path = "/v1/sessions/{id}/logout", tag = "sessions", operation_id = "logOutSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")),
    responses(
        (status = 202, description = "A worker does it", body = SessionView),
        (status = 409, description = "`session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn log_out(State(app): State<Arc<App>>, MayControl(caller): MayControl, Path(id): Path<String>) -> Ordered {
    order(&app, &caller, &id, Order::LogOut).await
}

/// Where a session is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MoveSession)]
struct Move {
    /// The worker's name; `null`: any. It must be there: leaving out a field is easily done by mistake.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(example = "worker-2", required)]
    worker: Option<String>,
}

/// Move a session to a worker, where it stays as long as one of that name is there.
#[utoipa::path(post, path = "/v1/sessions/{id}/move", tag = "sessions", operation_id = "moveSession",
    params(("id" = String, Path, description = "The session", example = "toko-1")), request_body = Move,
    responses(
        (status = 202, description = "The workers do it, a few sessions a second", body = SessionView),
        (status = 409, description = "`session_deleted`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn relocate(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(id): Path<String>,
    request: Request,
) -> Ordered {
    let id = session_id(&id)?;
    caller.covers(&id)?;
    let Move { worker } = body::read(request, app.body_limit).await?;
    let record = app.cases.move_session(caller.tenant(), &id, worker.as_deref()).await?;
    Ok((StatusCode::ACCEPTED, Json(SessionView::of(&record))))
}

/// The default session: the one that sends messages that name neither session nor pool.
#[utoipa::path(get, path = "/v1/sessions/default", tag = "sessions", operation_id = "getDefaultSession",
    responses(
        (status = 200, description = "The session", body = SessionView),
        (status = 404, description = "`not_found`: there is none", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn default_session(State(app): State<Arc<App>>, MayRead(caller): MayRead) -> Result<Json<SessionView>, ApiError> {
    let id = app.cases.default_session(caller.tenant()).await?;
    let id = id.filter(|id| caller.key().covers(id));
    let id = id.ok_or(UseCaseError::NotFound { what: "default session", field: None })?;
    Ok(Json(SessionView::of(&app.cases.session(caller.tenant(), &id).await?)))
}

/// Which session is to be the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DefaultSession {
    /// Its id.
    #[schema(example = "toko-1")]
    session: String,
}

/// Name the default session.
#[utoipa::path(put, path = "/v1/sessions/default", tag = "sessions", operation_id = "setDefaultSession",
    request_body = DefaultSession,
    responses((status = 200, description = "The session", body = SessionView), Problems))]
async fn set_default(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    request: Request,
) -> Result<Json<SessionView>, ApiError> {
    may_choose(&caller)?;
    let DefaultSession { session } = body::read(request, app.body_limit).await?;
    let id = session_id(&session).map_err(|error| error.field("session"))?;
    app.cases.set_default(caller.tenant(), Some(&id)).await?;
    Ok(Json(SessionView::of(&app.cases.session(caller.tenant(), &id).await?)))
}

/// Have no default session: messages then name their session or pool.
#[utoipa::path(delete, path = "/v1/sessions/default", tag = "sessions", operation_id = "unsetDefaultSession",
    responses((status = 204, description = "There is none now"), Problems))]
async fn unset_default(State(app): State<Arc<App>>, MayControl(caller): MayControl) -> Result<StatusCode, ApiError> {
    may_choose(&caller)?;
    app.cases.set_default(caller.tenant(), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The default is everybody's of the tenant, so a key for some sessions only can't choose it.
pub(super) fn may_choose(caller: &Caller) -> Result<(), ApiError> {
    if caller.key().sessions.is_none() {
        return Ok(());
    }
    let detail = "this key is good for some sessions only, so it can't choose the default of all";
    Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail))
}
