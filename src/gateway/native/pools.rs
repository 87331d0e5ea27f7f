//! `/v1/pools`

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use kurir_core::domain::PoolId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{MayControl, MayRead};
use super::error::ApiError;
use super::paging::{self, Pages};
use super::problem::{Problem, Problems};
use super::{App, Routes};
use crate::gateway::usecase::UseCaseError;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(one, delete))
}

/// A pool.
#[derive(Serialize, ToSchema)]
#[schema(as = Pool)]
struct PoolView {
    /// Its name.
    #[schema(example = "senders")]
    id: String,
    /// How many sessions belong to it.
    #[schema(example = 3)]
    sessions: u64,
}

/// A page of pools.
#[derive(Serialize, ToSchema)]
struct PoolList {
    /// In the order of their names.
    pools: Vec<PoolView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many at most, up to 200; 50 without it.
    #[serde(default)]
    #[param(example = 50)]
    limit: Option<u32>,
    /// Those after this name: the `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// The pools, a page at a time.
#[utoipa::path(get, path = "/v1/pools", tag = "pools", operation_id = "listPools", params(Page),
    responses((status = 200, description = "A page", body = PoolList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<PoolList>, ApiError> {
    caller.covers_pools()?;
    let page = paging::query(page, "`limit`, a number, and `after`, a pool's name")?;
    let limit = Pages::USUAL.limit(page.limit)?;
    let after = paging::place("after", page.after.as_deref(), PoolId::new)?;
    let page = app.cases.pools(caller.tenant(), after.as_ref(), limit).await?;
    let pools = page.pools.into_iter().map(|pool| PoolView { id: pool.id.to_string(), sessions: pool.sessions });
    Ok(Json(PoolList { pools: pools.collect(), next: page.next.map(|id| id.to_string()) }))
}

/// How much waits in a pool.
#[derive(Serialize, ToSchema)]
struct Waiting {
    /// One-time passwords, about.
    #[schema(example = 0)]
    otp: u64,
    /// Bulk messages, about.
    #[schema(example = 12)]
    bulk: u64,
}

/// A pool and what waits in it.
#[derive(Serialize, ToSchema)]
#[schema(as = PoolStanding)]
struct Standing {
    /// Its name.
    #[schema(example = "senders")]
    id: String,
    /// How many sessions belong to it.
    #[schema(example = 3)]
    sessions: u64,
    /// What waits for one of its sessions; messages that were put off are not counted.
    waiting: Waiting,
}

/// What can't be a pool's name is the name of no pool.
fn pool_id(text: &str) -> Result<PoolId, ApiError> {
    PoolId::new(text).map_err(|_| UseCaseError::NotFound { what: "pool", field: None }.into())
}

/// One pool.
#[utoipa::path(get, path = "/v1/pools/{id}", tag = "pools", operation_id = "getPool",
    params(("id" = String, Path, description = "The pool", example = "senders")),
    responses((status = 200, description = "The pool", body = Standing), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(id): Path<String>,
) -> Result<Json<Standing>, ApiError> {
    caller.covers_pools()?;
    let pool = app.cases.pool(caller.tenant(), &pool_id(&id)?).await?;
    let waiting = Waiting { otp: pool.otp, bulk: pool.bulk };
    Ok(Json(Standing { id: pool.record.id.to_string(), sessions: pool.record.sessions, waiting }))
}

/// Delete a pool that no session belongs to and in which nothing waits. Its name is free then. Messages that were put off (`delayed`) are
/// not counted; they become dead letters.
#[utoipa::path(delete, path = "/v1/pools/{id}", tag = "pools", operation_id = "deletePool",
    params(("id" = String, Path, description = "The pool", example = "senders")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 409, description = "`pool_in_use`: sessions belong to it; `pool_has_messages`: messages wait in it", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn delete(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    caller.covers_pools()?;
    let id = pool_id(&id)?;
    let (cases, tenant) = (app.cases.clone(), caller.tenant().clone());
    // In a task of its own, so that a caller who hangs up leaves no queues without a pool.
    let done = app.tasks.spawn(async move { cases.delete_pool(&tenant, &id).await });
    done.await.map_err(|_| super::sessions::ended_early())??;
    Ok(StatusCode::NO_CONTENT)
}
