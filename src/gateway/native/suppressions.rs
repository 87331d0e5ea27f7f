//! `/v1/suppressions`

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{Applied, Initiator, Suppression, SuppressionChange, SuppressionCursor};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{MayControl, MayRead};
use super::error::ApiError;
use super::paging::{self, Pages};
use super::problem::Problems;
use super::{App, Routes, body};
use crate::gateway::usecase::{BadWish, SuppressionWish};

/// The pages of the list.
const PAGES: Pages = Pages { most: 1000 };

/// Most numbers of one request.
const MAX_NUMBERS: usize = 1000;

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(suppress, list))
        .routes(routes!(one, put, remove))
        .routes(routes!(changes))
        .merge(super::suppression_files::routes())
}

/// A number that gets no bulk messages.
#[derive(Serialize, ToSchema)]
#[schema(as = Suppression)]
struct SuppressionView {
    /// The number, digits in international form.
    #[schema(example = "6281234567890")]
    number: String,
    /// Who put it there: `api`, `import`, or `reply` for the recipient himself.
    #[schema(example = "api")]
    source: &'static str,
    /// The id of the key, or the session that the reply came to.
    #[schema(example = "5f0c2a91d3e84b76")]
    by: String,
    /// Why; of a reply the word that was written.
    #[schema(example = "asked for it on the phone")]
    note: Option<String>,
    /// Since when it is there.
    #[schema(format = DateTime)]
    since: String,
}

impl SuppressionView {
    fn of(entry: &Suppression) -> Self {
        Self {
            number: entry.number.digits().to_owned(),
            source: entry.by.kind(),
            by: entry.by.name().to_owned(),
            note: entry.note.clone(),
            since: entry.since.to_rfc3339(),
        }
    }
}

/// Numbers to suppress.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Suppress)]
struct Suppress {
    /// 1 to 1000 of them, as people write them. All are checked before the first is put on the list.
    #[schema(example = json!(["+62 812-3456-7890", "0812-3456-7891"]))]
    numbers: Vec<String>,
    /// Why, at most 200 characters; the same for all of them.
    #[serde(default)]
    #[schema(example = "asked for it on the phone")]
    note: Option<String>,
}

/// What became of numbers to suppress.
#[derive(Serialize, ToSchema)]
#[schema(as = Suppressed)]
struct SuppressedView {
    /// How many are new on the list.
    #[schema(example = 2)]
    added: usize,
    /// How many were there for another reason.
    #[schema(example = 0)]
    changed: usize,
    /// How many were there just so.
    #[schema(example = 0)]
    unchanged: usize,
}

/// Counts what wishes have changed.
pub(super) fn counts(applied: &[Applied]) -> (usize, usize, usize) {
    let count = |kind| applied.iter().filter(|applied| **applied == kind).count();
    (count(Applied::Added), count(Applied::Changed), count(Applied::Same))
}

fn bad(field: impl Into<String>, message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", message).field(field)
}

/// Put numbers on the list: they get no bulk messages from now on.
#[utoipa::path(post, path = "/v1/suppressions", tag = "suppressions", operation_id = "suppressNumbers", request_body = Suppress,
    responses((status = 200, description = "All of them are on the list", body = SuppressedView), Problems))]
async fn suppress(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    request: Request,
) -> Result<Json<SuppressedView>, ApiError> {
    caller.covers_tenant()?;
    let Suppress { numbers, note } = body::read(request, app.body_limit).await?;
    if numbers.is_empty() || numbers.len() > MAX_NUMBERS {
        return Err(bad("numbers", format!("has 1 to {MAX_NUMBERS} numbers; more go by /v1/suppressions/import")));
    }
    let by = Initiator::Api(caller.key().id.clone());
    let wishes = numbers.into_iter().enumerate().map(|(at, number)| {
        let wish = SuppressionWish { number, note: note.clone() };
        app.cases.suppression_of(&by, wish).map_err(|BadWish { part, message }| match part {
            "number" => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_number", message).field(format!("numbers[{at}]"))
            }
            part => bad(part, message),
        })
    });
    let wishes = wishes.collect::<Result<Vec<_>, _>>()?;
    let (added, changed, unchanged) = counts(&app.cases.suppress(caller.tenant(), &wishes).await?);
    Ok(Json(SuppressedView { added, changed, unchanged }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many at most, up to 1000; 50 without it.
    #[serde(default)]
    #[param(example = 50)]
    limit: Option<u32>,
    /// Where to go on: the `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// A page of the list.
#[derive(Serialize, ToSchema)]
struct SuppressionList {
    /// In an order that says nothing.
    suppressions: Vec<SuppressionView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

/// The list, a page at a time.
#[utoipa::path(get, path = "/v1/suppressions", tag = "suppressions", operation_id = "listSuppressions", params(Page),
    responses((status = 200, description = "A page", body = SuppressionList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<SuppressionList>, ApiError> {
    caller.covers_tenant()?;
    let page = paging::query(page, "`limit`, a number, and `after`, the `next` of the page before")?;
    let limit = PAGES.limit(page.limit)?;
    let after = paging::place("after", page.after.as_deref(), str::parse::<SuppressionCursor>)?;
    let page = app.cases.suppressions(caller.tenant(), after, limit).await?;
    let suppressions = page.suppressions.iter().map(SuppressionView::of).collect();
    Ok(Json(SuppressionList { suppressions, next: page.next.map(|place| place.to_string()) }))
}

/// One number on the list.
#[utoipa::path(get, path = "/v1/suppressions/{number}", tag = "suppressions", operation_id = "getSuppression",
    params(("number" = String, Path, description = "The number, as people write it", example = "6281234567890")),
    responses((status = 200, description = "It is on the list", body = SuppressionView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(number): Path<String>,
) -> Result<Json<SuppressionView>, ApiError> {
    caller.covers_tenant()?;
    Ok(Json(SuppressionView::of(&app.cases.suppression(caller.tenant(), &number).await?)))
}

/// Why a number is put on the list.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SuppressionNote)]
struct Note {
    /// Why, at most 200 characters.
    #[serde(default)]
    #[schema(example = "asked for it on the phone")]
    note: Option<String>,
}

/// Put one number on the list.
#[utoipa::path(put, path = "/v1/suppressions/{number}", tag = "suppressions", operation_id = "suppressNumber",
    params(("number" = String, Path, description = "The number, as people write it", example = "6281234567890")),
    request_body(content = Option<Note>, example = json!({"note": "asked for it on the phone"})),
    responses(
        (status = 201, description = "It is new on the list", body = SuppressionView),
        (status = 200, description = "It was there", body = SuppressionView),
        Problems
    ))]
async fn put(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(number): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.covers_tenant()?;
    let Note { note } = body::read_or_default(request, app.body_limit).await?;
    let by = Initiator::Api(caller.key().id.clone());
    let wish = app.cases.suppression_of(&by, SuppressionWish { number, note });
    let wish = wish.map_err(|BadWish { part, message }| match part {
        "number" => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_number", message).field("number"),
        part => bad(part, message),
    })?;
    let applied = app.cases.suppress(caller.tenant(), std::slice::from_ref(&wish)).await?;
    let status = if applied == [Applied::Added] { StatusCode::CREATED } else { StatusCode::OK };
    // It may have been taken off again meanwhile; then this is what it was.
    let entry = app.cases.suppression(caller.tenant(), wish.number.digits()).await.unwrap_or(wish);
    Ok((status, Json(SuppressionView::of(&entry))).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Why {
    /// Why, at most 200 characters.
    #[serde(default)]
    #[param(example = "letter")]
    note: Option<String>,
}

/// Take a number off the list: it gets bulk messages again.
#[utoipa::path(delete, path = "/v1/suppressions/{number}", tag = "suppressions", operation_id = "releaseNumber",
    params(("number" = String, Path, description = "The number, as people write it", example = "6281234567890"), Why),
    responses((status = 200, description = "What was there", body = SuppressionView), Problems))]
async fn remove(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(number): Path<String>,
    why: Result<Query<Why>, QueryRejection>,
) -> Result<Json<SuppressionView>, ApiError> {
    caller.covers_tenant()?;
    let Why { note } = paging::query(why, "`note`")?;
    let by = Initiator::Api(caller.key().id.clone());
    Ok(Json(SuppressionView::of(&app.cases.release(caller.tenant(), by, &number, note).await?)))
}

/// One change of a number's entry.
#[derive(Serialize, ToSchema)]
#[schema(as = SuppressionChange)]
struct ChangeView {
    /// `added`, `changed` or `removed`.
    #[schema(example = "added")]
    act: &'static str,
    /// Who did it: `api`, `import`, or `reply` for the recipient himself.
    #[schema(example = "api")]
    source: &'static str,
    /// The id of the key, or the session that the reply came to.
    #[schema(example = "5f0c2a91d3e84b76")]
    by: String,
    /// Why; of a reply the word that was written.
    #[schema(example = "asked for it on the phone")]
    note: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    at: String,
}

/// What was done to a number's entry.
#[derive(Serialize, ToSchema)]
struct SuppressionChanges {
    /// The newest first, at most 1000.
    changes: Vec<ChangeView>,
}

fn change_view(change: &SuppressionChange) -> ChangeView {
    ChangeView {
        act: change.act.as_str(),
        source: change.by.kind(),
        by: change.by.name().to_owned(),
        note: change.note.clone(),
        at: change.at.to_rfc3339(),
    }
}

/// Who put a number on the list or took it off, when and why; also of one that is not there any more.
#[utoipa::path(get, path = "/v1/suppressions/{number}/audit", tag = "suppressions", operation_id = "auditSuppression",
    params(("number" = String, Path, description = "The number, as people write it", example = "6281234567890")),
    responses((status = 200, description = "Every change", body = SuppressionChanges), Problems))]
async fn changes(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(number): Path<String>,
) -> Result<Json<SuppressionChanges>, ApiError> {
    caller.covers_tenant()?;
    let changes = app.cases.suppression_changes(caller.tenant(), &number).await?;
    Ok(Json(SuppressionChanges { changes: changes.iter().map(change_view).collect() }))
}
