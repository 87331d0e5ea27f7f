//! The dead letters: the list, and one letter's facts. Never what a letter says.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use kurir_core::port::DeadId;
use maud::{Markup, html};
use serde::Deserialize;

use super::dead_words::{Words, words};
use super::guard::{MayLook, SignedIn};
use super::language::Language;
use super::message_words as said;
use super::page::{Frame, Section, encoded};
use super::refusal::{Answer, Refused};
use super::words::{self as frame_words, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::{DeadFacts, DeadLook, DeadPage, DeadReader, MOST_DEAD, UseCaseError};

/// Letters of one page.
const PAGE: usize = 50;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/dead", get(list)).route("/admin/dead/{id}", get(one))
}

/// What is asked for, and what was just done.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    reason: Option<String>,
    target: Option<String>,
    /// Behind which letter the page begins.
    after: Option<String>,
    /// One letter, where something is to be done with one.
    pub id: Option<String>,
    done_count: Option<u32>,
    stay: Option<u32>,
    missing: Option<u32>,
}

impl Asked {
    pub fn of(query: Result<Query<Self>, QueryRejection>) -> Self {
        query.map(|Query(asked)| asked).unwrap_or_default()
    }

    /// Which letters; what is empty is not asked for.
    pub fn look(&self) -> DeadLook {
        let given =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        DeadLook { reason: given(&self.reason), target: given(&self.target) }
    }
}

/// The same question as part of an address.
pub(super) fn query(look: &DeadLook, after: Option<&DeadId>) -> String {
    let fields = [
        ("reason", look.reason.as_deref()),
        ("target", look.target.as_deref()),
        ("after", after.map(|id| id.0.as_str())),
    ];
    let pairs = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value?))));
    pairs.collect::<Vec<_>>().join("&")
}

/// Whose letters somebody sees.
pub(super) fn reader(app: &App, signed_in: &SignedIn) -> DeadReader {
    let tenant = signed_in.tenant().clone();
    DeadReader { operator: tenant == app.operator, tenant }
}

/// A page that says that nobody can tell now; every other error is none of this page's business.
pub(super) fn away(error: UseCaseError, frame: &Frame, signed_in: &SignedIn) -> Answer {
    let words = words(frame.language());
    let text = match &error {
        UseCaseError::DeadTooSlow => words.too_slow,
        UseCaseError::Port(port) if port.is_transient() => {
            tracing::warn!(error = port.chain(), "the dead letters can't be shown");
            words.away
        }
        _ => return Err(error.into()),
    };
    let body = html! { p .problem role="alert" { (text) } };
    let page = frame.page(signed_in, Section::Dead, words.title, &body);
    Ok((StatusCode::SERVICE_UNAVAILABLE, page).into_response())
}

async fn list(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    asked: Result<Query<Asked>, QueryRejection>,
    frame: Frame,
) -> Answer {
    let asked = Asked::of(asked);
    let (look, after) = (asked.look(), asked.after.clone().map(DeadId));
    match app.cases.dead_letters(&reader(&app, &signed_in), &look, after.as_ref(), PAGE).await {
        Ok(page) => Ok(listed(&frame, &signed_in, &asked, &page)),
        Err(error) => away(error, &frame, &signed_in),
    }
}

fn listed(frame: &Frame, signed_in: &SignedIn, asked: &Asked, page: &DeadPage) -> Response {
    let (language, look) = (frame.language(), asked.look());
    let words = words(language);
    let count = page.ids.len();
    let body = html! {
        (done(words, asked))
        p { (words.explained) }
        (form(language, &look, page))
        @if page.more {
            p .wait { (words.only_oldest) " " (MOST_DEAD) ". " (words.use_tool) }
        }
        p {
            (count) " " (if count == 1 { words.letter } else { words.letters }) ". "
            span .faint { (words.looked_at) " " (moment(page.at)) }
        }
        @if page.letters.is_empty() {
            p .faint { (words.nothing) }
        } @else {
            (table(language, signed_in, &page.letters))
        }
        div .actions {
            @if asked.after.is_some() {
                a .button .quiet href=(format!("/admin/dead?{}", query(&look, None))) { (words.oldest) }
            }
            @if let Some(next) = &page.next {
                a .button .quiet rel="next" href=(format!("/admin/dead?{}", query(&look, Some(next)))) {
                    (frame_words::of(language).more)
                }
            }
            @if signed_in.may_change() && count > 0 {
                a .button .quiet href=(format!("/admin/dead/retry?{}", query(&look, None))) { (words.retry_all) " (" (count) ")" }
                a .button .danger href=(format!("/admin/dead/drop?{}", query(&look, None))) { (words.drop_all) " (" (count) ")" }
            }
        }
    };
    frame.page(signed_in, Section::Dead, words.title, &body)
}

/// What became of the letters that something was just done with.
fn done(words: &Words, asked: &Asked) -> Markup {
    let told = [
        (asked.done_count, words.were_done, "faint"),
        (asked.stay, words.stay, "wait"),
        (asked.missing, words.missing, "wait"),
    ];
    html! {
        @for (count, text, class) in told {
            @if let Some(count) = count.filter(|count| *count > 0) {
                p .(class) role="status" { (count) " " (text) }
            }
        }
    }
}

fn form(language: Language, look: &DeadLook, page: &DeadPage) -> Markup {
    let words = words(language);
    let chosen = look.reason.as_deref().unwrap_or_default();
    let unknown = look.reason.iter().filter(|reason| !page.reasons.contains(*reason));
    html! {
        form .search method="get" action="/admin/dead" role="search" {
            label {
                (words.reason)
                select name="reason" {
                    option value="" { (words.any) }
                    @for reason in page.reasons.iter().chain(unknown) {
                        option value=(reason) selected[reason == chosen] { (reason) }
                    }
                }
            }
            label { (words.target) input name="target" autocomplete="off" value=(look.target.as_deref().unwrap_or_default()); }
            button type="submit" { (words.search) }
        }
    }
}

fn table(language: Language, signed_in: &SignedIn, letters: &[DeadFacts]) -> Markup {
    let (words, frame) = (words(language), frame_words::of(language));
    let heads = [words.died, words.id, words.reason, words.detail, words.target, words.lane, words.to];
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.caption) {
            table {
                caption { (words.caption) }
                thead {
                    tr {
                        @for head in heads { th scope="col" { (head) } }
                        @if signed_in.may_change() { th scope="col" { (frame.actions) } }
                    }
                }
                tbody {
                    @for letter in letters {
                        tr {
                            td { @if let Some(at) = letter.moment() { (moment(at)) } @else { "–" } }
                            td { a .code href=(place(&letter.id)) { (letter.id) } }
                            td { (reason(language, letter)) }
                            td { (letter.detail) }
                            td { (letter.target().unwrap_or(&letter.key)) }
                            td { @if let Some((_, lane)) = &letter.place { (said::lane(language, *lane)) } @else { "–" } }
                            td .code { (letter.recipient.as_deref().unwrap_or("–")) }
                            @if signed_in.may_change() { td { (retry_form(language, signed_in, letter)) } }
                        }
                    }
                }
            }
        }
    }
}

fn place(id: &DeadId) -> String {
    format!("/admin/dead/{}", encoded(&id.0))
}

/// Why it is dead, in words where there are some, and with the word that programs use.
fn reason(language: Language, letter: &DeadFacts) -> Markup {
    html! {
        @if let Some(text) = said::death(language, &letter.reason) { (text) " " }
        code { (letter.reason) }
    }
}

fn retry_form(language: Language, signed_in: &SignedIn, letter: &DeadFacts) -> Markup {
    let words = words(language);
    html! {
        form .inline method="post" action="/admin/dead/retry" {
            (signed_in.csrf_field())
            input type="hidden" name="id" value=(letter.id);
            button .quiet type="submit" aria-label=(format!("{} {}", words.retry, letter.id)) { (words.retry) }
        }
    }
}

async fn one(State(app): State<Arc<App>>, MayLook(signed_in): MayLook, Path(id): Path<String>, frame: Frame) -> Answer {
    match app.cases.dead_letter(&reader(&app, &signed_in), &DeadId(id)).await {
        Ok(letter) => Ok(shown(&frame, &signed_in, &letter)),
        Err(UseCaseError::NotFound { .. }) => Err(Refused::NoSuchPage),
        Err(error) => away(error, &frame, &signed_in),
    }
}

fn shown(frame: &Frame, signed_in: &SignedIn, letter: &DeadFacts) -> Response {
    let language = frame.language();
    let words = words(language);
    let moments = [(words.died, letter.died_at), (words.enqueued, letter.enqueued_at)];
    let body = html! {
        dl .facts {
            dt { (words.id) } dd .code { (letter.id) }
            dt { (words.reason) } dd { (reason(language, letter)) }
            @if !letter.detail.is_empty() { dt { (words.detail) } dd { (letter.detail) } }
            dt { (words.target) } dd { (letter.target().unwrap_or("–")) }
            dt { (words.key) } dd .code { (letter.key) }
            @if let Some((_, lane)) = &letter.place { dt { (words.lane) } dd { (said::lane(language, *lane)) } }
            @for (name, at) in moments {
                @if let Some(at) = at { dt { (name) } dd { (moment(at)) } }
            }
            @if let Some(to) = &letter.recipient { dt { (words.to) } dd .code { (to) } }
            @if let Some(job) = letter.job {
                dt { (words.job) } dd { a .code href=(format!("/admin/messages/{job}")) { (job) } }
            }
            @if !letter.kind.is_empty() { dt { (words.kind) } dd .code { (letter.kind) } }
            @if let Some(user) = &letter.user { dt { (words.user) } dd { (user) } }
            dt { (words.attempts) } dd { (letter.attempts) }
            dt { (words.parked) } dd { (letter.parked) }
            dt { (words.size) } dd { (letter.bytes) " byte" }
        }
        p .faint { (words.never_shown) }
        @if signed_in.may_change() {
            div .actions {
                (retry_form(language, signed_in, letter))
                a .button .danger href=(format!("/admin/dead/drop?id={}", encoded(&letter.id.0))) { (words.drop) }
            }
        }
        p { a href="/admin/dead" { (words.back) } }
    };
    frame.page(signed_in, Section::Dead, words.one, &body)
}
