//! Sending: through the default session, or through the one that is named.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use kurir_core::domain::SessionRecord;
use kurir_core::wire::ContentV1;
use serde_json::json;

use super::super::send::Letter;
use super::super::sessions::name_of;
use super::card::Said;
use super::{Answer, Denied, Desk, Fields, Guest, Refusal, success};

pub(super) async fn send(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.guest_of(&parts.headers).await?;
    let to = fields.needed("to")?;
    let text = fields.verbatim("message").ok_or(Refusal::Missing("message"))?.to_owned();
    let session = desk.sender(&guest, &fields).await?;
    let content = ContentV1::Text { text, reply_to: None };
    let posted = desk.post(&guest, &session, Letter { to: to.clone(), content, lane: None, ttl: None }).await?;
    let (entry, sent) = posted.entry();
    let data = json!({
        "messageId": posted.id(),
        "jobId": entry.key.job.to_string(),
        "status": if sent { "sent" } else { "accepted" },
        "sessionId": session.id.as_str(),
        "sessionName": name_of(&session),
        "to": to,
        "timestamp": entry.enqueued_at.to_rfc3339(),
    });
    if sent {
        return Ok(success("Pesan berhasil dikirim", data));
    }
    let mut answer = success("Pesan diterima dan sedang diproses", data);
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}

impl Desk {
    /// The session that a message is to go out through. One that is named and is not there is an error: nobody's message goes
    /// out through another number than they said.
    async fn sender(&self, guest: &Guest, fields: &Fields) -> Result<SessionRecord, Denied> {
        match Said::read(fields, "sessionName")? {
            Said::Text(name) => Ok(self.named(guest, &name).await?.ok_or(Refusal::NoSession)?),
            Said::Nothing | Said::None => {
                let default = self.app.cases.default_session(guest.tenant()).await?;
                let default = default.filter(|session| guest.covers(session)).ok_or(Denied::NoDefault)?;
                Ok(self.session(guest, default.as_str()).await?)
            }
        }
    }
}
