//! `/v1/verifications/prefixes`

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use kurir_core::domain::{PrefixId, PrefixRecord, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayAdmin};
use super::error::ApiError;
use super::paging::{self, Pages};
use super::problem::Problems;
use super::{App, Routes};
use crate::gateway::usecase::UseCaseError;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(list)).routes(routes!(unblock))
}

/// A prefix of numbers, and how many of its codes came back.
#[derive(Serialize, ToSchema)]
#[schema(as = Prefix)]
struct PrefixView {
    /// Names it.
    #[schema(example = "5d41402abc4b2a76b9719d911017c592")]
    id: String,
    /// The prefix: numbers without their last four digits.
    #[schema(example = "628123456")]
    prefix: String,
    /// Since when is counted.
    #[schema(format = DateTime)]
    since: String,
    /// Verifications begun since then.
    #[schema(example = 12)]
    begun: u32,
    /// Approved since then.
    #[schema(example = 9)]
    approved: u32,
    /// Ended without their code since then.
    #[schema(example = 2)]
    lost: u32,
    /// The share of the ended ones that were approved, 0 to 1; `null` before any has ended.
    #[schema(example = 0.82)]
    conversion: Option<f64>,
    /// Until when it gets no codes.
    #[schema(format = DateTime)]
    blocked_until: Option<String>,
}

impl PrefixView {
    fn of(record: &PrefixRecord, now: Timestamp) -> Self {
        let ended = f64::from(record.approved) + f64::from(record.lost);
        Self {
            id: record.id.to_string(),
            prefix: record.prefix.digits().to_owned(),
            since: record.since.to_rfc3339(),
            begun: record.begun,
            approved: record.approved,
            lost: record.lost,
            conversion: (ended > 0.0).then(|| f64::from(record.approved) / ended),
            blocked_until: record.blocked(now).map(Timestamp::to_rfc3339),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many at most, up to 200; 50 without it.
    #[serde(default)]
    #[param(example = 50)]
    limit: Option<u32>,
    /// Those after this id: the `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// A page of prefixes.
#[derive(Serialize, ToSchema)]
struct PrefixList {
    /// In the order of their ids.
    prefixes: Vec<PrefixView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

/// Numbers of all sessions are behind a prefix.
pub(super) fn whole(caller: &Caller) -> Result<(), ApiError> {
    if caller.key().sessions.is_none() {
        return Ok(());
    }
    let detail = "this key is good for some sessions only, and this is the tenant's";
    Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", detail))
}

/// The prefixes that codes went to, and which of them are blocked.
#[utoipa::path(get, path = "/v1/verifications/prefixes", tag = "verifications", operation_id = "listPrefixes", params(Page),
    responses((status = 200, description = "A page", body = PrefixList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<PrefixList>, ApiError> {
    whole(&caller)?;
    let page = paging::query(page, "`limit`, a number, and `after`, an id")?;
    let limit = Pages::USUAL.limit(page.limit)?;
    let after =
        paging::place("after", page.after.as_deref(), |after| after.parse::<PrefixId>().map_err(|_| "is no id"))?;
    let page = app.cases.prefixes(caller.tenant(), after, limit).await?;
    let now = app.clock.now();
    let prefixes = page.prefixes.iter().map(|record| PrefixView::of(record, now)).collect();
    Ok(Json(PrefixList { prefixes, next: page.next.map(|id| id.to_string()) }))
}

/// Let a prefix have codes again. Its counts begin anew.
#[utoipa::path(delete, path = "/v1/verifications/prefixes/{id}/block", tag = "verifications", operation_id = "unblockPrefix",
    params(("id" = String, Path, description = "The prefix", example = "5d41402abc4b2a76b9719d911017c592")),
    responses((status = 200, description = "It is not blocked, whether or not it was", body = PrefixView), Problems))]
async fn unblock(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
) -> Result<Json<PrefixView>, ApiError> {
    let id: PrefixId = id.parse().map_err(|_| UseCaseError::NotFound { what: "prefix", field: None })?;
    whole(&caller)?;
    let record = app.cases.unblock_prefix(caller.tenant(), id).await?;
    Ok(Json(PrefixView::of(&record, app.clock.now())))
}
