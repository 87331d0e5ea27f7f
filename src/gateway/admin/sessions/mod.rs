//! The sessions: which there are, how each one does, and all that can be done with them.

mod actions;
mod budget;
mod card;
mod create;
mod endings;
mod events;
mod link;
mod list;
mod one;
mod own_limits;
mod pairing;
mod problems;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use kurir_core::domain::{SessionId, SessionRecord};

pub(super) use own_limits::said as own_limits_said;

use super::page::done;
use super::refusal::Refused;
use super::words::Notice;
use crate::gateway::app::App;

/// All routes of sessions. Ids have neither dots nor slashes, so nothing beside `/admin/sessions/{id}` can be one.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/sessions", get(list::list))
        .route("/admin/add-session", get(create::form).post(create::create))
        .route("/admin/sessions/{id}", get(one::look).post(actions::act))
        .route("/admin/sessions/{id}/logout", get(endings::confirm_logout).post(endings::log_out))
        .route("/admin/sessions/{id}/delete", get(endings::confirm_delete).post(endings::delete))
        .route("/admin/sessions/{id}/link", get(link::look).post(link::ask))
        .route("/admin/sessions/{id}/link/phone", get(pairing::form).post(pairing::ask))
        .route("/admin/sessions/{id}/link/phone/standing", get(pairing::look))
}

/// An id from a path; what can't be one is the id of no session.
fn named(id: &str) -> Result<SessionId, Refused> {
    SessionId::new(id).map_err(|_| Refused::NoSuchPage)
}

/// A session's page. Ids need no escaping in addresses.
fn path(id: &SessionId) -> String {
    format!("/admin/sessions/{id}")
}

/// Back to a session's page, which tells what was done.
fn back_to(id: &SessionId, notice: Notice) -> Response {
    done(&path(id), notice)
}

/// What people call a session: its name, else its id.
fn called(record: &SessionRecord) -> &str {
    record.name.as_ref().map_or(record.id.as_str(), |name| name.as_str())
}
