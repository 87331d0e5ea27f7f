//! `/admin/sessions/{id}`: all of one session.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::SessionRecord;
use maud::{Markup, html};

use super::actions::{self, Typed};
use super::card::{self, Shown};
use super::problems::Problem;
use super::words::{self, Words};
use super::{budget, called, events, named, path};
use crate::gateway::admin::page::Section;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::admin::words::{self as frame_words, moment};
use crate::gateway::app::App;

/// The page, or the part of it that changes.
pub(super) async fn look(State(app): State<Arc<App>>, Path(id): Path<String>, reader: Reader) -> Answer {
    let record = app.cases.session(reader.tenant(), &named(&id)?).await?;
    if reader.part {
        return Ok(part(&app, &reader, &record).await?.into_response());
    }
    whole(&app, &reader, &record, &Typed::of(&record), None).await
}

/// The page with what was typed into its forms, and what is wrong with it.
pub(super) async fn whole(
    app: &App,
    reader: &Reader,
    record: &SessionRecord,
    typed: &Typed,
    problem: Option<Problem>,
) -> Answer {
    let words = words::of(reader.language());
    let forms = if reader.signed_in.may_change() {
        Some(actions::forms(app, reader, words, record, typed).await?)
    } else {
        None
    };
    let body = html! {
        p { a href="/admin/sessions" { (words.back_to_list) } }
        @if let Some(problem) = &problem { p .problem role="alert" { (problem.text) } }
        div data-live="sessions messages fleet" data-src=(path(&record.id)) { (part(app, reader, record).await?) }
        @if let Some(forms) = forms { h2 { (words.settings) } (forms) }
    };
    let status = problem.map_or(StatusCode::OK, |problem| problem.status);
    let page: Response = reader.frame.page(&reader.signed_in, Section::Sessions, called(record), &body);
    Ok((status, page).into_response())
}

/// What changes by itself: state, limits, the latest events, and the buttons that fit the state.
async fn part(app: &App, reader: &Reader, record: &SessionRecord) -> Result<Markup, Refused> {
    let (language, words) = (reader.language(), words::of(reader.language()));
    let workers = app.cases.living_names().await;
    let default = app.cases.default_session(reader.tenant()).await?;
    let latest = app.cases.session_events(reader.tenant(), &record.id, events::SHOWN).await?;
    let wished = app.cases.wished_worker(record).await;
    let shown = Shown {
        record,
        standing: app.cases.standing(record, workers.as_ref()),
        is_default: default.as_ref() == Some(&record.id),
        workers: workers.as_ref(),
    };
    Ok(html! {
        (card::badges(language, words, &shown))
        (budget::holds(language, &shown.standing))
        @if reader.signed_in.may_change() { (buttons(reader, words, record)) }
        h2 { (words.facts) }
        dl .facts {
            dt { (words.id) }
            dd .code { (record.id.as_str()) }
            dt { (words.name) }
            dd { (record.name.as_ref().map_or(words.no_name, |name| name.as_str())) }
            dt { (words.state) }
            dd { (frame_words::state(language, record.status.state)) }
            @if let Some(reason) = record.status.reason {
                dt { (language.of_two("Karena", "Because")) }
                dd { (words::why(language, reason)) }
            }
            dt { (words.wanted) }
            dd { (card::wanted(language, record.wanted)) }
            (card::facts(words, &shown))
            @if let Some(worker) = &wished {
                dt { (words.wished_worker) }
                dd { (worker.as_str()) }
            }
            dt { (words.labels) }
            dd { (labels(words, record)) }
            dt { (words.created) }
            dd { (moment(record.created_at)) }
        }
        h2 { (words.limits) }
        dl .facts { (budget::numbers(language, &shown.standing)) (budget::day(language, &shown.standing)) }
        h2 { (words.events) }
        (events::table(language, words, &latest))
    })
}

fn labels(words: &Words, record: &SessionRecord) -> Markup {
    let labels = record.labels.as_map();
    html! {
        @if labels.is_empty() { (words.no_labels) }
        @for (key, value) in labels { span .badge { (key) ": " (value) } " " }
    }
}

/// What can be done at once: connect, start, stop, restart, log out.
fn buttons(reader: &Reader, words: &Words, record: &SessionRecord) -> Markup {
    let id = &record.id;
    html! {
        div .actions role="group" aria-label=(frame_words::of(reader.language()).actions) {
            @if card::may_link(record) { (card::connect(words, record)) }
            form method="post" action=(path(id)) {
                (reader.signed_in.csrf_field())
                @for (order, word) in [("start", words.start), ("stop", words.stop), ("restart", words.restart)] {
                    button .quiet type="submit" name="do" value=(order) id=(order) { (word) }
                    " "
                }
            }
            @if record.status.state.is_linked() {
                a .button .danger id="log-out" href=(format!("{}/logout", path(id))) { (words.log_out) }
            }
        }
    }
}
