//! Texts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use kurir_core::wire::ContentV1;
use serde_json::json;

use super::super::numbers::indonesian;
use super::super::path::InPath;
use super::super::send::Letter;
use super::super::{Desk, Fields, Refusal};
use super::{Answer, success};

pub(super) async fn send(State(desk): State<Arc<Desk>>, InPath(id): InPath, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.caller(None, &parts.headers, &parts.uri).await?;
    let to = fields.text("to").or_else(|| fields.text("number")).ok_or(Refusal::Missing("to"))?;
    // Its users write their own country's numbers as they say them; all others are in international form.
    let to = indonesian(&to).map_or(to, |number| number.digits().to_owned());
    let text = fields.verbatim("message").ok_or(Refusal::Missing("message"))?.to_owned();
    let session = desk.session(&guest, &id).await?;
    let content = ContentV1::Text { text, reply_to: None };
    let posted = desk.post(&guest, &session, Letter { to, content, lane: None, ttl: None }).await?;
    let (entry, sent) = posted.entry();
    let (message, word) =
        if sent { ("Pesan berhasil dikirim", "sent") } else { ("Pesan diterima dan sedang diproses", "accepted") };
    let mut answer = success(
        message,
        json!({
            "sessionId": session.id.as_str(),
            "messageId": posted.id(),
            "jobId": entry.key.job.to_string(),
            "status": word,
            "timestamp": entry.enqueued_at.to_rfc3339(),
        }),
    );
    if !sent {
        *answer.status_mut() = StatusCode::ACCEPTED;
    }
    Ok(answer)
}
