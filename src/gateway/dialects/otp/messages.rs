//! Texts and one-time passwords.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use kurir_core::domain::{CodeAlphabet, Lane, MessageState, PhoneNumber, Secret};
use kurir_core::policy::draw_code;
use kurir_core::port::MessageFilter;
use kurir_core::wire::ContentV1;
use serde_json::{Value, json};

use super::super::numbers::indonesian;
use super::super::path::InPath;
use super::super::send::{Letter, Posted};
use super::super::{Desk, Fields, Guest, Refusal};
use super::{Answer, success};

/// How far apart codes for one number are at least.
const OTP_EVERY: Duration = Duration::from_mins(1);

/// How long a code is worth sending, and how long it is where the caller gives none.
const OTP_TTL: u32 = 300;
const OTP_LENGTH: usize = 6;

const OTP_TEXT: &str =
    "Kode OTP Anda adalah: {code}\n\nKode berlaku 5 menit. Jangan berikan kode ini kepada siapa pun.";

/// A message's answer; what is only in hand is told as such.
pub(super) fn posted(posted: &Posted, more: Value) -> Response {
    let (entry, sent) = posted.entry();
    let mut data = json!({
        "messageId": posted.id(),
        "jobId": entry.key.job.to_string(),
        "status": if sent { "sent" } else { "accepted" },
        "timestamp": entry.enqueued_at.to_rfc3339(),
    });
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    if sent {
        return success("Pesan berhasil dikirim", data);
    }
    let mut answer = success("Pesan diterima dan sedang diproses", data);
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

pub(super) async fn text(State(desk): State<Arc<Desk>>, InPath(id): InPath, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.guest_of(&parts.headers).await?;
    let to = indonesian(&fields.needed("to")?)?;
    let text = fields.verbatim("message").ok_or(Refusal::Missing("message"))?.to_owned();
    let session = desk.session(&guest, &id).await?;
    let content = ContentV1::Text { text, reply_to: None };
    let letter = Letter { to: to.digits().to_owned(), content, lane: None, ttl: None };
    Ok(posted(&desk.post(&guest, &session, letter).await?, json!({"to": to.digits()})))
}

pub(super) async fn otp(State(desk): State<Arc<Desk>>, InPath(id): InPath, request: Request) -> Answer {
    let (parts, fields) = Fields::read(request, desk.app.body_limit).await?;
    let guest = desk.guest_of(&parts.headers).await?;
    let to = indonesian(&fields.needed("to")?)?;
    let session = desk.session(&guest, &id).await?;
    let code = fields.text("otp").map_or_else(|| new_code(&desk), Secret::new);
    desk.check_pause(&guest, &to).await?;
    let content = ContentV1::Otp { code: code.expose().clone(), text: Some(OTP_TEXT.to_owned()) };
    let letter = Letter { to: to.digits().to_owned(), content, lane: Some(Lane::Otp), ttl: Some(OTP_TTL) };
    let sent = desk.post(&guest, &session, letter).await?;
    // The caller compares it itself, so it has to know the code that was made for it.
    Ok(posted(&sent, json!({"to": to.digits(), "otp": code.expose(), "expiresIn": OTP_TTL})))
}

fn new_code(desk: &Desk) -> Secret<String> {
    draw_code(CodeAlphabet::Digits, OTP_LENGTH, |bytes| desk.app.entropy.fill(bytes))
}

impl Desk {
    /// Whether the number had a code in the last minute, of whatever gateway. Two requests at the same moment both pass; then
    /// the worker's own limit of recipients holds the second one back.
    async fn check_pause(&self, guest: &Guest, to: &PhoneNumber) -> Result<(), Refusal> {
        let now = self.app.clock.now();
        let states = MessageState::ALL.into_iter().filter(|state| !state.is_never_sent()).collect();
        let filter = MessageFilter {
            states: Some(states),
            lane: Some(Lane::Otp),
            recipient: Some(to.clone()),
            since: Some(now.minus(OTP_EVERY)),
            ..MessageFilter::of(guest.tenant().clone())
        };
        let last = self.app.cases.messages(&filter, None, 1).await?.messages.pop();
        let wait = last.map(|last| OTP_EVERY.saturating_sub(now.since(last.enqueued_at)));
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(Refusal::TooSoon(wait)),
            None => Ok(()),
        }
    }
}

pub(super) async fn format_phone(InPath(number): InPath) -> Answer {
    let formatted = indonesian(number.trim())?;
    let digits = formatted.digits();
    let data =
        json!({"original": number, "formatted": digits, "jid": format!("{digits}@s.whatsapp.net"), "isValid": true});
    Ok(success("Format nomor telepon valid", data))
}
