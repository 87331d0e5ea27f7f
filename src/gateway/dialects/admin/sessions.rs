//! The list of sessions, and each of them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use kurir_core::domain::{Scope, SessionId, SessionNote, SessionRecord, Wanted};
use serde_json::{Value, json};

use super::super::path::InPath;
use super::super::qr::{ToScan, picture};
use super::super::sessions::{is_connected, name_of, word};
use super::card::{Card, new_id, which};
use super::{Answer, Denied, Desk, Fields, Guest, Refusal, success};
use crate::gateway::usecase::{Order, Search};

/// A session as this dialect shows it.
fn view(session: &SessionRecord, note: Option<&SessionNote>, default: Option<&SessionId>) -> Value {
    let account = session.status.account.as_ref().map(|account| account.number.digits());
    json!({
        "id": session.id.as_str(),
        "name": name_of(session),
        "sessionId": session.id.as_str(),
        "phoneNumber": note.and_then(SessionNote::number).or(account),
        "description": note.and_then(SessionNote::text),
        "isActive": session.wanted == Wanted::Running,
        "isDefault": default == Some(&session.id),
        "isConnected": is_connected(session),
        "status": word(session, "qr"),
        "createdAt": session.created_at.to_rfc3339(),
        "updatedAt": note.map_or(session.created_at, SessionNote::at).to_rfc3339(),
    })
}

impl Desk {
    async fn views(&self, guest: &Guest, sessions: &[SessionRecord]) -> Result<Vec<Value>, Refusal> {
        let notes = self.app.cases.notes(sessions).await?;
        let default = self.app.cases.default_session(guest.tenant()).await?;
        Ok(sessions.iter().map(|session| view(session, notes.get(&session.id), default.as_ref())).collect())
    }

    async fn view(&self, guest: &Guest, session: &SessionRecord) -> Result<Value, Refusal> {
        Ok(self.views(guest, std::slice::from_ref(session)).await?.pop().unwrap_or_default())
    }
}

pub(super) async fn list(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let mut sessions = desk.sessions(&guest, Search::default).await?;
    // The oldest first, as they were added.
    sessions.sort_by_key(|session| session.created_at);
    Ok(success("Daftar WhatsApp session", Value::Array(desk.views(&guest, &sessions).await?)))
}

pub(super) async fn one(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.session(&guest, &id).await?;
    Ok(success("Status WhatsApp session", desk.view(&guest, &session).await?))
}

/// Runs on when the caller hangs up: a session is made with all that was said of it, or not at all.
async fn to_its_end<F>(desk: &Arc<Desk>, work: F) -> Result<SessionRecord, Denied>
where
    F: Future<Output = Result<SessionRecord, Denied>> + Send + 'static,
{
    desk.app.tasks.spawn(work).await.map_err(|_| Refusal::Unavailable)?
}

pub(super) async fn create(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.guest_of(&parts.headers).await?;
    let card = Card::read(&fields)?;
    if card.name.is_none() {
        return Err(Refusal::Missing("name").into());
    }
    let id = new_id(&fields)?;
    desk.check_number(&card)?;
    let (at, whose) = (Arc::clone(&desk), guest.clone());
    let session = to_its_end(&desk, async move { at.enter(&whose, id, card).await }).await?;
    let mut answer = success("WhatsApp session berhasil dibuat", desk.view(&guest, &session).await?);
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

pub(super) async fn change(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.guest_of(&parts.headers).await?;
    let id = which(&fields)?;
    let card = Card::read(&fields)?;
    desk.check_number(&card)?;
    let session = desk.session(&guest, &id).await?;
    let (at, whose) = (Arc::clone(&desk), guest.clone());
    let session = to_its_end(&desk, async move { at.amend(&whose, &session, card).await }).await?;
    Ok(success("WhatsApp session berhasil diperbarui", desk.view(&guest, &session).await?))
}

pub(super) async fn remove(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.guest_of(&parts.headers).await?;
    let session = desk.session(&guest, &which(&fields)?).await?;
    guest.needs(Scope::Control)?;
    if desk.app.cases.default_session(guest.tenant()).await?.as_ref() == Some(&session.id) {
        return Err(Denied::DefaultStays);
    }
    desk.remove(&guest, &session).await?;
    Ok(success("WhatsApp session berhasil dihapus", json!({"id": session.id.as_str()})))
}

pub(super) async fn start(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.session(&guest, &id).await?;
    let session = desk.tell(&guest, &session, Order::Start).await?;
    Ok(success("WhatsApp session dimulai", desk.view(&guest, &session).await?))
}

/// The code to scan. Asking for one has a session that rests go on.
pub(super) async fn qr(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.session(&guest, &id).await?;
    let id = session.id.as_str();
    Ok(match desk.qr(&guest, &session.id).await? {
        ToScan::Code(code) => {
            let data = json!({
                "sessionId": id,
                "isConnected": false,
                "qr": picture(&code)?,
                "expiresAt": code.expires_at.to_rfc3339(),
            });
            success("Scan QR code ini dengan WhatsApp", data)
        }
        ToScan::Linked => {
            let data = json!({"sessionId": id, "isConnected": true, "qr": null});
            success("Session sudah terhubung", data)
        }
    })
}

impl Desk {
    /// Whether what is noted as a number can be one.
    fn check_number(&self, card: &Card) -> Result<(), Refusal> {
        let Some(number) = card.number() else { return Ok(()) };
        let checked = self.app.cases.number(number).map(|_| ());
        checked.map_err(|_| Refusal::bad("phoneNumber", "is no phone number; write it like +6285117132297"))
    }
}
