//! The limits: what each is and where it is set, and what single sessions have left of theirs today.
//!
//! A session's own limits are changed on its page: they lie with its record, and its one owner goes by them. Those of all can't be
//! changed here: every process reads them when it starts, and a limit that one of them changes and another does not know of is
//! none. They have one place, the configuration, and the page says how to change them there.

mod sessions;
mod table;
mod texts;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::html;

use super::page::Section;
use super::reader::Reader;
use super::refusal::Answer;
use crate::gateway::app::App;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/limits", get(look))
}

async fn look(State(app): State<Arc<App>>, reader: Reader) -> Answer {
    let language = reader.language();
    let words = texts::of(language);
    let sessions = sessions::part(&app, &reader).await?;
    let body = html! {
        (table::how_to_change(words))
        h2 { (words.all) }
        (table::all(language, &app.limits))
        h2 { (words.sessions) }
        p .faint { (words.sessions_about) }
        (sessions)
    };
    Ok(reader.frame.page(&reader.signed_in, Section::Limits, words.title, &body))
}
