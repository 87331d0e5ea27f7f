//! The list of messages, and looking for one.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use kurir_core::domain::{Lane, LedgerEntry, MessageState, SessionId};
use kurir_core::port::MessageFilter;
use maud::{Markup, html};
use serde::Deserialize;

use super::guard::{MayLook, SignedIn};
use super::language::Language;
use super::message_words as said;
use super::page::{Frame, Section, encoded};
use super::refusal::Answer;
use super::words::{self, moment};
use crate::gateway::app::App;
use crate::gateway::native::{message_place, message_place_text};

/// Messages of one page.
const PAGE: u32 = 50;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/messages", get(list)).route("/admin/messages/fragment", get(fragment))
}

/// What is looked for.
#[derive(Default, Deserialize)]
struct Look {
    to: Option<String>,
    id: Option<String>,
    state: Option<String>,
    session: Option<String>,
    lane: Option<String>,
    /// Behind which message the page begins.
    before: Option<String>,
}

struct Words {
    title: &'static str,
    send: &'static str,
    search: &'static str,
    to: &'static str,
    to_hint: &'static str,
    id: &'static str,
    id_hint: &'static str,
    state: &'static str,
    session: &'static str,
    lane: &'static str,
    any: &'static str,
    time: &'static str,
    reason: &'static str,
    caption: &'static str,
    found: &'static str,
    nothing: &'static str,
    newest: &'static str,
    bad_number: &'static str,
    bad_session: &'static str,
    bad_choice: &'static str,
}

const ID: Words = Words {
    title: "Pesan",
    send: "Kirim pesan uji",
    search: "Cari",
    to: "Nomor penerima",
    to_hint: "seperti 0812-3456-7890",
    id: "ID pesan",
    id_hint: "ID tugas atau ID WhatsApp",
    state: "Status",
    session: "Sesi",
    lane: "Jalur",
    any: "semua",
    time: "Diterima",
    reason: "Alasan",
    caption: "Pesan, yang terbaru di atas",
    found: "Pesan yang cocok, yang terbaru di atas",
    nothing: "Tidak ada pesan yang cocok.",
    newest: "Ke yang terbaru",
    bad_number: "Nomor ini tidak benar. Tulis seperti 0812-3456-7890 atau +62 812-3456-7890.",
    bad_session: "Ini bukan nama sesi. Nama sesi terdiri dari huruf, angka, titik, garis bawah, dan tanda hubung.",
    bad_choice: "Pilihan ini tidak dikenal.",
};

const EN: Words = Words {
    title: "Messages",
    send: "Send a test message",
    search: "Search",
    to: "Recipient's number",
    to_hint: "like 0812-3456-7890",
    id: "Message id",
    id_hint: "the job's id, or WhatsApp's",
    state: "State",
    session: "Session",
    lane: "Lane",
    any: "all",
    time: "Taken",
    reason: "Reason",
    caption: "Messages, the newest first",
    found: "Messages that fit, the newest first",
    nothing: "No message fits.",
    newest: "To the newest",
    bad_number: "This is not a number. Write it like 0812-3456-7890 or +62 812-3456-7890.",
    bad_session: "This is not a session's name, which has letters, digits, dots, underscores and hyphens.",
    bad_choice: "There is no such choice.",
};

const fn words(language: Language) -> &'static Words {
    language.of_two(&ID, &EN)
}

/// What is left out, or empty, is not asked for.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

impl Look {
    fn of(query: Result<Query<Self>, QueryRejection>) -> Self {
        query.map(|Query(look)| look).unwrap_or_default()
    }

    fn asks(&self) -> bool {
        [&self.to, &self.id, &self.state, &self.session, &self.lane]
            .into_iter()
            .any(|field| given(field.as_ref()).is_some())
    }

    /// As a filter, or what is wrong.
    fn filter(&self, app: &App, signed_in: &SignedIn, words: &Words) -> Result<MessageFilter, &'static str> {
        let state = given(self.state.as_ref()).map(|state| MessageState::parse(state).ok_or(words.bad_choice));
        let lane = given(self.lane.as_ref());
        let lane = lane.map(|lane| Lane::ALL.into_iter().find(|known| known.as_str() == lane).ok_or(words.bad_choice));
        let session = given(self.session.as_ref()).map(SessionId::new).transpose();
        let to = given(self.to.as_ref()).map(|to| app.cases.number(to)).transpose();
        Ok(MessageFilter {
            states: state.transpose()?.map(|state| vec![state]),
            lane: lane.transpose()?,
            sessions: session.map_err(|_| words.bad_session)?.map(|session| vec![session]),
            recipient: to.map_err(|_| words.bad_number)?,
            ..MessageFilter::of(signed_in.tenant().clone())
        })
    }

    /// The same question as part of an address, from this place on.
    fn query(&self, before: Option<&str>) -> String {
        let fields = [
            ("to", self.to.as_ref()),
            ("id", self.id.as_ref()),
            ("state", self.state.as_ref()),
            ("session", self.session.as_ref()),
            ("lane", self.lane.as_ref()),
        ];
        let asked = fields.into_iter().filter_map(|(name, value)| Some((name, given(value)?)));
        let pairs = asked.chain(before.map(|before| ("before", before)));
        pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
    }
}

/// What was found.
enum Found {
    /// Some, and where the next page begins.
    Page(Vec<LedgerEntry>, Option<String>),
    /// The question makes no sense.
    Bad(&'static str),
}

async fn find(app: &App, signed_in: &SignedIn, look: &Look, words: &Words) -> Result<Found, super::refusal::Refused> {
    if let Some(id) = given(look.id.as_ref()) {
        return Ok(Found::Page(app.cases.find_message(signed_in.tenant(), id).await?, None));
    }
    let filter = match look.filter(app, signed_in, words) {
        Ok(filter) => filter,
        Err(wrong) => return Ok(Found::Bad(wrong)),
    };
    // What is no place leads to the first page.
    let before = look.before.as_deref().and_then(|before| message_place(before).ok());
    let page = app.cases.messages(&filter, before, PAGE).await?;
    Ok(Found::Page(page.messages, page.next.map(message_place_text)))
}

async fn list(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    look: Result<Query<Look>, QueryRejection>,
    frame: Frame,
) -> Answer {
    let look = Look::of(look);
    let language = frame.language();
    let words = words(language);
    let found = find(&app, &signed_in, &look, words).await?;
    if let (Found::Page(entries, _), Some(_)) = (&found, given(look.id.as_ref()))
        && let [only] = entries.as_slice()
    {
        return Ok(Redirect::to(&format!("/admin/messages/{}", only.key.job)).into_response());
    }
    let (status, part) = match &found {
        Found::Page(entries, next) => (StatusCode::OK, table(language, &look, entries, next.as_deref())),
        Found::Bad(wrong) => (StatusCode::UNPROCESSABLE_ENTITY, html! { p .problem role="alert" { (wrong) } }),
    };
    let source = format!("/admin/messages/fragment?{}", look.query(look.before.as_deref()));
    let live = matches!(found, Found::Page(..));
    let body = html! {
        @if signed_in.may_change() {
            p { a .button href="/admin/send" { (words.send) } }
        }
        (form(language, &look))
        @if live {
            div data-live="messages" data-src=(source) { (part) }
        } @else {
            (part)
        }
    };
    Ok((status, frame.page(&signed_in, Section::Messages, words.title, &body)).into_response())
}

async fn fragment(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    look: Result<Query<Look>, QueryRejection>,
    frame: Frame,
) -> Answer {
    let (language, look) = (frame.language(), Look::of(look));
    let part = match find(&app, &signed_in, &look, words(language)).await? {
        Found::Page(entries, next) => table(language, &look, &entries, next.as_deref()),
        Found::Bad(wrong) => html! { p .problem { (wrong) } },
    };
    Ok(part.into_response())
}

fn form(language: Language, look: &Look) -> Markup {
    let words = words(language);
    let typed = |field: &Option<String>| given(field.as_ref()).unwrap_or_default().to_owned();
    let (state, lane) = (typed(&look.state), typed(&look.lane));
    html! {
        form .search method="get" action="/admin/messages" role="search" {
            label { (words.to) input name="to" inputmode="tel" autocomplete="off" value=(typed(&look.to)) placeholder=(words.to_hint); }
            label { (words.id) input name="id" autocomplete="off" value=(typed(&look.id)) placeholder=(words.id_hint); }
            label { (words.session) input name="session" autocomplete="off" value=(typed(&look.session)); }
            label {
                (words.state)
                select name="state" {
                    option value="" { (words.any) }
                    @for each in MessageState::ALL {
                        option value=(each.as_str()) selected[state == each.as_str()] { (said::state(language, each)) }
                    }
                }
            }
            label {
                (words.lane)
                select name="lane" {
                    option value="" { (words.any) }
                    @for each in Lane::ALL {
                        option value=(each.as_str()) selected[lane == each.as_str()] { (said::lane(language, each)) }
                    }
                }
            }
            button type="submit" { (words.search) }
        }
    }
}

fn table(language: Language, look: &Look, entries: &[LedgerEntry], next: Option<&str>) -> Markup {
    let (words, frame) = (words(language), words::of(language));
    let caption = if look.asks() { words.found } else { words.caption };
    html! {
        @if entries.is_empty() {
            p .faint { (if look.asks() { words.nothing } else { frame.none }) }
        } @else {
            div .wide tabindex="0" role="region" aria-label=(caption) {
                table {
                    caption { (caption) }
                    thead {
                        tr {
                            @for head in [words.time, words.id, words.session, words.lane, words.to, words.state, words.reason] {
                                th scope="col" { (head) }
                            }
                        }
                    }
                    tbody {
                        @for entry in entries { (row(language, entry)) }
                    }
                }
            }
        }
        div .actions {
            @if look.before.is_some() {
                a #newest .button .quiet href=(format!("/admin/messages?{}", look.query(None))) { (words.newest) }
            }
            @if let Some(next) = next {
                a #next .button .quiet href=(format!("/admin/messages?{}", look.query(Some(next)))) rel="next" { (frame.more) }
            }
        }
    }
}

fn row(language: Language, entry: &LedgerEntry) -> Markup {
    let id = entry.key.job;
    html! {
        tr {
            td { (moment(entry.enqueued_at)) }
            td { a #{ "m-" (id) } .code href=(format!("/admin/messages/{id}")) { (id) } }
            td { @if let Some(session) = &entry.session { (session) } @else { "–" } }
            td { (said::lane(language, entry.lane)) }
            td .code { (entry.recipient) }
            td { span .badge .(said::class(entry.state)) { (said::state(language, entry.state)) } }
            td { @if let Some(reason) = entry.reason { (said::reason(language, reason)) } }
        }
    }
}
