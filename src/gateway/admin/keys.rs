//! `/admin/keys`: the tenant's API keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use kurir_core::domain::{ApiKeyRecord, KeyId, Scope, SessionId, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;

use super::change::{Change, Many, Nothing};
use super::guard::{MayLook, SignedIn};
use super::language::Language;
use super::page::{Frame, Section, done};
use super::refusal::Answer;
use super::words::{self, Notice, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::{MadeKey, NewKey, UseCaseError};

/// A day, in milliseconds.
const DAY: u64 = 24 * 3600 * 1000;

struct Words {
    name: &'static str,
    id: &'static str,
    scopes: &'static str,
    sessions: &'static str,
    sessions_hint: &'static str,
    all: &'static str,
    made: &'static str,
    ends: &'static str,
    never: &'static str,
    ended: &'static str,
    add: &'static str,
    days: &'static str,
    days_hint: &'static str,
    revoke: &'static str,
    revoke_ask: &'static str,
    rotate: &'static str,
    rotate_ask: &'static str,
    once: &'static str,
    new_key: &'static str,
}

const ID: Words = Words {
    name: "Nama",
    id: "ID",
    scopes: "Izin",
    sessions: "Sesi",
    sessions_hint: "ID sesi dipisah spasi; kosong: semua sesi",
    all: "semua",
    made: "Dibuat",
    ends: "Berlaku sampai",
    never: "tanpa batas",
    ended: "berakhir",
    add: "Buat kunci",
    days: "Berlaku (hari)",
    days_hint: "kosong: tanpa batas",
    revoke: "Cabut",
    revoke_ask: "Kunci ini langsung tidak berlaku lagi. Program yang memakainya tidak dapat mengirim.",
    rotate: "Ganti",
    rotate_ask: "Kunci baru dibuat dengan izin yang sama. Kunci lama masih berlaku satu hari.",
    once: "Kunci ini hanya ditampilkan sekali. Salin sekarang; setelah halaman ini ditutup tidak dapat dilihat lagi.",
    new_key: "Kunci baru",
};

const EN: Words = Words {
    name: "Name",
    id: "Id",
    scopes: "Scopes",
    sessions: "Sessions",
    sessions_hint: "ids with spaces between; empty: all sessions",
    all: "all",
    made: "Made",
    ends: "Good until",
    never: "without end",
    ended: "ended",
    add: "Make a key",
    days: "Good for (days)",
    days_hint: "empty: without end",
    revoke: "Revoke",
    revoke_ask: "The key is taken no more from now on. Programs that use it can't send.",
    rotate: "Replace",
    rotate_ask: "A new key with the same scopes is made. The old one is taken for one more day.",
    once: "The key is shown this once. Copy it now; when this page is closed nobody can see it again.",
    new_key: "New key",
};

const fn words(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/keys", get(list).post(make))
        .route("/admin/keys/{id}/revoke", get(ask_revoke).post(revoke))
        .route("/admin/keys/{id}/rotate", post(rotate).get(ask_rotate))
}

const PATH: &str = "/admin/keys";
const HERE: Section = Section::Keys;

async fn list(State(app): State<Arc<App>>, MayLook(signed_in): MayLook, frame: Frame) -> Answer {
    let keys = app.cases.keys().list(Some(signed_in.tenant())).await?;
    let (language, now) = (frame.language(), app.clock.now());
    let words = words(language);
    let title = language.of_two("Kunci API", "API keys");
    let body = html! {
        div .wide tabindex="0" role="region" aria-label=(title) {
            table {
                caption { (title) }
                thead { tr {
                    @for head in [words.name, words.id, words.scopes, words.sessions, words.made, words.ends] {
                        th scope="col" { (head) }
                    }
                    @if signed_in.may_change() { th scope="col" { (words::of(language).actions) } }
                } }
                tbody {
                    @for key in &keys { (row(key, words, now, &signed_in)) }
                }
            }
        }
        @if keys.is_empty() { p .faint { (words::of(language).none) } }
        @if signed_in.may_change() {
            h2 { (words.add) }
            form .fields method="post" action=(PATH) {
                (signed_in.csrf_field())
                label { (words.name) input name="label" maxlength="100" required; }
                fieldset {
                    legend { (words.scopes) }
                    @for scope in Scope::ALL {
                        label .check {
                            input type="checkbox" name="scopes" value=(scope.as_str())
                                checked[matches!(scope, Scope::Send | Scope::Read)];
                            (scope.as_str())
                        }
                    }
                }
                label { (words.sessions) small { (words.sessions_hint) } input name="sessions"; }
                label { (words.days) small { (words.days_hint) } input name="days" type="number" min="1" max="3650"; }
                div { button type="submit" { (words.add) } }
            }
        }
    };
    Ok(frame.page(&signed_in, HERE, title, &body))
}

fn row(key: &ApiKeyRecord, words: &Words, now: Timestamp, signed_in: &SignedIn) -> Markup {
    let ended = key.until.is_some_and(|until| until <= now);
    let scopes = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    html! {
        tr {
            th scope="row" { (key.label) }
            td { code { (key.id) } }
            td { (scopes) }
            td {
                @match &key.sessions {
                    None => (words.all),
                    Some(sessions) => (sessions.iter().map(SessionId::as_str).collect::<Vec<_>>().join(" ")),
                }
            }
            td { (moment(key.created_at)) }
            td {
                @if let Some(until) = key.until {
                    @if ended { span .faint { (words.ended) " " } }
                    (moment(until))
                } @else { (words.never) }
            }
            @if signed_in.may_change() {
                td {
                    @if !ended {
                        div .actions {
                            @for (verb, word) in [("rotate", words.rotate), ("revoke", words.revoke)] {
                                a href=(format!("{PATH}/{}/{verb}", key.id))
                                    aria-label=(format!("{word}: {}", key.label)) { (word) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Make {
    #[serde(default)]
    label: String,
    #[serde(default)]
    scopes: Many,
    sessions: Option<String>,
    days: Option<String>,
}

async fn make(State(app): State<Arc<App>>, frame: Frame, Change(signed_in, form): Change<Make>) -> Answer {
    let scope = |word: &String| word.parse::<Scope>().map_err(|error| UseCaseError::field("scopes", error.to_string()));
    let scopes = form.scopes.0.iter().map(scope).collect::<Result<BTreeSet<_>, _>>()?;
    let session = |id: &str| SessionId::new(id).map_err(|error| UseCaseError::field("sessions", error.to_string()));
    let sessions = form.sessions.as_deref().map(|ids| {
        ids.split([' ', ',', '\n']).filter(|id| !id.is_empty()).map(session).collect::<Result<BTreeSet<_>, _>>()
    });
    let days = form.days.as_deref().map(str::parse::<u64>).transpose();
    let days = days.ok().filter(|days| days.is_none_or(|days| (1..=3650).contains(&days)));
    let days = days.ok_or_else(|| UseCaseError::field("days", "is a number from 1 to 3650"))?;
    let until = days.map(|days| app.clock.now().plus(Duration::from_millis(days * DAY)));
    let (tenant, label, sessions) = (signed_in.tenant().clone(), form.label, sessions.transpose()?);
    let made = app.cases.keys().create(NewKey { tenant, label, scopes, sessions, until }).await?;
    Ok(shown(&frame, &signed_in, &made))
}

/// The page with a key, this once.
fn shown(frame: &Frame, signed_in: &SignedIn, made: &MadeKey) -> axum::response::Response {
    let words = words(frame.language());
    let body = html! {
        p .notice role="status" { (words.once) }
        p { strong { (made.record.label) } }
        p { code id="key" { (made.key.expose()) } }
        p { a href=(PATH) { (words::of(frame.language()).back) } }
    };
    frame.page(signed_in, HERE, words.new_key, &body)
}

/// What can't be a key's id is the id of no key.
fn named(id: &str) -> Result<KeyId, UseCaseError> {
    KeyId::new(id).map_err(|_| UseCaseError::NotFound { what: "key", field: None })
}

async fn ask(app: &App, signed_in: &SignedIn, frame: &Frame, id: &str, verb: &str) -> Answer {
    let words = words(frame.language());
    let key = app.cases.keys().one(Some(signed_in.tenant()), &named(id)?).await?;
    let (word, text) = match verb {
        "rotate" => (words.rotate, words.rotate_ask),
        _ => (words.revoke, words.revoke_ask),
    };
    let body = html! {
        p { strong { (key.label) } " " code { (key.id) } }
        p { (text) }
        form .actions method="post" action=(format!("{PATH}/{}/{verb}", key.id)) {
            (signed_in.csrf_field())
            button .danger type="submit" { (word) }
            a href=(PATH) { (words::of(frame.language()).cancel) }
        }
    };
    Ok(frame.page(signed_in, HERE, word, &body))
}

type Asked = (State<Arc<App>>, super::guard::MayChange, Path<String>, Frame);

async fn ask_revoke((State(app), may, Path(id), frame): Asked) -> Answer {
    ask(&app, &may.0, &frame, &id, "revoke").await
}

async fn ask_rotate((State(app), may, Path(id), frame): Asked) -> Answer {
    ask(&app, &may.0, &frame, &id, "rotate").await
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let id = named(&id)?;
    app.cases.keys().revoke(Some(signed_in.tenant()), &id).await?;
    app.keys.forget(&id);
    Ok(done(PATH, Notice::Removed))
}

async fn rotate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    frame: Frame,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let id = named(&id)?;
    let overlap = Duration::from_millis(DAY);
    let (made, _) = app.cases.keys().rotate(Some(signed_in.tenant()), &id, overlap).await?;
    app.keys.forget(&id);
    Ok(shown(&frame, &signed_in, &made))
}
