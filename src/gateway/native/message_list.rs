//! `GET /v1/messages`: messages by what callers look for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use kurir_core::domain::{BatchId, FailReason, JobId, Lane, MessageState, PhoneError, SessionId, Timestamp};
use kurir_core::port::{MessageFilter, MessagePlace};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayRead};
use super::error::ApiError;
use super::message_view::MessageView;
use super::paging::{self, Pages};
use super::problem::Problems;
use super::{App, Routes};
use crate::gateway::usecase::UseCaseError;

/// What stands before the name of one of the caller's own words.
const METADATA: &str = "metadata.";

/// Most of the caller's own words that can be asked for: no message has more.
const MOST_WORDS: usize = 16;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(list))
}

/// Which messages, and which page of them.
#[derive(Deserialize, IntoParams)]
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
    #[serde(flatten)]
    #[param(ignore)]
    others: Others,
}

/// What has no name of its own in the query: names and values, in order.
#[derive(Default)]
struct Others(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Others;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Others, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = access.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Others(pairs))
            }
        }
        input.deserialize_map(Pairs)
    }
}

/// The caller's own words that are asked for.
fn metadata(Others(pairs): Others) -> Result<BTreeMap<String, String>, ApiError> {
    let mut metadata = BTreeMap::new();
    for (name, value) in pairs {
        let Some(key) = name.strip_prefix(METADATA) else { return Err(paging::bad_query(TAKES)) };
        if metadata.insert(key.to_owned(), value).is_some() {
            return Err(bad("metadata", "the same name is asked for twice"));
        }
    }
    if metadata.len() > MOST_WORDS {
        return Err(bad("metadata", format!("a message has at most {MOST_WORDS} of them")));
    }
    Ok(metadata)
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
struct MessageList {
    /// The newest first, without their histories.
    messages: Vec<MessageView>,
    /// The `after` of the next page, if there is one.
    next: Option<String>,
}

/// What the query takes.
const TAKES: &str = "state, session, lane, to, batch, since, until, metadata.<name>, limit (a number) and after";

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

pub(in crate::gateway) fn place_text(place: MessagePlace) -> String {
    format!("{}.{}", place.at.as_millis(), place.job)
}

pub(in crate::gateway) fn place(text: &str) -> Result<MessagePlace, &'static str> {
    let read = || {
        let (at, job) = text.split_once('.')?;
        Some(MessagePlace { at: Timestamp::from_millis(at.parse().ok()?), job: job.parse::<JobId>().ok()? })
    };
    read().ok_or("not the `next` of a page")
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
        metadata: metadata(look.others)?,
        since: moment("since", look.since)?,
        until: moment("until", look.until)?,
    })
}

/// The messages, a page at a time, the newest first.
#[utoipa::path(get, path = "/v1/messages", tag = "messages", operation_id = "listMessages",
    params(
        Look,
        ("metadata.<name>" = Option<String>, Query, description = "With exactly this value under this name in their `metadata`, \
          like `metadata.order=77`; may be given for several names, for those that have all of them")
    ),
    responses((status = 200, description = "A page", body = MessageList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    look: Result<Query<Look>, QueryRejection>,
) -> Result<Json<MessageList>, ApiError> {
    let look = paging::query(look, TAKES)?;
    let limit = Pages::USUAL.limit(look.limit)?;
    let before = paging::place("after", look.after.as_deref(), place)?;
    let filter = filter(&app, &caller, look)?;
    let page = app.cases.messages(&filter, before, limit).await?;
    let messages = page.messages.into_iter().map(MessageView::brief).collect();
    Ok(Json(MessageList { messages, next: page.next.map(place_text) }))
}
