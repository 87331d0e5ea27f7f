//! Sessions by name.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse as _;
use kurir_core::domain::{Scope, SessionId, SessionRecord, TenantId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::path::InPath;
use super::super::qr::{ToScan, picture};
use super::super::sessions::{is_connected, name_of, word};
use super::super::{Desk, Guest, Refusal};
use super::{Answer, Call};
use crate::gateway::usecase::Search;

/// How many sessions that had one name before, and have another one now, are passed over for a new one.
const MOST_RENAMED: u8 = 16;

/// A name as this dialect takes it: what can stand in a path, a head and a file's name without a second thought.
pub(super) fn checked_name(name: &str) -> Result<&str, Refusal> {
    match SessionId::new(name) {
        Ok(_) => Ok(name),
        Err(_) => {
            Err(Refusal::bad("sessionId", "has 1 to 64 letters, digits, '-' and '_', the first a letter or a digit"))
        }
    }
}

/// The id of the session that a tenant first calls so. Two requests at the same moment make one session, since they make the
/// same id.
fn id_of(tenant: &TenantId, name: &str, turn: u8) -> Result<SessionId, Refusal> {
    let mut hash = Sha256::new();
    for part in [tenant.as_str().as_bytes(), b"\0", name.as_bytes(), &[turn]] {
        hash.update(part);
    }
    let hash = hash.finalize();
    // 80 bits: those of two names never meet.
    let number = hash.iter().take(10).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    SessionId::new(format!("m{number:020x}")).map_err(|_| Refusal::Unavailable)
}

fn view(session: &SessionRecord) -> Value {
    json!({"sessionId": name_of(session), "connected": is_connected(session), "status": word(session, "qr_ready")})
}

impl Desk {
    /// The session of this name, made and started if there is none.
    async fn named_or_new(&self, guest: &Guest, name: &str) -> Result<SessionRecord, Refusal> {
        if let Some(session) = self.named(guest, name).await? {
            return Ok(session);
        }
        for turn in 0..MOST_RENAMED {
            match self.create(guest, Some(id_of(guest.tenant(), name, turn)?), Some(name.to_owned()), true).await {
                Err(Refusal::SessionExists(_)) => {
                    // Somebody was faster; or it was renamed, and the name is free for another one.
                    if let Some(session) = self.named(guest, name).await? {
                        return Ok(session);
                    }
                }
                made => return made,
            }
        }
        Err(Refusal::SessionExists(name.to_owned()))
    }
}

/// The code to scan; the first request for a name makes its session.
pub(super) async fn qr(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let Call { guest, session: name, .. } = desk.multi_call(request).await?;
    guest.needs(Scope::Control)?;
    let session = desk.named_or_new(&guest, &name).await?;
    let answer = match desk.qr(&guest, &session.id).await? {
        ToScan::Code(code) => json!({
            "success": true,
            "qr": picture(&code)?,
            "sessionId": name,
            "status": "qr_ready",
            "expiresAt": code.expires_at.to_rfc3339()
        }),
        ToScan::Linked => json!({
            "success": true,
            "qr": null,
            "sessionId": name,
            "status": "connected",
            "message": "Session is already connected"
        }),
    };
    Ok(Json(answer).into_response())
}

pub(super) async fn status(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let Call { guest, session: name, .. } = desk.multi_call(request).await?;
    let session = desk.named(&guest, &name).await?.ok_or(Refusal::NoSession)?;
    let mut answer = view(&session);
    answer["success"] = json!(true);
    Ok(Json(answer).into_response())
}

pub(super) async fn list(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let mut sessions = desk.sessions(&guest, Search::default).await?;
    // In the order in which they were made; their ids say nothing to these callers.
    sessions.sort_by_key(|session| session.created_at);
    let views: Vec<Value> = sessions.iter().map(view).collect();
    Ok(Json(json!({"success": true, "sessions": views})).into_response())
}

pub(super) async fn remove(State(desk): State<Arc<Desk>>, InPath(name): InPath, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let session = desk.named(&guest, checked_name(&name)?).await?.ok_or(Refusal::NoSession)?;
    desk.remove(&guest, &session).await?;
    Ok(Json(json!({"success": true, "message": "Session deleted successfully"})).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_two_tenants_are_two_sessions() {
        let tenant = |name| TenantId::new(name).unwrap();
        let id = |name, session, turn| id_of(&tenant(name), session, turn).unwrap();
        assert_eq!(id("a", "sales", 0), id("a", "sales", 0));
        let others = [id("b", "sales", 0), id("a", "support", 0), id("a", "sales", 1), id("a-", "sales", 0)];
        assert!(others.iter().all(|other| *other != id("a", "sales", 0)));
    }

    #[test]
    fn a_name_is_nothing_that_means_more_than_a_name() {
        assert!(checked_name("sales_Team-1").is_ok());
        for name in ["", "a b", "../x", "a/b", "a\r\nX-Y: z", "<b>", "ä", "-a", &"x".repeat(65)] {
            assert!(checked_name(name).is_err(), "{name:?}");
        }
    }
}
