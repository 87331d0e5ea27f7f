//! What was delivered to a webhook, and delivering it again.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use kurir_core::domain::{DeliveryId, LogPosition, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use super::super::auth::MayAdmin;
use super::super::error::ApiError;
use super::super::paging::{self, Pages};
use super::super::problem::{Problem, Problems};
use super::super::{App, Routes, body};
use super::views::DeliveryView;
use super::{choice, named, whole};
use crate::gateway::usecase::{Replay, UseCaseError};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(test)).routes(routes!(replay)).routes(routes!(list)).routes(routes!(retry))
}

/// Have a webhook told an event `webhook.test`, to see whether it takes it.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", tag = "webhooks", operation_id = "testWebhook",
    params(("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68")),
    responses(
        (status = 202, description = "The delivery; what becomes of it stands in the log of deliveries", body = DeliveryView),
        (status = 409, description = "`webhook_disabled`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn test(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<DeliveryView>), ApiError> {
    whole(&caller)?;
    let delivery = app.cases.test_webhook(caller.tenant(), &named(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::of(&delivery))))
}

/// What to tell again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Replay)]
struct Again {
    /// From this moment on.
    #[schema(format = DateTime, example = "2026-01-31T12:00:00Z")]
    since: String,
    /// Before this moment.
    #[schema(format = DateTime, example = "2026-01-31T18:00:00Z")]
    until: String,
    /// Which events; without it those that the webhook is told anyhow.
    #[serde(default)]
    #[schema(example = json!(["message.failed"]))]
    types: Option<Vec<String>>,
    /// The `next` of the request before, if there was more.
    #[serde(default)]
    #[schema(example = json!(null))]
    after: Option<String>,
}

/// What is told again.
#[derive(Serialize, ToSchema)]
struct Replayed {
    /// How many events.
    #[schema(example = 12)]
    deliveries: usize,
    /// The `after` of the same request once more, if there is more.
    next: Option<String>,
}

/// Tell a webhook once more what was told in a span of time, under the same ids. As far back as events are kept.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "webhooks", operation_id = "replayWebhook", request_body = Again,
    params(("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68")),
    responses(
        (status = 202, description = "They are due", body = Replayed),
        (status = 409, description = "`webhook_disabled`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn replay(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Replayed>), ApiError> {
    let Again { since, until, types, after } = body::read(request, app.body_limit).await?;
    whole(&caller)?;
    let moment = |field: &'static str, text: &str| {
        let wrong = "not a moment of RFC 3339, like 2026-01-31T12:00:00Z";
        Timestamp::parse_rfc3339(text).ok_or_else(|| UseCaseError::field(field, wrong))
    };
    let after = after.map(|text| text.parse::<LogPosition>()).transpose();
    let after = after.map_err(|error| UseCaseError::field("after", error.to_string()))?;
    let types = types.as_deref().map(choice).transpose()?;
    let replay = Replay { since: moment("since", &since)?, until: moment("until", &until)?, types, after };
    let done = app.cases.replay(caller.tenant(), &named(&id)?, replay).await?;
    let next = done.next.map(|next| next.to_string());
    Ok((StatusCode::ACCEPTED, Json(Replayed { deliveries: done.deliveries, next })))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many at most, up to 200; 50 without it.
    #[serde(default)]
    #[param(example = 50)]
    limit: Option<u32>,
    /// Those before this one: the `next` of the page before.
    #[serde(default)]
    before: Option<String>,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
struct DeliveryList {
    /// The latest first.
    deliveries: Vec<DeliveryView>,
    /// The `before` of the next page, if there is one.
    next: Option<String>,
}

/// What was delivered to a webhook, what waits and what failed: the latest first. Ended ones are kept as long as events.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "listDeliveries",
    params(("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68"), Page),
    responses((status = 200, description = "A page", body = DeliveryList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<DeliveryList>, ApiError> {
    whole(&caller)?;
    let page = paging::query(page, "`limit`, a number, and `before`, a delivery's id")?;
    let limit = Pages::USUAL.limit(page.limit)?;
    let read = |before: &str| Uuid::parse_str(before).map(DeliveryId).map_err(|_| "is no delivery's id");
    let before = paging::place("before", page.before.as_deref(), read)?;
    let (found, next) = app.cases.deliveries(caller.tenant(), &named(&id)?, before, limit).await?;
    let next = next.map(|last| last.to_string());
    Ok(Json(DeliveryList { deliveries: found.iter().map(DeliveryView::of).collect(), next }))
}

/// Try a delivery now, whatever became of it before.
#[utoipa::path(post, path = "/v1/webhooks/{id}/deliveries/{delivery}/retry", tag = "webhooks", operation_id = "retryDelivery",
    params(
        ("id" = String, Path, description = "The webhook's id", example = "b21f7c09e4d35a68"),
        ("delivery" = String, Path, description = "The delivery's id", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")
    ),
    responses(
        (status = 202, description = "It is due", body = DeliveryView),
        (status = 409, description = "`webhook_disabled`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn retry(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<(StatusCode, Json<DeliveryView>), ApiError> {
    whole(&caller)?;
    let id = named(&id)?;
    // What is no id is the id of no delivery.
    let delivery = DeliveryId(Uuid::parse_str(&delivery).unwrap_or_default());
    let again = app.cases.retry_delivery(caller.tenant(), &id, delivery).await?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::of(&again))))
}
