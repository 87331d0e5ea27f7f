//! Sessions of the socketio dialect.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use kurir_core::domain::{SessionRecord, SessionState, Wanted};
use serde_json::{Value, json};

use super::super::path::InPath;
use super::super::sessions::{is_connected, word};
use super::super::{Desk, Fields, Guest, Refusal};
use super::{Answer, names, success};
use crate::gateway::notices::News;
use crate::gateway::usecase::{Order, Search};

/// How often an id is looked for that nobody has.
const TRIES: usize = 4;

/// Where a session stands, in one word.
pub(super) fn standing(session: &SessionRecord) -> &'static str {
    match (session.status.state, session.wanted) {
        (SessionState::Created, Wanted::Stopped) => "created",
        (SessionState::ScanTimedOut, _) => "qr_timeout",
        (SessionState::Connected | SessionState::Disconnected | SessionState::AwaitingScan, Wanted::Stopped) => {
            "stopped"
        }
        (SessionState::Outdated, _) => "auth_failure",
        _ => word(session, "qr"),
    }
}

/// What people call a session.
pub(super) fn name(session: &SessionRecord) -> &str {
    session.name.as_ref().map_or(session.id.as_str(), |name| name.as_str())
}

/// A session as this dialect shows it.
fn view(session: &SessionRecord) -> Value {
    json!({
        "id": session.id.as_str(),
        "sessionId": session.id.as_str(),
        "name": name(session),
        "status": standing(session),
        "isConnected": is_connected(session),
        "phoneNumber": session.status.account.as_ref().map(|account| account.number.digits()),
        "createdAt": session.created_at.to_rfc3339(),
    })
}

fn shown(message: &str, session: &SessionRecord) -> Response {
    success(message, json!({"sessionId": session.id.as_str(), "session": view(session)}))
}

pub(super) async fn create(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.caller(None, &parts.headers, &parts.uri).await?;
    let name = fields.needed("name")?;
    let session = created(&desk, &guest, &name).await?;
    let mut answer = shown("Session berhasil dibuat", &session);
    *answer.status_mut() = StatusCode::CREATED;
    Ok(answer)
}

/// Makes a session of this name. Two of one name are two sessions, as in the older system.
async fn created(desk: &Desk, guest: &Guest, name: &str) -> Result<SessionRecord, Refusal> {
    let others = (0..TRIES).filter_map(|_| names::unique(name, desk.app.entropy.nonce()));
    for id in names::plain(name).into_iter().chain(others) {
        match desk.create(guest, Some(id), Some(name.to_owned()), false).await {
            Err(Refusal::SessionExists(_)) => {}
            made => return made,
        }
    }
    // Chance does not do that.
    Err(Refusal::SessionExists(String::new()))
}

pub(super) async fn list(State(desk): State<Arc<Desk>>, headers: HeaderMap, uri: Uri) -> Answer {
    let guest = desk.caller(None, &headers, &uri).await?;
    let sessions = desk.sessions(&guest, Search::default).await?;
    let views: Vec<Value> = sessions.iter().map(view).collect();
    Ok(success("Daftar session", json!({"total": views.len(), "sessions": views})))
}

/// The caller and the session that a path names.
async fn called(desk: &Desk, id: &str, headers: &HeaderMap, uri: &Uri) -> Result<(Guest, SessionRecord), Refusal> {
    let guest = desk.caller(None, headers, uri).await?;
    let session = desk.session(&guest, id).await?;
    Ok((guest, session))
}

pub(super) async fn one(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap, uri: Uri) -> Answer {
    let (_, session) = called(&desk, &id, &headers, &uri).await?;
    Ok(shown("Status session", &session))
}

/// Starts a session; what there is to scan comes over the sockets. One that runs already is shown to them again.
pub(super) async fn start(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap, uri: Uri) -> Answer {
    let (guest, session) = called(&desk, &id, &headers, &uri).await?;
    let session = desk.tell(&guest, &session, Order::Start).await?;
    desk.app.notices.tell(&session.tenant, &session.id, News::Asked);
    let message = match session.status.state {
        SessionState::Connected => "Session sudah terhubung",
        state if state.is_linked() => "Session sedang dihubungkan",
        _ => {
            desk.starts.expect_code(&desk, &session);
            "Session dimulai, QR code dikirim melalui Socket.io"
        }
    };
    Ok(shown(message, &session))
}

pub(super) async fn stop(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap, uri: Uri) -> Answer {
    let (guest, session) = called(&desk, &id, &headers, &uri).await?;
    let session = desk.tell(&guest, &session, Order::Stop).await?;
    desk.app.notices.tell(&session.tenant, &session.id, News::Stopped);
    Ok(shown("Session dihentikan", &session))
}

pub(super) async fn log_out(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap, uri: Uri) -> Answer {
    let (guest, session) = called(&desk, &id, &headers, &uri).await?;
    let session = desk.tell(&guest, &session, Order::LogOut).await?;
    Ok(shown("Session sedang dikeluarkan dari WhatsApp", &session))
}

pub(super) async fn remove(State(desk): State<Arc<Desk>>, InPath(id): InPath, headers: HeaderMap, uri: Uri) -> Answer {
    let (guest, session) = called(&desk, &id, &headers, &uri).await?;
    desk.remove(&guest, &session).await?;
    desk.app.notices.tell(&session.tenant, &session.id, News::Deleted);
    Ok(success("Session berhasil dihapus", json!({"sessionId": session.id.as_str()})))
}
