//! One session in the list, and what its page shares with it: state, facts, the way to WhatsApp.

use std::collections::BTreeSet;

use kurir_core::domain::{SessionRecord, SessionState, Wanted, WorkerName};
use maud::{Markup, html};

use super::words::Words;
use super::{budget, called, path};
use crate::gateway::admin::language::Language;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::words::{self as frame_words, moment};
use crate::gateway::usecase::Standing;

/// What is shown of a session.
pub(super) struct Shown<'a> {
    pub record: &'a SessionRecord,
    pub standing: Standing,
    pub is_default: bool,
    /// The workers that live, if that is known.
    pub workers: Option<&'a BTreeSet<WorkerName>>,
}

const fn colour(state: SessionState) -> &'static str {
    match state {
        SessionState::Connected => "good",
        SessionState::Created | SessionState::AwaitingScan | SessionState::Paired | SessionState::Disconnected => {
            "wait"
        }
        SessionState::ScanTimedOut | SessionState::LoggedOut | SessionState::Banned | SessionState::Outdated => "bad",
    }
}

/// A session's state, and whether it is the default.
pub(super) fn badges(language: Language, words: &Words, shown: &Shown<'_>) -> Markup {
    let state = shown.record.status.state;
    html! {
        p .badges {
            span .badge .(colour(state)) { (frame_words::state(language, state)) }
            @if shown.record.wanted != Wanted::Running {
                " " span .badge .wait { (wanted(language, shown.record.wanted)) }
            }
            @if shown.is_default { " " span .badge { (words.default) } }
        }
    }
}

/// What somebody wants of a session.
pub(super) const fn wanted(language: Language, wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Running => language.of_two("berjalan", "running"),
        Wanted::Stopped => language.of_two("dihentikan", "stopped"),
        Wanted::LoggedOut => language.of_two("akan keluar", "to be logged out"),
        Wanted::Deleted => language.of_two("akan dihapus", "to be deleted"),
    }
}

/// Since when it is so, who has it, its pool and its number. Pairs of `dt` and `dd`.
pub(super) fn facts(words: &Words, shown: &Shown<'_>) -> Markup {
    let record = shown.record;
    html! {
        dt { (words.since) }
        dd { (moment(record.status.since)) }
        dt { (words.number) }
        dd {
            @match &record.status.account {
                Some(account) => { (account.number.masked()) ", " (words.device) (account.device) }
                None => { (words.not_linked) }
            }
        }
        dt { (words.worker) }
        dd { (worker(words, shown)) }
        dt { (words.pool) }
        dd { (record.pool.as_ref().map_or(words.no_pool, |pool| pool.as_str())) }
    }
}

/// The worker that has it; one that lives no more has it no more.
fn worker<'a>(words: &Words, shown: &Shown<'a>) -> &'a str {
    let lives = |owner: &&WorkerName| shown.workers.is_none_or(|workers| workers.contains(*owner));
    shown.record.owner.as_ref().filter(lives).map_or(words.no_worker, |owner| owner.as_str())
}

/// Whether there is something to link: no account behind it, and it is to stay.
pub(super) fn may_link(record: &SessionRecord) -> bool {
    !record.status.state.is_linked() && !record.wanted.is_errand()
}

/// The way to WhatsApp, as a dialog.
pub(super) fn connect(words: &Words, record: &SessionRecord) -> Markup {
    let id = &record.id;
    html! {
        a .button id=(format!("connect-{id}")) href=(format!("{}/link", path(id))) data-dialog=(words.close)
            data-else=(format!("session-{id}")) { (words.connect) span .hidden { " " (called(record)) } }
    }
}

/// A session as one of many.
pub(super) fn card(reader: &Reader, words: &Words, shown: &Shown<'_>) -> Markup {
    let (language, record) = (reader.language(), shown.record);
    html! {
        li .card {
            h2 { a id=(format!("session-{}", record.id)) href=(path(&record.id)) { (called(record)) } }
            @if record.name.is_some() { p .faint .code { (record.id.as_str()) } }
            (badges(language, words, shown))
            (budget::holds(language, &shown.standing))
            dl .facts {
                (facts(words, shown))
                (budget::numbers(language, &shown.standing))
            }
            @if reader.signed_in.may_change() && may_link(record) {
                div .actions { (connect(words, record)) }
            }
        }
    }
}
