//! `/admin/sessions`: all of them, a page at a time.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse as _;
use kurir_core::domain::{SessionId, SessionRecord, SessionState};
use maud::{Markup, html};

use super::card::{Shown, card};
use super::words::{self, Words};
use crate::gateway::admin::page::{Section, encoded};
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::admin::words as frame_words;
use crate::gateway::app::App;
use crate::gateway::usecase::{Search, SessionPage, UseCaseError};

/// Sessions of one page.
const PAGE: u32 = 48;

/// The list, or the part of it that changes.
pub(super) async fn list(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    let words = words::of(reader.language());
    let cards = cards(&app, &reader, words).await?;
    if reader.part {
        return Ok(cards.into_response());
    }
    let here = address(&reader, reader.asked("after"));
    let body = html! {
        div .spread {
            (search(&reader, words))
            @if reader.signed_in.may_change() {
                a .button href="/admin/add-session" { (words.add) }
            }
        }
        div data-live="sessions fleet" data-src=(here) { (cards) }
    };
    Ok(reader.frame.page(&reader.signed_in, Section::Sessions, words.sessions, &body))
}

/// The list's address with what is searched for, after a session.
fn address(reader: &Reader, after: Option<&str>) -> String {
    let asked = [("q", reader.asked("q")), ("state", reader.asked("state")), ("after", after)];
    let pairs = asked.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value?))));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { "/admin/sessions".to_owned() } else { format!("/admin/sessions?{query}") }
}

fn search(reader: &Reader, words: &Words) -> Markup {
    let chosen = reader.asked("state");
    html! {
        form .search method="get" action="/admin/sessions" role="search" {
            label { (words.find) input type="search" name="q" value=[reader.asked("q")] aria-describedby="find-hint"; }
            label {
                (words.state)
                select name="state" {
                    option value="" { (words.any_state) }
                    @for state in SessionState::ALL {
                        option value=(state.as_str()) selected[chosen == Some(state.as_str())] {
                            (frame_words::state(reader.language(), state))
                        }
                    }
                }
            }
            button .quiet type="submit" { (words.search) }
            small #find-hint .faint { (words.find) ": " (words.find_hint) }
        }
    }
}

async fn cards(app: &App, reader: &Reader, words: &Words) -> Result<Markup, Refused> {
    let SessionPage { sessions, next } = found(app, reader).await?;
    let default = app.cases.default_session(reader.tenant()).await?;
    let workers = app.cases.living_names().await;
    let searched = reader.asked("q").is_some() || reader.asked("state").is_some();
    Ok(html! {
        @if sessions.is_empty() {
            p { (if searched { words.nothing_found } else { frame_words::of(reader.language()).none }) }
        } @else {
            ul .cards aria-label=(words.cards) {
                @for record in &sessions {
                    (card(reader, words, &Shown {
                        record,
                        standing: app.cases.standing(record, workers.as_ref()),
                        is_default: default.as_ref() == Some(&record.id),
                        workers: workers.as_ref(),
                    }))
                }
            }
        }
        @if let Some(next) = next {
            p { a .button .quiet id="next" rel="next" href=(address(reader, Some(next.as_str()))) {
                (frame_words::of(reader.language()).more)
            } }
        }
    })
}

/// The sessions of a page. What is searched for is a name, or the id of one session.
async fn found(app: &App, reader: &Reader) -> Result<SessionPage, Refused> {
    let (state, text) = (reader.asked("state"), reader.asked("q"));
    let after = reader.asked("after").and_then(|after| SessionId::new(after).ok());
    let search = Search { state: state.map(str::to_owned), name: text.map(str::to_owned), ..Search::default() };
    let mut page = app.cases.sessions(reader.tenant(), search, after.as_ref(), PAGE).await?;
    if after.is_none()
        && let Some(record) = of_id(app, reader, text).await?
        && state.is_none_or(|state| record.status.state.as_str() == state)
        && !page.sessions.iter().any(|found| found.id == record.id)
    {
        page.sessions.insert(0, record);
    }
    Ok(page)
}

/// The tenant's session of this id, if there is one.
async fn of_id(app: &App, reader: &Reader, text: Option<&str>) -> Result<Option<SessionRecord>, Refused> {
    let Some(id) = text.and_then(|text| SessionId::new(text).ok()) else { return Ok(None) };
    match app.cases.session(reader.tenant(), &id).await {
        Ok(record) => Ok(Some(record)),
        Err(UseCaseError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
