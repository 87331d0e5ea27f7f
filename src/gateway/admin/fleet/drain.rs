//! Emptying a worker, and using it again.

use std::sync::Arc;

use axum::extract::{Path, State};
use maud::html;

use super::{PATH, operates, words};
use crate::gateway::admin::change::{Change, Nothing};
use crate::gateway::admin::guard::{MayChange, SignedIn};
use crate::gateway::admin::page::{Section, done, encoded};
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::admin::words::{self as frame_words, Notice};
use crate::gateway::app::App;

/// Workers are the operators' business; to others there are none of them.
fn operator(app: &App, signed_in: &SignedIn) -> Result<(), Refused> {
    if operates(app, signed_in) { Ok(()) } else { Err(Refused::NoSuchPage) }
}

pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    MayChange(_): MayChange,
    Path(name): Path<String>,
    reader: Reader,
) -> Answer {
    operator(&app, &reader.signed_in)?;
    let words = words::of(reader.language());
    let view = app.cases.fleet(reader.tenant(), true).await?;
    if !view.workers.iter().any(|worker| worker.name.as_str() == name && worker.alive > 0) {
        return Err(Refused::NoSuchPage);
    }
    let body = html! {
        p { (words.drain_about) }
        form .actions method="post" action=(format!("/admin/fleet/workers/{}/drain", encoded(&name))) {
            (reader.signed_in.csrf_field())
            button .danger type="submit" { (words.drain) " " (name) }
            a .button .quiet href=(PATH) { (frame_words::of(reader.language()).cancel) }
        }
    };
    let title = format!("{} {name}", words.drain_title);
    Ok(reader.frame.page(&reader.signed_in, Section::Fleet, &title, &body))
}

pub(super) async fn drain(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    operator(&app, &signed_in)?;
    app.cases.drain_worker(&name, true).await?;
    Ok(done(PATH, Notice::Saved))
}

pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    operator(&app, &signed_in)?;
    app.cases.drain_worker(&name, false).await?;
    Ok(done(PATH, Notice::Saved))
}
