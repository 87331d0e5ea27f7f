//! One message: where it stands, how it came there, and what can still be done about it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use kurir_core::domain::{JobId, LedgerEntry};
use maud::{Markup, html};
use serde::Deserialize;

use super::change::{Change, Nothing};
use super::guard::{MayChange, MayLook, SignedIn};
use super::message_view::{View, view, words};
use super::message_words as said;
use super::page::{Frame, Section};
use super::refusal::{Answer, Refused};
use super::words::{self as frame_words, Notice, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::UseCaseError;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/messages/{id}", get(page))
        .route("/admin/messages/{id}/fragment", get(fragment))
        .route("/admin/messages/{id}/cancel", get(ask_cancel).post(cancel))
        .route("/admin/messages/{id}/reschedule", get(ask_reschedule).post(reschedule))
}

/// What can't be a job's id is the id of no message.
fn named(id: &str) -> Result<JobId, Refused> {
    id.parse().map_err(|_| Refused::NoSuchPage)
}

async fn read(app: &App, signed_in: &SignedIn, id: &str) -> Result<LedgerEntry, Refused> {
    Ok(app.cases.message(signed_in.tenant(), named(id)?).await?)
}

fn place(job: JobId, done: Option<Notice>) -> Redirect {
    let told = done.map(|done| format!("?done={}", done.as_str())).unwrap_or_default();
    Redirect::to(&format!("/admin/messages/{job}{told}"))
}

fn shown(frame: &Frame, signed_in: &SignedIn, entry: &LedgerEntry, problem: Option<&str>) -> Response {
    let language = frame.language();
    let view = View { language, entry, may_change: signed_in.may_change() };
    let body = html! {
        @if let Some(problem) = problem {
            p .problem role="alert" { (problem) }
        }
        div data-live="messages" data-src=(format!("/admin/messages/{}/fragment", entry.key.job)) { (self::view(&view)) }
        p { a href="/admin/messages" { (words(language).back) } }
    };
    frame.page(signed_in, Section::Messages, words(language).title, &body)
}

async fn page(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    Path(id): Path<String>,
    frame: Frame,
) -> Answer {
    let entry = read(&app, &signed_in, &id).await?;
    Ok(shown(&frame, &signed_in, &entry, None))
}

async fn fragment(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    Path(id): Path<String>,
    frame: Frame,
) -> Answer {
    let entry = read(&app, &signed_in, &id).await?;
    let view = View { language: frame.language(), entry: &entry, may_change: signed_in.may_change() };
    Ok(self::view(&view).into_response())
}

/// A page that asks before something is done to a message that still waits.
fn question(
    frame: &Frame,
    signed_in: &SignedIn,
    entry: &LedgerEntry,
    (title, problem, inside): (&str, Option<&str>, &Markup),
) -> Response {
    let language = frame.language();
    let back = format!("/admin/messages/{}", entry.key.job);
    let body = html! {
        @if let Some(problem) = problem {
            p #problem .problem role="alert" { (problem) }
        }
        dl .facts {
            dt { (words(language).id) } dd .code { (entry.key.job) }
            dt { (words(language).to) } dd .code { (entry.recipient) }
            dt { (words(language).state) } dd { (said::state(language, entry.state)) }
            @if let Some(deadline) = entry.expires_at {
                dt { (words(language).deadline) } dd { (moment(deadline)) }
            }
        }
        (inside)
        p { a href=(back) { (frame_words::of(language).back) } }
    };
    frame.page(signed_in, Section::Messages, title, &body)
}

/// What is too late for something is shown with that word, on its page.
fn too_late(frame: &Frame, signed_in: &SignedIn, entry: &LedgerEntry) -> Response {
    let language = frame.language();
    let text = language
        .of_two("Terlambat, tidak ada yang diubah: pesan ini", "Too late, nothing was changed: this message is");
    let text = format!("{text} {}.", said::state(language, entry.state));
    (StatusCode::CONFLICT, shown(frame, signed_in, entry, Some(&text))).into_response()
}

async fn ask_cancel(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    Path(id): Path<String>,
    frame: Frame,
) -> Answer {
    let entry = read(&app, &signed_in, &id).await?;
    if !entry.state.is_waiting() {
        return Ok(too_late(&frame, &signed_in, &entry));
    }
    let words = words(frame.language());
    let inside = html! {
        p { (words.cancel_explained) }
        form method="post" action=(format!("/admin/messages/{}/cancel", entry.key.job)) {
            (signed_in.csrf_field())
            button .danger type="submit" { (words.cancel) }
        }
    };
    Ok(question(&frame, &signed_in, &entry, (words.cancel, None, &inside)))
}

async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    frame: Frame,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let job = named(&id)?;
    match app.cases.cancel(signed_in.tenant(), job).await {
        Ok(_) => Ok(place(job, Some(Notice::Cancelled)).into_response()),
        Err(UseCaseError::TooLate { .. }) => {
            let entry = read(&app, &signed_in, &id).await?;
            Ok(too_late(&frame, &signed_in, &entry))
        }
        Err(error) => Err(error.into()),
    }
}

fn reschedule_page(frame: &Frame, signed_in: &SignedIn, entry: &LedgerEntry, typed: Option<&str>) -> Response {
    let words = words(frame.language());
    let usual = entry.not_before.map(|at| at.to_rfc3339().chars().take(16).collect::<String>());
    let inside = html! {
        p { (words.reschedule_explained) }
        form .fields method="post" action=(format!("/admin/messages/{}/reschedule", entry.key.job)) {
            (signed_in.csrf_field())
            label {
                (words.moment)
                input type="datetime-local" name="not_before" required
                    value=(typed.map(str::to_owned).or(usual).unwrap_or_default())
                    aria-describedby=[typed.map(|_| "problem")];
            }
            div .actions { button type="submit" { (words.reschedule) } }
        }
    };
    let problem = typed.map(|_| words.bad_moment);
    let page = question(frame, signed_in, entry, (words.reschedule, problem, &inside));
    let status = if typed.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, page).into_response()
}

async fn ask_reschedule(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    Path(id): Path<String>,
    frame: Frame,
) -> Answer {
    let entry = read(&app, &signed_in, &id).await?;
    if !entry.state.is_waiting() {
        return Ok(too_late(&frame, &signed_in, &entry));
    }
    Ok(reschedule_page(&frame, &signed_in, &entry, None))
}

#[derive(Deserialize)]
struct Moment {
    #[serde(default)]
    not_before: String,
}

/// What a browser's field for a moment holds (no zone: UTC is meant), as RFC 3339.
fn rfc3339(typed: &str) -> String {
    match typed.trim() {
        minutes if minutes.len() == 16 => format!("{minutes}:00Z"),
        seconds if seconds.len() == 19 => format!("{seconds}Z"),
        other => other.to_owned(),
    }
}

async fn reschedule(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    frame: Frame,
    Change(signed_in, Moment { not_before }): Change<Moment>,
) -> Answer {
    let job = named(&id)?;
    let done = app.cases.reschedule(signed_in.tenant(), job, &rfc3339(&not_before)).await;
    let refused = match done {
        Ok(_) => return Ok(place(job, Some(Notice::Saved)).into_response()),
        Err(refused @ (UseCaseError::TooLate { .. } | UseCaseError::Field { .. })) => refused,
        Err(error) => return Err(error.into()),
    };
    let entry = read(&app, &signed_in, &id).await?;
    Ok(match refused {
        UseCaseError::TooLate { .. } => too_late(&frame, &signed_in, &entry),
        _ => reschedule_page(&frame, &signed_in, &entry, Some(&not_before)),
    })
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn a_moment_without_a_zone_is_utc() {
        for (typed, meant) in [
            ("2026-12-01T08:00", "2026-12-01T08:00:00Z"),
            (" 2026-12-01T08:00:30", "2026-12-01T08:00:30Z"),
            ("2026-12-01T08:00:00+07:00", "2026-12-01T08:00:00+07:00"),
            ("tomorrow", "tomorrow"),
        ] {
            assert_eq!(rfc3339(typed), meant);
        }
    }
}
