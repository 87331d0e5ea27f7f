//! The fleet: its workers, its queues, and what became of messages lately.

mod charts;
mod drain;
mod queues;
mod words;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use maud::html;

use super::guard::SignedIn;
use super::page::Section;
use super::reader::Reader;
use super::refusal::Answer;
use crate::gateway::app::App;

const PATH: &str = "/admin/fleet";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(PATH, get(look))
        .route("/admin/fleet/workers", get(workers_part))
        .route("/admin/fleet/queues", get(queues_part))
        .route("/admin/fleet/charts", get(charts_part))
        .route("/admin/fleet/workers/{name}/drain", get(drain::confirm).post(drain::drain))
        .route("/admin/fleet/workers/{name}/resume", post(drain::resume))
}

/// Whether somebody is one of the fleet's operators, who see and steer the workers. To all others the workers are no more than
/// names.
fn operates(app: &App, signed_in: &SignedIn) -> bool {
    *signed_in.tenant() == app.operator
}

async fn look(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    let (language, words) = (reader.language(), words::of(reader.language()));
    let (workers, queues, charts) =
        tokio::join!(workers::part(&app, &reader), queues::part(&app, &reader), charts::part(&app, &reader));
    let body = html! {
        h2 { (words.workers) }
        div data-live="fleet sessions" data-src="/admin/fleet/workers" { (workers?) }
        h2 { (words.queues) }
        p .faint { (words.queues_about) }
        div data-live="messages sessions" data-src="/admin/fleet/queues" { (queues?) }
        h2 { (words.charts) }
        // Nobody tells of these; they are asked for every few seconds.
        div data-live="charts" data-src="/admin/fleet/charts" { (charts?) }
    };
    Ok(reader.frame.page(&reader.signed_in, Section::Fleet, words::of(language).title, &body))
}

async fn workers_part(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    Ok(workers::part(&app, &reader).await?.into_response())
}

async fn queues_part(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    Ok(queues::part(&app, &reader).await?.into_response())
}

async fn charts_part(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    Ok(charts::part(&app, &reader).await?.into_response())
}
