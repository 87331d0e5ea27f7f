//! `/v1/webhooks`

mod deliveries;
mod views;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{KindChoice, SessionId, Webhook, WebhookId};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::{Caller, MayAdmin};
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::{App, Routes, body};
use crate::gateway::usecase::{NewWebhook, UseCaseError, WebhookChange};
use views::{MadeView, WebhookList, WebhookView};

/// How long both secrets sign, unless the caller says otherwise.
const OVERLAP: u32 = 24 * 3600;

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(create, list))
        .routes(routes!(one, change, remove))
        .routes(routes!(rotate))
        .merge(deliveries::routes())
}

/// A webhook to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhook)]
struct Create {
    /// Where to tell: an http or https address of the public internet, or one that the operator allows.
    #[schema(example = "https://example.com/kurir")]
    url: String,
    /// What people call it.
    #[serde(default)]
    #[schema(example = "shop")]
    label: String,
    /// What to tell: names, families (`message.*`), `*`; all without it.
    #[serde(default)]
    #[schema(example = json!(["message.*", "session.disconnected"]))]
    types: Option<Vec<String>>,
    /// Of which sessions; without it of all, and what belongs to none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, example = json!(null))]
    sessions: Option<BTreeSet<SessionId>>,
}

/// What to change of a webhook.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange)]
struct Change {
    /// Where to tell.
    #[serde(default)]
    #[schema(example = "https://example.com/kurir/v2")]
    url: Option<String>,
    /// What people call it.
    #[serde(default)]
    #[schema(example = "shop")]
    label: Option<String>,
    /// What to tell.
    #[serde(default)]
    #[schema(example = json!(["*"]))]
    types: Option<Vec<String>>,
    /// Of which sessions; `null`: of all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>, example = json!(null))]
    #[expect(clippy::option_option, reason = "left out, all of them, or some")]
    sessions: Option<Option<BTreeSet<SessionId>>>,
    /// Whether it is told at all. One that is enabled again hears of what happens from then on.
    #[serde(default)]
    #[schema(example = true)]
    enabled: Option<bool>,
}

/// A field that is there, be it `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// How a secret is replaced.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RotateWebhook)]
struct Rotate {
    /// For how many seconds the old secret signs as well, at most 7 days; a day without it.
    #[serde(default)]
    #[schema(example = 3600)]
    overlap: Option<u32>,
}

/// What can't be a webhook's id is the id of no webhook.
fn named(id: &str) -> Result<WebhookId, UseCaseError> {
    WebhookId::new(id).map_err(|_| UseCaseError::NotFound { what: "webhook", field: None })
}

/// Webhooks hear of all of a tenant, so a key for some sessions has no business with them.
fn whole(caller: &Caller) -> Result<(), ApiError> {
    if caller.key().sessions.is_none() {
        return Ok(());
    }
    let detail = "this key is good for some sessions only, so it can't manage webhooks";
    Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail))
}

fn choice(types: &[String]) -> Result<KindChoice, UseCaseError> {
    KindChoice::new(types).map_err(|error| UseCaseError::field("types", error.to_string()))
}

fn made(app: &App, webhook: &Webhook, status: StatusCode) -> Response {
    let view = MadeView::of(webhook, app.clock.now());
    let mut response = (status, Json(view)).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/webhooks/{}", webhook.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Make a webhook, which is told what happens from now on. Its secret is shown in this answer and never again.
///
/// Deliveries follow Standard Webhooks: the body is the event's envelope, `webhook-id` is the event's id and the same at each
/// repetition, `webhook-timestamp` the moment of the attempt, `webhook-signature` signs all three. What is not answered with
/// 2xx within the time limit is tried again over a day, with growing pauses; `Retry-After` is honoured, 410 disables the
/// webhook at once. No order is promised. What can link a session is left out of the events, as in streams.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", operation_id = "createWebhook", request_body = Create,
    responses(
        (status = 201, description = "The webhook with its secret, this once", body = MadeView),
        (status = 409, description = "`too_many_webhooks`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn create(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    request: Request,
) -> Result<Response, ApiError> {
    let Create { url, label, types, sessions } = body::read(request, app.body_limit).await?;
    whole(&caller)?;
    let types = types.as_deref().map(choice).transpose()?.unwrap_or_else(KindChoice::all);
    let webhook = app.cases.create_webhook(caller.tenant(), NewWebhook { url, label, types, sessions }).await?;
    Ok(made(&app, &webhook, StatusCode::CREATED))
}

/// The tenant's webhooks.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", operation_id = "listWebhooks",
    responses((status = 200, description = "All of them", body = WebhookList), Problems))]
async fn list(State(app): State<Arc<App>>, MayAdmin(caller): MayAdmin) -> Result<Json<WebhookList>, ApiError> {
    whole(&caller)?;
    let (webhooks, now) = (app.cases.webhooks(caller.tenant()).await?, app.clock.now());
    Ok(Json(WebhookList { webhooks: webhooks.iter().map(|webhook| WebhookView::of(webhook, now)).collect() }))
}

/// One webhook.
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "getWebhook",
    params(("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68")),
    responses((status = 200, description = "What is known of it", body = WebhookView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
) -> Result<Json<WebhookView>, ApiError> {
    whole(&caller)?;
    let webhook = app.cases.webhook(caller.tenant(), &named(&id)?).await?;
    Ok(Json(WebhookView::of(&webhook, app.clock.now())))
}

/// Change a webhook, disable or enable it.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "changeWebhook", request_body = Change,
    params(("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68")),
    responses((status = 200, description = "It is changed", body = WebhookView), Problems))]
async fn change(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<WebhookView>, ApiError> {
    let Change { url, label, types, sessions, enabled } = body::read(request, app.body_limit).await?;
    whole(&caller)?;
    let types = types.as_deref().map(choice).transpose()?;
    let change = WebhookChange { url, label, types, sessions, enabled };
    let webhook = app.cases.change_webhook(caller.tenant(), &named(&id)?, change).await?;
    Ok(Json(WebhookView::of(&webhook, app.clock.now())))
}

/// Remove a webhook and the log of its deliveries.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks", operation_id = "deleteWebhook",
    params(("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68")),
    responses((status = 204, description = "It is gone"), Problems))]
async fn remove(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    whole(&caller)?;
    app.cases.remove_webhook(caller.tenant(), &named(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook a new secret. For a while both sign, so that the receiver can take over the new one in between.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate", tag = "webhooks", operation_id = "rotateWebhookSecret",
    params(("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68")),
    request_body(content = Option<Rotate>, example = json!({"overlap": 3600})),
    responses((status = 200, description = "The webhook with its new secret, this once", body = MadeView), Problems))]
async fn rotate(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let Rotate { overlap } = body::read_or_default(request, app.body_limit).await?;
    whole(&caller)?;
    let overlap = Duration::from_secs(overlap.unwrap_or(OVERLAP).into());
    let webhook = app.cases.rotate_webhook(caller.tenant(), &named(&id)?, overlap).await?;
    Ok(made(&app, &webhook, StatusCode::OK))
}
