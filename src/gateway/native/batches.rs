//! `/v1/messages/batch`, `/v1/messages/csv`, `/v1/batches`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{BatchId, MessageState, RequestSeed, SessionId};
use kurir_core::port::MessageFilter;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayRead, MaySend};
use super::error::ApiError;
use super::idempotency::seed_of;
use super::message_list::seen_by;
use super::messages::{self, to_enqueue};
use super::problem::{Problem, Problems, RowProblem};
use super::schemas::ContentSchema;
use super::sessions::ended_early;
use super::{App, Routes, body, csv_rows};
use crate::gateway::usecase::{Batch, Enqueue, Rows, Texts, UseCaseError, Wording};

/// Most rows of a batch.
pub(super) const MOST_ROWS: usize = 10_000;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(batch)).routes(routes!(csv)).routes(routes!(one)).routes(routes!(cancel))
}

/// Messages to send together.
#[derive(Deserialize)]
struct Many {
    messages: Vec<Value>,
    /// What holds for all of them.
    #[serde(flatten)]
    common: Map<String, Value>,
}

/// Messages to send together. What stands beside `messages` holds for every message that does not have it itself.
#[derive(ToSchema)]
#[schema(as = NewBatch)]
#[expect(dead_code, reason = "it only describes")]
struct ManySchema {
    /// Up to 10,000 of them, each as for `sendMessage`, but for what refers to another message (answers, reactions, edits, deletions)
    /// and files that were uploaded (give their `url`): these go one by one.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<Value>,
    /// The session that is to send them; without this and `pool` the default session.
    session: Option<String>,
    /// The pool of which any session may send them.
    pool: Option<String>,
    /// `otp` or `bulk`.
    lane: Option<String>,
    /// What they say.
    #[schema(value_type = Option<ContentSchema>)]
    content: Option<Value>,
    /// Their deadline in seconds from now.
    ttl: Option<u32>,
    /// Their deadline.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// The caller's own words.
    metadata: Option<BTreeMap<String, String>>,
}

/// Whether a batch is taken as a whole.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Whole {
    /// Refuse all messages if one of them is bad. A queue that stops answering halfway (`not_queued`) is no bad message.
    #[serde(default)]
    #[param(example = true)]
    atomic: bool,
}

/// What became of one message of a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchRow)]
struct RowView {
    /// Its place in the request, from 0.
    #[schema(example = 0)]
    index: usize,
    /// Its line in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// Its id, if it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    id: Option<String>,
    /// Where it stands, if it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "queued")]
    state: Option<&'static str>,
    /// Whether it was taken before, under the same id.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    known: bool,
    /// Why it was refused, as in a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Which field is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A batch that was taken.
#[derive(Serialize, ToSchema)]
#[schema(as = TakenBatch)]
struct TakenView {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// How many messages were taken.
    #[schema(example = 2)]
    accepted: usize,
    /// How many were refused.
    #[schema(example = 0)]
    refused: usize,
    /// What became of each message, in order.
    messages: Vec<RowView>,
}

/// A batch.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
struct BatchView {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// How many messages there are of it. Those that have ended are forgotten after a while (`relay.remember`).
    #[schema(example = 2)]
    total: u64,
    /// How many of them stand in each state.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({"queued": 2}))]
    counts: BTreeMap<&'static str, u64>,
    /// Whether none of them may still be sent.
    #[schema(example = false)]
    ended: bool,
    /// How many this request cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<u64>,
}

impl BatchView {
    fn of(id: BatchId, counts: &[(MessageState, u64)], cancelled: Option<u64>) -> Self {
        Self {
            id: id.to_string(),
            total: counts.iter().map(|(_, count)| count).sum(),
            counts: counts.iter().map(|(state, count)| (state.as_str(), *count)).collect(),
            ended: !counts.iter().any(|(state, _)| state.is_open()),
            cancelled,
        }
    }
}

/// Send many messages: a bad one does not stop the others. They share commits, so that 10,000 take seconds. They name at most 100 templates. Under an `Idempotency-Key` a repetition completes what a gateway that died
/// has left undone.
#[utoipa::path(post, path = "/v1/messages/batch", tag = "messages", operation_id = "sendBatch",
    request_body(content = ManySchema, examples(
        ("one text" = (summary = "The same text to many", value = json!({
            "session": "toko-1", "content": {"type": "text", "text": "Toko buka lagi."},
            "messages": [{"to": "0812-3456-7890"}, {"to": "+62 812 3456 7891"}]
        }))),
        ("texts" = (summary = "A text of its own for each", value = json!({
            "messages": [
                {"session": "toko-1", "to": "6281234567890", "content": {"type": "text", "text": "Halo Sari"}},
                {"session": "toko-1", "to": "6281234567891", "content": {"type": "text", "text": "Halo Budi"}}
            ]
        }))),
        ("named" = (summary = "A template by its name, for the default session", value = json!({
            "messages": [
                {"to": "6281234567890", "content": {"type": "template", "name": "notification", "locale": "en",
                    "values": {"title": "Order 77", "message": "It is on its way."}}},
                {"to": "6281234567891", "content": {"type": "template", "name": "notification", "locale": "id",
                    "values": {"title": "Pesanan 78", "message": "Sudah dikirim."}}}
            ]
        })))
    )),
    params(Whole),
    responses(
        (status = 202, description = "Those that are good are queued; `Location` has the batch", body = TakenView),
        (status = 422, description = "`batch_refused`: no message was taken, `rows` says why (the first 100); `idempotency_key_reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`queue_full`: nothing was stored", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`batch_unfinished`: a part was taken, send the same request again under the same `Idempotency-Key`; `not_queued`, `unavailable`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn batch(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    whole: Result<Query<Whole>, QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(Whole { atomic }) = whole.map_err(|_| bad("atomic", "the query takes `atomic`, true or false"))?;
    let seed = seed_of(&request);
    let Many { messages, common } = body::read(request, app.messages.batch_body_limit).await?;
    let count = messages.len();
    let contents = messages.iter().filter_map(|row| row.get("content"));
    let named = contents.chain(common.get("content")).filter_map(Wording::template_in).map(str::to_owned).collect();
    let shared = Shared::of(&app, &caller, named).await?;
    let row = move |caller: &Caller, at: usize| shared.enqueue(caller, row_of(&common, &messages[at])?);
    take(&app, &caller, seed, Asked { count, row, atomic, lines: None }).await
}

/// Send a message to every line of a CSV file: the column `to` has the number, the others are values for the placeholders of
/// the text, or of the template, which the query names, or the columns `template` and `locale` of a line. Columns that it has
/// no place for are left out.
#[utoipa::path(post, path = "/v1/messages/csv", tag = "messages", operation_id = "sendCsv",
    request_body(content((String = "text/csv", example = "to,nama\n0812-3456-7890,Sari\n6281234567891,Budi\n"),
        (csv_rows::Form = "multipart/form-data")),
        description = "A header row and up to 10,000 lines"),
    params(csv_rows::Plan),
    responses(
        (status = 202, description = "Those that are good are queued; `Location` has the batch", body = TakenView),
        (status = 415, description = "`not_csv`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`bad_csv`: it can't be read; `batch_refused`: no message was taken, `rows` says why (the first 100)", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`queue_full`: nothing was stored", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`batch_unfinished`: a part was taken, send the same request again under the same `Idempotency-Key`; `not_queued`, `unavailable`", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn csv(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    plan: Result<Query<csv_rows::Plan>, QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let words = "the query takes session, pool, lane, text, template, locale, ttl (seconds), expires_at and atomic";
    let Query(plan) = plan.map_err(|_| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", words))?;
    let seed = seed_of(&request);
    let sheet = csv_rows::read(request, plan, app.messages.batch_body_limit).await?;
    let (count, lines, atomic) = (sheet.count(), sheet.lines(), sheet.is_atomic());
    let shared = Shared::of(&app, &caller, sheet.templates()).await?;
    let row = move |caller: &Caller, at: usize| shared.enqueue(caller, sheet.row(at)?);
    take(&app, &caller, seed, Asked { count, row, atomic, lines: Some(lines) }).await
}

fn bad(field: &'static str, message: &str) -> ApiError {
    UseCaseError::field(field, message).into()
}

/// A row of a batch, with what holds for all of them.
fn row_of(common: &Map<String, Value>, row: &Value) -> Result<messages::Send, UseCaseError> {
    let Value::Object(row) = row else { return Err(UseCaseError::field("messages", "not an object")) };
    let mut row = row.clone();
    // Of each pair one is given; a row's own word counts.
    let taken = |name: &str| match name {
        "session" | "pool" => row.contains_key("session") || row.contains_key("pool"),
        "ttl" | "expires_at" => row.contains_key("ttl") || row.contains_key("expires_at"),
        other => row.contains_key(other),
    };
    let missing: Vec<_> = common.iter().filter(|(name, _)| !taken(name)).collect();
    row.extend(missing.into_iter().map(|(name, value)| (name.clone(), value.clone())));
    body::of_value(Value::Object(row))
}

/// What rows need of the store, looked up once for all of them.
struct Shared {
    texts: Texts,
    /// The session that sends where none is named.
    default: Option<SessionId>,
}

impl Shared {
    async fn of(app: &App, caller: &Caller, templates: BTreeSet<String>) -> Result<Self, UseCaseError> {
        let texts = app.cases.texts(caller.tenant(), templates).await?;
        Ok(Self { texts, default: app.cases.default_session(caller.tenant()).await? })
    }

    fn enqueue(&self, caller: &Caller, mut send: messages::Send) -> Result<Enqueue, UseCaseError> {
        if send.session.is_none() && send.pool.is_none() {
            send.session = self.default.as_ref().map(ToString::to_string);
        }
        let content = self.texts.content_of(send.content.clone())?;
        to_enqueue(caller, send, content)
    }
}

/// What a request asks for.
struct Asked<R> {
    count: usize,
    row: R,
    atomic: bool,
    /// The lines of a file's rows.
    lines: Option<Vec<u64>>,
}

async fn take<R>(
    app: &Arc<App>,
    caller: &Caller,
    seed: Option<RequestSeed>,
    Asked { count, row, atomic, lines }: Asked<R>,
) -> Result<Response, ApiError>
where
    R: Fn(&Caller, usize) -> Result<Enqueue, UseCaseError> + Send + Sync + 'static,
{
    if count == 0 || count > MOST_ROWS {
        return Err(bad("messages", &format!("a batch has 1 to {MOST_ROWS} messages, this one has {count}")));
    }
    let seed = seed.unwrap_or_else(|| RequestSeed(app.entropy.nonce().to_be_bytes()));
    let (cases, tenant, batch) = (app.cases.clone(), caller.tenant().clone(), seed.batch());
    let caller = caller.clone();
    let row = move |at: usize| -> Result<Enqueue, UseCaseError> {
        let mut row = row(&caller, at)?;
        row.id = row.id.or_else(|| Some(seed.job(at)));
        row.batch = Some(batch);
        Ok(row)
    };
    // In a task of its own: between the ledger and the queue nothing may stop because a caller hangs up.
    let done = app.tasks.spawn(async move { cases.enqueue_many(&tenant, Batch { count, row, atomic }).await });
    let rows = done.await.map_err(|_| ended_early())??;
    answer(batch, rows, lines.as_deref())
}

fn answer(batch: BatchId, rows: Rows, lines: Option<&[u64]>) -> Result<Response, ApiError> {
    let total = rows.len();
    let line = |at: usize| lines.and_then(|lines| lines.get(at)).copied();
    let views: Vec<_> = rows.into_iter().enumerate().map(|(at, row)| view(at, line(at), row)).collect();
    let accepted = views.iter().filter(|row| row.id.is_some()).count();
    if accepted == 0 {
        return Err(all_refused(views));
    }
    let place = format!("/v1/batches/{batch}");
    let view = TakenView { id: batch.to_string(), accepted, refused: total - accepted, messages: views };
    let mut response = (StatusCode::ACCEPTED, Json(view)).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn view(index: usize, line: Option<u64>, row: Result<crate::gateway::usecase::Taken, UseCaseError>) -> RowView {
    let empty = RowView { index, line, id: None, state: None, known: false, code: None, field: None, detail: None };
    match row {
        Ok(taken) => {
            RowView { id: Some(taken.id.to_string()), state: Some(taken.state.as_str()), known: taken.known, ..empty }
        }
        Err(error) => {
            let ApiError { code, field, detail, .. } = error.into();
            RowView { code: Some(code), field, detail: Some(detail), ..empty }
        }
    }
}

/// The problem of a batch of which nothing was taken.
fn all_refused(rows: Vec<RowView>) -> ApiError {
    const TOLD: usize = 100;
    // If all have failed for the same want of a queue, that is the problem.
    let failed = rows.first().and_then(|row| row.code).filter(|code| rows.iter().all(|row| row.code == Some(*code)));
    if let Some(code @ ("not_queued" | "unsettled")) = failed {
        let error = if code == "not_queued" { UseCaseError::NotQueued } else { UseCaseError::Unsettled };
        return error.into();
    }
    let bad = rows.iter().filter(|row| row.code != Some("others_bad")).count();
    let detail = format!("no message was taken: {bad} of {} are bad", rows.len());
    let mut error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "batch_refused", detail);
    let told = rows.into_iter().filter(|row| row.code != Some("others_bad")).take(TOLD);
    error.rows = told
        .map(|row| RowProblem {
            index: row.index,
            line: row.line,
            code: row.code.unwrap_or("internal"),
            field: row.field,
            detail: row.detail.unwrap_or_default(),
        })
        .collect();
    error
}

/// What can't be a batch's id is the id of no batch.
fn named(id: &str) -> Result<BatchId, UseCaseError> {
    id.parse().map_err(|_| UseCaseError::NotFound { what: "batch", field: None })
}

/// The messages of a batch that a caller may look at.
fn own(caller: &Caller, batch: BatchId) -> MessageFilter {
    MessageFilter { batch: Some(batch), sessions: seen_by(caller, None), ..MessageFilter::of(caller.tenant().clone()) }
}

/// How far a batch has come. Its messages are listed by `GET /v1/messages?batch=…`.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "messages", operation_id = "getBatch",
    params(("id" = String, Path, description = "The batch", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0fba7c")),
    responses((status = 200, description = "How many messages stand in each state", body = BatchView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(id): Path<String>,
) -> Result<Json<BatchView>, ApiError> {
    let id = named(&id)?;
    let counts = app.cases.batch_counts(&own(&caller, id)).await?;
    Ok(Json(BatchView::of(id, &counts, None)))
}

/// Take back all messages of a batch that are not on the wire yet.
#[utoipa::path(post, path = "/v1/batches/{id}/cancel", tag = "messages", operation_id = "cancelBatch",
    params(("id" = String, Path, description = "The batch", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0fba7c")),
    responses((status = 200, description = "What could be taken back is never sent", body = BatchView), Problems))]
async fn cancel(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
) -> Result<Json<BatchView>, ApiError> {
    let id = named(&id)?;
    let filter = own(&caller, id);
    app.cases.batch_counts(&filter).await?;
    let (cases, waiting) = (app.cases.clone(), filter.clone());
    let done = app.tasks.spawn(async move { cases.cancel_batch(&waiting, id).await });
    let cancelled = done.await.map_err(|_| ended_early())??;
    let counts = app.cases.batch_counts(&filter).await?;
    Ok(Json(BatchView::of(id, &counts, Some(cancelled))))
}
