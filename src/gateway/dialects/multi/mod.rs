//! multi: many sessions of one API key, each known by the name that its owner gives it.
//!
//! A key that is made here is a tenant of its own, so the same names under another key are other sessions. A session's name is
//! kurir's name of it and can be changed; its id is kurir's own.

mod keys;
mod sessions;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use kurir_core::domain::FailReason;
use kurir_core::wire::ContentV1;
use serde_json::json;

use super::send::Letter;
use super::{Answer, Desk, Fields, Guest, Refusal};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/api/admin/apikeys/generate", post(keys::generate))
        .route("/api/qr", get(sessions::qr))
        .route("/api/status", get(sessions::status))
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/{name}", delete(sessions::remove))
        .route("/api/send-message", post(send))
}

/// The session that is meant where none is named.
const DEFAULT: &str = "default";

/// The caller and the session that a request names: in its body, its query or its head, in this order.
struct Call {
    guest: Guest,
    fields: Fields,
    session: String,
}

impl Desk {
    async fn multi_call(&self, request: Request) -> Result<Call, Refusal> {
        let (parts, fields) = Fields::read(request, self.app.body_limit).await?;
        let guest = self.guest_of(&parts.headers).await?;
        let in_head = || parts.headers.get("x-session-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let session = fields.text("sessionId").or_else(in_head).unwrap_or_else(|| DEFAULT.to_owned());
        Ok(Call { guest, fields, session: sessions::checked_name(&session)?.to_owned() })
    }
}

async fn send(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let Call { guest, fields, session: name } = desk.multi_call(request).await?;
    let to = fields.needed("number")?;
    let text = fields.verbatim("message").ok_or(Refusal::Missing("message"))?.to_owned();
    let session = desk.named(&guest, &name).await?.ok_or(Refusal::NoSession)?;
    let content = ContentV1::Text { text, reply_to: None };
    let posted = desk.post(&guest, &session, Letter { to: to.clone(), content, lane: None, ttl: None }).await?;
    let (_, sent) = posted.entry();
    let (status, word, message) = if sent {
        (StatusCode::OK, "sent", "Message sent successfully")
    } else {
        (StatusCode::ACCEPTED, "accepted", "Message accepted, it is waiting to be sent")
    };
    let answer = json!({
        "success": true,
        "message": message,
        "messageId": posted.id(),
        "sessionId": name,
        "number": to,
        "status": word
    });
    Ok((status, Json(answer)).into_response())
}

/// An error in this dialect's shape.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let (code, message) = match refusal {
        Refusal::NoKey => ("API_KEY_REQUIRED", "API key is required, send it as X-API-Key".to_owned()),
        Refusal::BadKey => ("API_KEY_INVALID", "API key is not valid".to_owned()),
        Refusal::NotAllowed => ("FORBIDDEN", "This key does not allow that".to_owned()),
        Refusal::TooFast(_) => ("TOO_MANY_REQUESTS", "Too many requests, slow down".to_owned()),
        Refusal::BadBody => ("BAD_REQUEST", "The request body can't be read".to_owned()),
        Refusal::BodyTooLarge | Refusal::FileTooLarge => ("TOO_LARGE", "The request is too large".to_owned()),
        Refusal::Missing(field) => ("BAD_REQUEST", format!("{field} is required")),
        Refusal::Bad { field, message } => ("BAD_REQUEST", format!("{field} {message}").trim().to_owned()),
        Refusal::BadNumber => ("INVALID_NUMBER", "The phone number is not valid".to_owned()),
        Refusal::FileType(kind) => ("UNSUPPORTED_FILE", format!("The file type {kind} is not supported")),
        Refusal::NoSession => ("SESSION_NOT_FOUND", "Session not found".to_owned()),
        Refusal::NoMessage => ("MESSAGE_NOT_FOUND", "Message not found".to_owned()),
        Refusal::SessionExists(_) => ("SESSION_EXISTS", "Session already exists".to_owned()),
        Refusal::NotConnected(_) => {
            ("WA_DISCONNECTED", "WhatsApp is not connected in this session, scan its QR code".to_owned())
        }
        Refusal::Linked => ("ALREADY_CONNECTED", "Session is connected already".to_owned()),
        Refusal::NoQr => ("QR_NOT_READY", "The QR code is not ready yet, try again".to_owned()),
        Refusal::TooSoon(_) => ("TOO_MANY_REQUESTS", "This recipient got a code a moment ago".to_owned()),
        Refusal::NotSent { reason: Some(FailReason::NotOnWhatsapp), .. } => {
            ("NOT_ON_WHATSAPP", "The number is not on WhatsApp".to_owned())
        }
        Refusal::NotSent { state, reason } => {
            let why = reason.map_or(state.as_str(), FailReason::as_str);
            ("SEND_FAILED", format!("The message was not sent: {why}"))
        }
        Refusal::Full => ("QUEUE_FULL", "Too many messages are waiting, try again later".to_owned()),
        Refusal::TookTooLong | Refusal::Unavailable => {
            ("UNAVAILABLE", "The service is not available, try again later".to_owned())
        }
        Refusal::NoSuchPath => ("NOT_FOUND", "Not found".to_owned()),
        Refusal::WrongMethod => ("METHOD_NOT_ALLOWED", "Method not allowed".to_owned()),
    };
    refusal.answer(Json(json!({"success": false, "error": &message, "message": message, "code": code})).into_response())
}
