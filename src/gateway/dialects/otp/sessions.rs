//! Sessions of the otp dialect.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use kurir_core::domain::{SessionId, SessionRecord};
use serde_json::{Map, Value, json};

use super::super::path::InPath;
use super::super::qr::{ToScan, picture};
use super::super::sessions::{is_connected, word};
use super::super::{Desk, Fields, Refusal};
use super::{Answer, success};
use crate::gateway::usecase::{Order, Search};

/// A session as this dialect shows it.
pub(super) fn view(session: &SessionRecord) -> Value {
    json!({
        "sessionId": session.id.as_str(),
        "isConnected": is_connected(session),
        "status": word(session, "qr"),
        "phoneNumber": session.status.account.as_ref().map(|account| account.number.digits()),
        "createdAt": session.created_at.to_rfc3339(),
    })
}

pub(super) async fn create(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.guest_of(&parts.headers).await?;
    let id = fields.needed("sessionId")?;
    let id = SessionId::new(&id).map_err(|error| Refusal::bad("sessionId", error.to_string()))?;
    let session = desk.create(&guest, Some(id), None, true).await?;
    let mut answer = success(&format!("Session {} berhasil dibuat", session.id), view(&session));
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

pub(super) async fn list(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let sessions = desk.sessions(&guest, Search::default).await?;
    let views: Map<String, Value> = sessions.iter().map(|session| (session.id.to_string(), view(session))).collect();
    Ok(success("Daftar session", json!({"total": views.len(), "sessions": views})))
}

pub(super) async fn status(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.session(&guest, &id).await?;
    Ok(success("Status session", view(&session)))
}

pub(super) async fn qr(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.session(&guest, &id).await?;
    let id = session.id.as_str();
    Ok(match desk.qr(&guest, &session.id).await? {
        ToScan::Code(code) => {
            let picture = picture(&code)?;
            let data = json!({
                "sessionId": id,
                "isConnected": false,
                "qr": &picture,
                "qrCode": &picture,
                "expiresAt": code.expires_at.to_rfc3339()
            });
            success("Scan QR code ini dengan WhatsApp", data)
        }
        ToScan::Linked => success(
            "Session sudah terhubung",
            json!({"sessionId": id, "isConnected": true, "qr": null, "qrCode": null}),
        ),
    })
}

pub(super) async fn restart(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.session(&guest, &id).await?;
    let session = desk.tell(&guest, &session, Order::Restart).await?;
    Ok(success(&format!("Session {} sedang di-restart", session.id), view(&session)))
}

pub(super) async fn remove(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.session(&guest, &id).await?;
    desk.remove(&guest, &session).await?;
    Ok(success(&format!("Session {} berhasil dihapus", session.id), json!({"sessionId": session.id.as_str()})))
}
