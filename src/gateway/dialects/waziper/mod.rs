//! Waziper: a session is an instance, its caller gives `access_token` and `instance_id` in every request, as GET or POST.
//!
//! The token is an API key of kurir's.

pub(super) mod instance_id;
mod send;
mod webhook;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use kurir_core::domain::{SessionId, SessionRecord};
use serde_json::{Value, json};

use super::qr::{ToScan, picture};
use super::{Answer, Desk, Fields, Guest, Refusal};
use crate::gateway::usecase::Order;
use instance_id::is_instance_id;

pub(super) fn routes() -> Router<Arc<Desk>> {
    let calls = Router::new()
        .route("/generate-instance-id", any(generate))
        .route("/create_instance", any(create))
        .route("/get_qrcode", any(qr_code))
        .route("/reconnect", any(reconnect))
        .route("/reboot", any(reboot))
        .route("/reset_instance", any(reset))
        .route("/set_webhook", any(webhook::set))
        .route("/send", any(send::send));
    // Some of its users have them below /api.
    Router::new().merge(calls.clone()).nest("/api", calls)
}

/// An error in this dialect's shape.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let message = match refusal {
        Refusal::NoKey => "access_token is required".to_owned(),
        Refusal::BadKey => "The access token is not valid".to_owned(),
        Refusal::NotAllowed => "This access token does not allow that".to_owned(),
        Refusal::TooFast(_) => "Too many requests, please slow down".to_owned(),
        Refusal::BadBody => {
            "The request can't be read: send the parameters in the query, as a form or as JSON".to_owned()
        }
        Refusal::BodyTooLarge => "The request is too large".to_owned(),
        Refusal::Missing(field) => format!("{field} is required"),
        Refusal::Bad { field: "", message } => message.clone(),
        Refusal::Bad { field, message } => format!("{field}: {message}"),
        Refusal::BadNumber => "The phone number is not valid".to_owned(),
        Refusal::FileType(kind) => format!("The file type {kind} is not supported"),
        Refusal::FileTooLarge => "The file is too large".to_owned(),
        Refusal::NoSession => "Instance ID does not exist".to_owned(),
        Refusal::NoMessage => "Message does not exist".to_owned(),
        Refusal::SessionExists(_) => "Instance ID is taken, generate another one".to_owned(),
        Refusal::NotConnected(state) => format!("Instance is not connected ({state}), scan its QR code first"),
        Refusal::Linked => "Instance is already connected".to_owned(),
        Refusal::NoQr => "The QR code is not ready yet, try again in a moment".to_owned(),
        Refusal::TooSoon(_) => "This recipient got a code a moment ago, try again later".to_owned(),
        Refusal::NotSent { state, reason } => {
            format!("The message was not sent: {}", reason.map_or(state.as_str(), |reason| reason.as_str()))
        }
        Refusal::Full => "Too many messages are waiting, try again later".to_owned(),
        Refusal::TookTooLong | Refusal::Unavailable => "The service is not available, try again later".to_owned(),
        Refusal::NoSuchPath => "Not found".to_owned(),
        Refusal::WrongMethod => "Method not allowed".to_owned(),
    };
    refusal.answer(Json(json!({"status": "error", "message": message})).into_response())
}

fn success(mut answer: Value, message: &str) -> Response {
    answer["status"] = json!("success");
    answer["message"] = json!(message);
    Json(answer).into_response()
}

/// What every call gives but the first.
struct Call {
    guest: Guest,
    fields: Fields,
}

impl Desk {
    async fn call(&self, request: Request) -> Result<Call, Refusal> {
        let (parts, fields) = Fields::read(request, self.app.body_limit).await?;
        let token = fields.text("access_token");
        let guest = match &token {
            Some(token) => self.guest(Some(token.as_bytes())).await?,
            None => self.guest_of(&parts.headers).await?,
        };
        Ok(Call { guest, fields })
    }
}

impl Call {
    /// The instance that the call is about.
    fn instance_id(&self) -> Result<SessionId, Refusal> {
        let id = self.fields.needed("instance_id")?;
        if !is_instance_id(&id) {
            let message = "is malformed; get one from /generate-instance-id";
            return Err(Refusal::bad("instance_id", message));
        }
        SessionId::new(id).map_err(|_| Refusal::bad("instance_id", "is malformed"))
    }

    /// That instance, if it is the caller's.
    async fn instance(&self, desk: &Desk) -> Result<SessionRecord, Refusal> {
        desk.session(&self.guest, self.instance_id()?.as_str()).await
    }
}

fn new_id(desk: &Desk) -> String {
    desk.instance_ids.next(desk.app.clock.now(), &*desk.app.entropy)
}

async fn generate(State(desk): State<Arc<Desk>>) -> Response {
    success(json!({"instance_id": new_id(&desk)}), "Use this instance_id to create a new WhatsApp session")
}

async fn create(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let call = desk.call(request).await?;
    let id = SessionId::new(new_id(&desk)).map_err(|_| Refusal::Unavailable)?;
    let session = desk.open_instance(&call.guest, id).await?;
    Ok(success(json!({"instance_id": session.id.as_str()}), "Instance ID generated successfully"))
}

impl Desk {
    /// The instance of this id; the first time that it is asked for it is made and started.
    async fn open_instance(&self, guest: &Guest, id: SessionId) -> Result<SessionRecord, Refusal> {
        let (session, is_new) = self.open(guest, id).await?;
        if is_new {
            // The words that this system's users look for in their logs.
            tracing::info!(session = %session.id, "Creating new WhatsApp socket for instance: {}", session.id);
        }
        Ok(session)
    }
}

async fn qr_code(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let call = desk.call(request).await?;
    let session = desk.open_instance(&call.guest, call.instance_id()?).await?;
    let ToScan::Code(code) = desk.qr(&call.guest, &session.id).await? else { return Err(Refusal::Linked) };
    let picture = picture(&code)?;
    let answer = json!({
        "qrcode": &picture,
        "base64": &picture,
        "instance_id": session.id.as_str(),
        "expires_at": code.expires_at.to_rfc3339()
    });
    Ok(success(answer, "Success"))
}

async fn ordered(desk: &Desk, request: Request, order: Order) -> Result<SessionRecord, Refusal> {
    let call = desk.call(request).await?;
    let session = call.instance(desk).await?;
    desk.tell(&call.guest, &session, order).await
}

/// A new connection with the credentials that there are.
async fn reconnect(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let session = ordered(&desk, request, Order::Restart).await?;
    Ok(success(json!({"instance_id": session.id.as_str()}), "Success"))
}

/// Logged out, to be scanned anew: asking for its code starts it.
async fn reboot(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let session = ordered(&desk, request, Order::LogOut).await?;
    Ok(success(json!({"instance_id": session.id.as_str()}), "Logged out, scan the QR code again"))
}

/// Logged out and removed; another instance with an id of its own stands in its place.
async fn reset(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let call = desk.call(request).await?;
    let old = call.instance(&desk).await?;
    let id = SessionId::new(new_id(&desk)).map_err(|_| Refusal::Unavailable)?;
    let new = desk.open_instance(&call.guest, id).await?;
    desk.remove(&call.guest, &old).await?;
    let answer = json!({"instance_id": new.id.as_str(), "old_instance_id": old.id.as_str()});
    Ok(success(answer, "Instance was reset, use the new instance_id"))
}

fn accepted(answer: Value) -> Response {
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}
