//! Phones: what they show, what they write, how they behave.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::accounts::digits_of;
use super::http::{Control, Routes, Shared, apart, page_size};
use super::input::{Json, Path, Query};
use super::problem::{Failure, Problems};
use super::timeline::{self, Timeline};
use crate::account::{Account, PhoneNumber};
use crate::operations::{self, PhonePage, PhoneView};
use crate::phone::{InboxMessage, PhoneBehaviour};
use crate::server;

/// Characters of a message in a list of phones.
const PREVIEW: usize = 80;

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(list))
        .routes(routes!(phone, set_phone))
        .routes(routes!(behaviour))
        .routes(routes!(inbox))
        .routes(routes!(messages))
        .routes(routes!(send))
        .routes(routes!(inboxes))
}

/// A phone in a list.
#[derive(Serialize, ToSchema)]
struct PhoneSummary {
    /// The number.
    number: PhoneNumber,
    /// Messages that the phone shows.
    messages: usize,
    /// How many of them arrived more than once.
    repeated: usize,
    /// Messages that its owner wrote, on the phone or on a linked device.
    sent: usize,
    /// When the last thing happened, in milliseconds since 1970.
    last_at: u64,
    /// How the last message begins, if it is a text.
    last_text: Option<String>,
}

/// Part of all phones that have something to show.
#[derive(Serialize, ToSchema)]
struct PhoneList {
    /// The phones.
    phones: Vec<PhoneSummary>,
    /// How many phones there are that fit the search.
    total: usize,
}

/// The order of a list of phones.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// What happened last comes first.
    #[default]
    Recent,
    /// By number.
    Number,
}

/// Which phones.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only numbers that contain these digits.
    #[param(example = "1230002")]
    search: Option<String>,
    /// The order of the list.
    #[serde(default)]
    #[param(inline, example = "recent")]
    order: Order,
    /// How many to leave out at the beginning.
    #[serde(default)]
    #[param(example = 0)]
    offset: usize,
    /// At most so many; 100 when absent.
    #[param(example = 50, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

fn summary(account: &Account) -> Option<PhoneSummary> {
    let phone = account.phone();
    let (inbox, copies, written) = (phone.messages(), phone.copies(), phone.outgoing());
    let last = [
        inbox.last().map(|message| (message.first_at, message.text.as_deref())),
        copies.last().map(|copy| (copy.at, copy.text.as_deref())),
        written.last().map(|message| (message.at, Some(message.text.as_str()))),
    ];
    let (last_at, text) = last.into_iter().flatten().max_by_key(|(at, _)| *at)?;
    Some(PhoneSummary {
        number: account.number,
        messages: inbox.len(),
        repeated: inbox.iter().filter(|message| message.arrivals > 1).count(),
        sent: copies.len() + written.len(),
        last_at,
        last_text: text.map(|text| text.chars().take(PREVIEW).collect()),
    })
}

fn find(control: &Control, wanted: &Wanted) -> PhoneList {
    let digits = digits_of(wanted.search.as_deref());
    let all = control.world.registry.all();
    let fitting = all.iter().filter(|account| digits.is_empty() || account.number.to_string().contains(&digits));
    let mut phones: Vec<_> = fitting.filter_map(|account| summary(account)).collect();
    if let Order::Recent = wanted.order {
        phones.sort_by_key(|phone| std::cmp::Reverse(phone.last_at));
    }
    let total = phones.len();
    phones.drain(..wanted.offset.min(total));
    phones.truncate(page_size(wanted.limit));
    PhoneList { phones, total }
}

/// Phones that have something to show.
#[utoipa::path(get, path = "/phones", tag = "phones", params(Wanted),
    responses((status = 200, body = PhoneList), Problems))]
async fn list(State(control): Shared, Query(wanted): Query<Wanted>) -> Result<Json<PhoneList>, Failure> {
    Ok(Json(apart(move || find(&control, &wanted)).await?))
}

/// One phone with all that it shows. An untouched one is empty.
#[utoipa::path(get, path = "/phones/{number}", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")),
    responses((status = 200, body = PhoneView), Problems))]
async fn phone(State(control): Shared, Path(number): Path<PhoneNumber>) -> Json<PhoneView> {
    Json(operations::phone(&control.world, number))
}

/// Change how a phone behaves. What is not given goes back to the simulator's rule.
#[utoipa::path(put, path = "/phones/{number}", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")),
    request_body(content = PhoneBehaviour, examples(
        ("slow" = (summary = "Reads a message after two seconds",
            value = json!({ "delivered_after_ms": 500, "read_after_ms": 2000 }))),
        ("usual" = (summary = "As all others again", value = json!({}))),
    )),
    responses((status = 204, description = "It behaves so from now on"), Problems))]
async fn set_phone(
    State(control): Shared,
    Path(number): Path<PhoneNumber>,
    Json(behaviour): Json<PhoneBehaviour>,
) -> Result<StatusCode, Failure> {
    operations::set_phone(&control.world, number, behaviour)?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a phone behaves, where it differs from the simulator's rule.
#[utoipa::path(get, path = "/phones/{number}/behaviour", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")),
    responses((status = 200, body = PhoneBehaviour), Problems))]
async fn behaviour(State(control): Shared, Path(number): Path<PhoneNumber>) -> Json<PhoneBehaviour> {
    Json(control.world.registry.get(number).map(|account| account.phone().behaviour).unwrap_or_default())
}

/// The messages that arrived at a phone, the oldest first.
#[utoipa::path(get, path = "/phones/{number}/inbox", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")),
    responses((status = 200, body = [InboxMessage]), Problems))]
async fn inbox(State(control): Shared, Path(number): Path<PhoneNumber>) -> Json<Vec<InboxMessage>> {
    Json(operations::phone(&control.world, number).inbox)
}

/// Which part of a phone's messages.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// The `before` of the part that follows this one; the end when absent.
    #[param(value_type = Option<String>, example = "12.0.3")]
    before: Option<timeline::Cursor>,
    /// At most so many; 100 when absent.
    #[param(example = 50, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What a phone received and what its owner wrote, in one sequence, from its end backwards.
#[utoipa::path(get, path = "/phones/{number}/messages", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002"), Part),
    responses((status = 200, body = Timeline), Problems))]
async fn messages(
    State(control): Shared,
    Path(number): Path<PhoneNumber>,
    Query(Part { before, limit }): Query<Part>,
) -> Json<Timeline> {
    let account = control.world.registry.get(number);
    Json(account.map_or_else(Timeline::default, |account| timeline::read(&account.phone(), before, page_size(limit))))
}

/// A text that a phone's owner writes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Send {
    /// The account that gets it.
    to: PhoneNumber,
    /// The text.
    #[schema(example = "hello")]
    text: String,
}

/// A message that was sent.
#[derive(Serialize, ToSchema)]
pub(super) struct SentMessage {
    /// Its id.
    pub id: String,
}

/// A phone's owner writes a text, to a phone and its linked devices.
#[utoipa::path(post, path = "/phones/{number}/send", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")), request_body = Send,
    responses((status = 200, body = SentMessage), Problems))]
async fn send(
    State(control): Shared,
    Path(from): Path<PhoneNumber>,
    Json(Send { to, text }): Json<Send>,
) -> Result<Json<SentMessage>, Failure> {
    let id = server::send_text(&control.world, from, to, &text).await?;
    Ok(Json(SentMessage { id }))
}

/// Which phones, with all that they show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Paging {
    /// Only those after this number: the `next` of the page before.
    after: Option<PhoneNumber>,
    /// At most so many; 100 when absent.
    #[param(example = 50, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Phones with all that they show, by number. To audit a run, read all pages.
#[utoipa::path(get, path = "/inboxes", tag = "phones", params(Paging),
    responses((status = 200, body = PhonePage), Problems))]
async fn inboxes(State(control): Shared, Query(paging): Query<Paging>) -> Result<Json<PhonePage>, Failure> {
    let Paging { after, limit } = paging;
    Ok(Json(apart(move || operations::phones(&control.world, after, page_size(limit))).await?))
}
