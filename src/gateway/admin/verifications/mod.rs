//! The verifications: how many stand where, which there are, and where codes do not come back from.

mod list;
mod prefixes;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use maud::html;

use super::page::Section;
use super::reader::Reader;
use super::refusal::Answer;
use crate::gateway::app::App;

const PATH: &str = "/admin/verifications";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(PATH, get(look))
        .route("/admin/verifications/list", get(list_part))
        .route("/admin/verifications/prefixes", get(prefixes_part))
        .route("/admin/verifications/prefixes/{id}/unblock", post(prefixes::unblock))
}

async fn look(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    let words = words::of(reader.language());
    let asked = list::Asked::of(&reader)?;
    let (list, prefixes) = tokio::join!(list::part(&app, &reader, &asked), prefixes::part(&app, &reader));
    let body = html! {
        (list::search(reader.language(), &asked))
        div data-live="verifications" data-src=(asked.address("/admin/verifications/list", None)) { (list?) }
        h2 { (words.conversion) }
        p .faint { (words.conversion_about) }
        // Nobody tells of these; they are asked for every few seconds.
        div data-live="prefixes" data-src="/admin/verifications/prefixes" { (prefixes?) }
    };
    Ok(reader.frame.page(&reader.signed_in, Section::Verifications, words.title, &body))
}

async fn list_part(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    let asked = list::Asked::of(&reader)?;
    Ok(list::part(&app, &reader, &asked).await?.into_response())
}

async fn prefixes_part(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    Ok(prefixes::part(&app, &reader).await?.into_response())
}
