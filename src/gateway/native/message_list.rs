//! `GET /v1/messages`: messages by what callers look for.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use kurir_core::domain::{BatchId, FailReason, JobId, Lane, MessageState, PhoneError, SessionId, Timestamp};
use kurir_core::port::{MessageFilter, MessagePlace};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayRead};
use super::error::ApiError;
use super::message_view::MessageView;
use super::problem::Problems;
use super::{App, Routes};
use crate::gateway::usecase::UseCaseError;

/// Messages of one page: without a wish, and at most.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(list))
}

/// Which messages, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Look {
    /// In one of these states, separated by commas.
    #[serde(default)]
    #[param(example = "queued,delayed,sending")]
    state: Option<String>,
    /// Of this session.
    #[serde(default)]
    #[param(example = "toko-1")]
    session: Option<String>,
    /// `otp` or `bulk`.
    #[serde(default)]
    #[param(example = "bulk")]
    lane: Option<String>,
    /// To this number, as people write it.
    #[serde(default)]
    #[param(example = "6281234567890")]
    to: Option<String>,
    /// Of this batch.
    #[serde(default)]
    #[param(format = "uuid")]
    batch: Option<String>,
    /// Taken at this moment or later.
    #[serde(default)]
    #[param(format = DateTime, example = "2026-01-31T00:00:00Z")]
    since: Option<String>,
    /// Taken before this moment.
    #[serde(default)]
    #[param(format = DateTime, example = "2030-02-01T00:00:00Z")]
    until: Option<String>,
    /// How many at most, up to 200; 50 without it.
    #[serde(default)]
    #[param(example = 50)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
struct MessageList {
    /// The newest first, without their histories.
    messages: Vec<MessageView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

fn bad(field: &'static str, message: impl Into<String>) -> ApiError {
    UseCaseError::field(field, message).into()
}

/// What is left out, or empty, is not asked for.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn moment(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let read = |text: String| {
        Timestamp::parse_rfc3339(&text)
            .ok_or_else(|| bad(field, "not a moment of RFC 3339, like 2026-01-31T12:00:00Z; write its + as %2B"))
    };
    given(text).map(read).transpose()
}

fn bad_number(error: &PhoneError) -> ApiError {
    UseCaseError::Field { field: "to", reason: FailReason::BadNumber, message: error.to_string() }.into()
}

/// The sessions that a caller may look at, of those that are asked for.
pub(super) fn seen_by(caller: &Caller, asked: Option<SessionId>) -> Option<Vec<SessionId>> {
    match (&caller.key().sessions, asked) {
        (None, asked) => asked.map(|session| vec![session]),
        (Some(own), None) => Some(own.iter().cloned().collect()),
        (Some(own), Some(asked)) => Some(own.iter().filter(|session| **session == asked).cloned().collect()),
    }
}

fn place_text(place: MessagePlace) -> String {
    format!("{}.{}", place.at.as_millis(), place.job)
}

fn place(text: &str) -> Result<MessagePlace, ApiError> {
    let read = || {
        let (at, job) = text.split_once('.')?;
        Some(MessagePlace { at: Timestamp::from_millis(at.parse().ok()?), job: job.parse::<JobId>().ok()? })
    };
    read().ok_or_else(|| bad("after", "not the `next` of a page"))
}

fn filter(app: &App, caller: &Caller, look: Look) -> Result<MessageFilter, ApiError> {
    let states = given(look.state).map(|states| {
        let known = |word: &str| MessageState::parse(word.trim());
        states.split(',').map(known).collect::<Option<Vec<_>>>().ok_or_else(|| bad("state", "not a state of messages"))
    });
    let session = given(look.session).map(SessionId::new).transpose();
    let session = session.map_err(|error| bad("session", error.to_string()))?;
    let lane = given(look.lane).map(|lane| {
        Lane::ALL.into_iter().find(|known| known.as_str() == lane).ok_or_else(|| bad("lane", "is `otp` or `bulk`"))
    });
    let recipient = given(look.to).map(|to| app.cases.number(&to)).transpose();
    let batch = given(look.batch).map(|batch| batch.parse::<BatchId>()).transpose();
    Ok(MessageFilter {
        tenant: caller.tenant().clone(),
        states: states.transpose()?,
        sessions: seen_by(caller, session),
        lane: lane.transpose()?,
        recipient: recipient.map_err(|error| bad_number(&error))?,
        batch: batch.map_err(|_| bad("batch", "not the id of a batch, which is a UUID"))?,
        since: moment("since", look.since)?,
        until: moment("until", look.until)?,
    })
}

/// The messages, a page at a time, the newest first.
#[utoipa::path(get, path = "/v1/messages", tag = "messages", operation_id = "listMessages", params(Look),
    responses((status = 200, description = "A page", body = MessageList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    look: Result<Query<Look>, QueryRejection>,
) -> Result<Json<MessageList>, ApiError> {
    let wrong = "the query takes state, session, lane, to, batch, since, until, limit (a number) and after";
    let Query(look) =
        look.map_err(|_| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", wrong.to_owned()))?;
    let limit = look.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad("limit", format!("must be from 1 to {MAX_PAGE}")));
    }
    let before = look.after.as_deref().filter(|after| !after.is_empty()).map(place).transpose()?;
    let filter = filter(&app, &caller, look)?;
    let page = app.cases.messages(&filter, before, limit).await?;
    let messages = page.messages.into_iter().map(MessageView::brief).collect();
    Ok(Json(MessageList { messages, next: page.next.map(place_text) }))
}
