//! otp: sessions by the ids that their callers choose, one-time passwords and files; answers in Indonesian.

mod files;
mod messages;
mod page;
mod service;
mod sessions;
mod types;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use kurir_core::domain::FailReason;
use serde_json::{Value, json};

use super::{Answer, Desk, Refusal, indonesian};

/// What the path of a file's upload ends with; this system's callers name what they send.
const FILES: [&str; 6] = ["file", "media", "image", "video", "audio", "document"];

pub(super) fn routes() -> Router<Arc<Desk>> {
    let uploads = FILES
        .into_iter()
        .fold(Router::new(), |routes, name| routes.route(&format!("/api/messages/{{id}}/{name}"), post(files::send)));
    Router::new()
        .route("/", get(service::card))
        .route("/api/health", get(service::health))
        .route("/api/webhook/stats", get(service::stats))
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/create", post(sessions::create))
        .route("/api/sessions/{id}", delete(sessions::remove).get(sessions::status))
        .route("/api/sessions/{id}/status", get(sessions::status))
        .route("/api/sessions/{id}/qr", get(sessions::qr))
        .route("/api/sessions/{id}/restart", put(sessions::restart))
        .route("/api/sessions/{id}/qr-page", get(page::page))
        .route("/qr-page.js", get(page::script))
        .route("/qr-page.css", get(page::style))
        .route("/api/messages/format-phone/{number}", get(messages::format_phone))
        .route("/api/messages/{id}/text", post(messages::text))
        .route("/api/messages/{id}/otp", post(messages::otp))
        .merge(uploads.layer(DefaultBodyLimit::disable()))
}

fn success(message: &str, data: Value) -> Response {
    let mut answer = json!({"success": true, "message": message});
    answer["data"] = data;
    Json(answer).into_response()
}

/// An error in this dialect's shape.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let mut answer = json!({"success": false, "message": indonesian::words(refusal)});
    if let Refusal::Bad { field, message } = refusal
        && !message.is_empty()
    {
        answer["error"] = json!({"field": field, "detail": message});
    }
    if let Refusal::NotSent { state, reason } = refusal {
        answer["error"] = json!({"state": state.as_str(), "reason": reason.map(FailReason::as_str)});
    }
    refusal.answer(Json(answer).into_response())
}
