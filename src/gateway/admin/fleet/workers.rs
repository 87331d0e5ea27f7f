//! The workers and their sessions.

use kurir_core::domain::SessionState;
use maud::{Markup, html};

use super::operates;
use super::words::{self, Words};
use crate::gateway::admin::language::Language;
use crate::gateway::admin::page::encoded;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::Refused;
use crate::gateway::admin::words::state;
use crate::gateway::app::App;
use crate::gateway::usecase::{Seat, WorkerStanding};

/// Longer lists of sessions are folded.
const FOLDED: usize = 8;

/// What a worker is, in one word, and how that is coloured.
const fn standing(worker: &WorkerStanding, words: &'static Words) -> (&'static str, &'static str) {
    match (worker.alive, worker.drained, worker.leaving) {
        (0, _, _) => (words.gone, "bad"),
        (_, true, _) => (words.drained, "wait"),
        (_, _, true) => (words.leaving, "wait"),
        _ => (words.running, "good"),
    }
}

/// How a session's state is coloured.
const fn colour(state: SessionState) -> &'static str {
    match state {
        SessionState::Connected => "good",
        SessionState::Created | SessionState::AwaitingScan | SessionState::Paired | SessionState::Disconnected => {
            "wait"
        }
        SessionState::ScanTimedOut | SessionState::LoggedOut | SessionState::Banned | SessionState::Outdated => "bad",
    }
}

pub(super) async fn part(app: &App, reader: &Reader) -> Result<Markup, Refused> {
    let operates = operates(app, &reader.signed_in);
    let (language, words) = (reader.language(), words::of(reader.language()));
    let view = app.cases.fleet(reader.tenant(), operates).await?;
    let nobody_runs = operates && view.known && view.workers.iter().all(|worker| worker.alive == 0);
    Ok(html! {
        @if !view.known { p .problem role="status" { (words.workers_unknown) } }
        @if nobody_runs { p .problem role="status" { (words.no_workers) } }
        @if view.more { p .faint { (words.more_sessions) } }
        ul .cards {
            @for worker in &view.workers {
                li .card { (card(reader, worker, operates && view.known)) }
            }
            @if !view.unowned.is_empty() {
                li .card {
                    h3 { (words.no_worker_yet) }
                    (seats(language, &view.unowned, words.no_worker_yet))
                }
            }
        }
        @if view.workers.is_empty() && view.unowned.is_empty() && !nobody_runs { p { (words.no_sessions) } }
    })
}

/// `known`: what the worker holds and is, is known and the reader's business.
fn card(reader: &Reader, worker: &WorkerStanding, known: bool) -> Markup {
    let (language, words) = (reader.language(), words::of(reader.language()));
    let (standing, colour) = standing(worker, words);
    let name = worker.name.as_str();
    html! {
        div .spread {
            h3 { (name) }
            @if known { span .badge .(colour) { (standing) } }
        }
        @if known && worker.alive > 0 {
            dl .facts {
                dt { (words.held) }
                dd { (worker.held) " / " (worker.capacity) }
                @if worker.pinned > 0 {
                    dt { (words.pinned) }
                    dd { (worker.pinned) }
                }
            }
        }
        (seats(language, &worker.sessions, name))
        @if known && reader.signed_in.may_change() { (actions(reader, worker, words)) }
    }
}

fn actions(reader: &Reader, worker: &WorkerStanding, words: &Words) -> Markup {
    let name = worker.name.as_str();
    html! {
        @if worker.drained {
            div .actions {
                form method="post" action=(format!("/admin/fleet/workers/{}/resume", encoded(name))) {
                    (reader.signed_in.csrf_field())
                    button .quiet type="submit" { (words.resume) span .hidden { " " (name) } }
                }
            }
        } @else if worker.alive > 0 {
            div .actions {
                a .button .danger href=(format!("/admin/fleet/workers/{}/drain", encoded(name))) {
                    (words.drain) span .hidden { " " (name) }
                }
            }
        }
    }
}

fn seats(language: Language, seats: &[Seat], whose: &str) -> Markup {
    let words = words::of(language);
    let list = html! {
        ul .plain {
            @for Seat { session, wanted_with } in seats {
                li {
                    a href=(format!("/admin/sessions/{}", session.id)) {
                        (session.name.as_ref().map_or(session.id.as_str(), |name| name.as_str()))
                    }
                    " "
                    span .badge .(colour(session.status.state)) { (state(language, session.status.state)) }
                    @if let Some(worker) = wanted_with.as_ref().filter(|_| wanted_with.as_ref() != session.owner.as_ref()) {
                        " " span .faint { (words.wanted_with) " " (worker.as_str()) }
                    }
                }
            }
        }
    };
    html! {
        @if seats.is_empty() {
            p .faint { (words.no_sessions) }
        } @else if seats.len() > FOLDED {
            details {
                summary { (words.yours) " (" (seats.len()) ")" span .hidden { ": " (whose) } }
                (list)
            }
        } @else {
            (list)
        }
    }
}
