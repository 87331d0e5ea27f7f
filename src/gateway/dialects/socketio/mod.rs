//! socketio: sessions by names, and their codes and states told live to sockets of Socket.IO; texts in Indonesian.
//!
//! The older system drew codes in the browser from a text that its server emitted; so does this one, and the page that shows
//! it is here as well.

mod callers;
mod hall;
mod messages;
mod names;
mod page;
mod patient;
mod sessions;
mod signals;
pub(super) mod starts;
mod telling;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use kurir_core::domain::FailReason;
use serde_json::{Value, json};

use super::{Answer, Desk, Refusal, indonesian};

pub(super) use hall::routes as lasting_routes;

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/api/sessions", get(sessions::list).post(sessions::create))
        .route("/api/sessions/{id}", get(sessions::one).delete(sessions::remove))
        .route("/api/sessions/{id}/start", post(sessions::start))
        .route("/api/sessions/{id}/stop", post(sessions::stop))
        .route("/api/sessions/{id}/logout", post(sessions::log_out))
        .route("/api/sessions/{id}/send", post(messages::send))
        .merge(page::routes())
}

/// An answer in this dialect's shape: its fields beside `success` and `message`.
fn success(message: &str, fields: Value) -> Response {
    let mut answer = json!({"success": true, "message": message});
    if let (Value::Object(answer), Value::Object(fields)) = (&mut answer, fields) {
        answer.extend(fields);
    }
    Json(answer).into_response()
}

/// An error in this dialect's shape.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let message = words(refusal);
    let mut answer = json!({"success": false, "message": &message, "error": &message});
    if let Refusal::NotSent { state, reason } = refusal {
        answer["state"] = json!(state.as_str());
        answer["reason"] = json!(reason.map(FailReason::as_str));
    }
    refusal.answer(Json(answer).into_response())
}

fn words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Missing("name") => "Nama session diperlukan".to_owned(),
        Refusal::Bad { field: "name", .. } => "Nama session tidak valid".to_owned(),
        other => indonesian::words(other),
    }
}
