//! Trying dead letters again, and dropping them: one, or all that fit, after a page that says how many these are.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use kurir_core::port::DeadId;
use maud::html;
use serde::Deserialize;

use super::change::{Change, Many};
use super::dead::{Asked, away, query, reader};
use super::dead_words::words;
use super::guard::{MayChange, SignedIn};
use super::page::{Frame, Section};
use super::refusal::{Answer, Refused};
use super::words::{self as frame_words, Notice};
use crate::gateway::app::App;
use crate::gateway::usecase::{DeadDone, DeadLook, UseCaseError};

/// What is to be done with letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Retry,
    Drop,
}

impl Deed {
    const fn path(self) -> &'static str {
        match self {
            Self::Retry => "/admin/dead/retry",
            Self::Drop => "/admin/dead/drop",
        }
    }

    const fn notice(self) -> Notice {
        match self {
            Self::Retry => Notice::Retried,
            Self::Drop => Notice::Dropped,
        }
    }
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(Deed::Retry.path(), get(ask_retry).post(retry))
        .route(Deed::Drop.path(), get(ask_drop).post(drop_them))
}

async fn ask_retry(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    asked: Result<Query<Asked>, QueryRejection>,
    frame: Frame,
) -> Answer {
    ask(&app, &signed_in, &frame, &Asked::of(asked), Deed::Retry).await
}

async fn ask_drop(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    asked: Result<Query<Asked>, QueryRejection>,
    frame: Frame,
) -> Answer {
    ask(&app, &signed_in, &frame, &Asked::of(asked), Deed::Drop).await
}

/// Asks before something is done. The form names the very letters that were counted.
async fn ask(app: &App, signed_in: &SignedIn, frame: &Frame, asked: &Asked, deed: Deed) -> Answer {
    let reader = reader(app, signed_in);
    let (ids, look) = match &asked.id {
        Some(id) => match app.cases.dead_letter(&reader, &DeadId(id.clone())).await {
            Ok(letter) => (vec![letter.id], DeadLook::default()),
            Err(UseCaseError::NotFound { .. }) => return Err(Refused::NoSuchPage),
            Err(error) => return away(error, frame, signed_in),
        },
        None => match app.cases.dead_letters(&reader, &asked.look(), None, 0).await {
            Ok(page) => (page.ids, asked.look()),
            Err(error) => return away(error, frame, signed_in),
        },
    };
    Ok(question(frame, signed_in, (&ids, &look), deed))
}

fn question(frame: &Frame, signed_in: &SignedIn, (ids, look): (&[DeadId], &DeadLook), deed: Deed) -> Response {
    let language = frame.language();
    let words = words(language);
    let (title, text, button) = match deed {
        Deed::Retry => (words.retry_title, words.retry_explained, words.retry),
        Deed::Drop => (words.drop_title, words.drop_explained, words.drop),
    };
    let chosen = [(words.reason, &look.reason), (words.target, &look.target)];
    let body = html! {
        dl .facts {
            @for (name, value) in chosen {
                @if let Some(value) = value { dt { (name) } dd { (value) } }
            }
            @if let [only] = ids { dt { (words.id) } dd .code { (only) } }
        }
        @if ids.is_empty() {
            p { (words.nothing) }
        } @else {
            p { strong #count { (ids.len()) " " (if ids.len() == 1 { words.letter } else { words.letters }) } ": " (text) }
            form method="post" action=(deed.path()) {
                (signed_in.csrf_field())
                @for id in ids { input type="hidden" name="id" value=(id); }
                button .danger[deed == Deed::Drop] type="submit" { (button) " (" (ids.len()) ")" }
            }
        }
        p { a href=(format!("/admin/dead?{}", query(look, None))) { (frame_words::of(language).back) } }
    };
    frame.page(signed_in, Section::Dead, title, &body)
}

/// The letters of a form.
#[derive(Deserialize)]
struct Letters {
    id: Many,
}

async fn retry(State(app): State<Arc<App>>, frame: Frame, Change(signed_in, letters): Change<Letters>) -> Answer {
    carry_out(&app, &signed_in, &frame, letters, Deed::Retry).await
}

async fn drop_them(State(app): State<Arc<App>>, frame: Frame, Change(signed_in, letters): Change<Letters>) -> Answer {
    carry_out(&app, &signed_in, &frame, letters, Deed::Drop).await
}

async fn carry_out(app: &App, signed_in: &SignedIn, frame: &Frame, letters: Letters, deed: Deed) -> Answer {
    let (cases, reader, ids) = (app.cases.clone(), reader(app, signed_in), letters.id.0);
    let ids: Vec<_> = ids.into_iter().map(DeadId).collect();
    // In a task of its own, so that it is not cut off when its caller hangs up.
    let doing = app.tasks.spawn(async move {
        match deed {
            Deed::Retry => cases.retry_dead(&reader, &ids).await,
            Deed::Drop => cases.drop_dead(&reader, &ids).await,
        }
    });
    match doing.await.unwrap_or(Err(UseCaseError::NoAnswer)) {
        Ok(DeadDone { done, stay, missing }) => {
            let notice = if done > 0 { deed.notice() } else { Notice::Unchanged };
            let told = format!("done={}&done_count={done}&stay={stay}&missing={missing}", notice.as_str());
            Ok(Redirect::to(&format!("/admin/dead?{told}")).into_response())
        }
        Err(error) => away(error, frame, signed_in),
    }
}
