//! Events as they are kept and told again: read back from the wire, and without what nobody may find later.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{EventId, EventKind, OutboxEvent, SessionId, TenantId, Timestamp};

/// Why the body of an event can't be read. It repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableEvent {
    /// Not the envelope of an event.
    #[error("it is not the envelope of an event")]
    Envelope,
    /// Of a kind that this version does not know.
    #[error("it is of a kind that this version does not know")]
    Kind,
    /// A name or a moment in it is none.
    #[error("its {0} is none")]
    Field(&'static str),
}

/// What there is to know of any event.
#[derive(Deserialize)]
struct Envelope {
    id: Uuid,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    tenant: String,
    session: Option<String>,
}

/// Reads an event from its envelope.
pub fn read_event(body: &[u8]) -> Result<OutboxEvent, UnreadableEvent> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| UnreadableEvent::Envelope)?;
    let session = envelope.session.map(SessionId::new).transpose();
    Ok(OutboxEvent {
        id: EventId(envelope.id),
        tenant: TenantId::new(&envelope.tenant).map_err(|_| UnreadableEvent::Field("tenant"))?,
        session: session.map_err(|_| UnreadableEvent::Field("session"))?,
        kind: EventKind::parse(&envelope.kind).ok_or(UnreadableEvent::Kind)?,
        at: Timestamp::parse_rfc3339(&envelope.time).ok_or(UnreadableEvent::Field("time"))?,
        body: body.to_vec(),
    })
}

/// What stays of the data of an event that links a session.
const HARMLESS: [&str; 5] = ["state", "number", "reason", "until", "expires_at"];

/// Whether whoever sees an event of this kind can link the session.
fn links(kind: EventKind) -> bool {
    matches!(kind.as_str(), "session.qr" | "session.pairing_code")
}

/// The event as it may be kept and told later: one that brings a QR payload or a pairing code says only that there is a new
/// one. Codes are good for seconds and for whoever may control the session, who asks for the one of the moment.
pub fn without_credentials(event: &OutboxEvent) -> Cow<'_, OutboxEvent> {
    if !links(event.kind) {
        return Cow::Borrowed(event);
    }
    let mut envelope: Value = serde_json::from_slice(&event.body).unwrap_or_default();
    if let Some(data) = envelope.get_mut("data").and_then(Value::as_object_mut) {
        data.retain(|name, _| HARMLESS.contains(&name.as_str()));
    }
    // What can't be read might hold anything, so nothing of it stays.
    let body = if envelope.is_object() { serde_json::to_vec(&envelope).unwrap_or_default() } else { Vec::new() };
    Cow::Owned(OutboxEvent { body, ..event.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, QrCode, Secret, SessionState, SessionStatus};
    use crate::wire::SessionDataV1;

    fn qr() -> OutboxEvent {
        let at = Timestamp::from_millis(1_790_000_000_123);
        let code = QrCode { text: Secret::new("2@very,secret".into()), expires_at: at };
        let status = SessionStatus { state: SessionState::AwaitingScan, qr: Some(code), ..SessionStatus::created(at) };
        let (tenant, session) = (TenantId::new("acme").unwrap(), SessionId::new("s1").unwrap());
        SessionDataV1::event(EventKind::SessionQr, &tenant, &session, &status, (Epoch(1), 1), at).unwrap()
    }

    #[test]
    fn an_event_is_read_back_from_its_body() {
        let event = qr();
        assert_eq!(read_event(&event.body), Ok(event.clone()));
        let changed = |from: &str, to: &str| String::from_utf8(event.body.clone()).unwrap().replacen(from, to, 1);
        assert_eq!(read_event(b"{}"), Err(UnreadableEvent::Envelope));
        assert_eq!(read_event(changed("session.qr", "session.danced").as_bytes()), Err(UnreadableEvent::Kind));
        assert_eq!(
            read_event(changed("\"tenant\":\"acme\"", "\"tenant\":\"a b\"").as_bytes()),
            Err(UnreadableEvent::Field("tenant"))
        );
    }

    #[test]
    fn what_links_a_session_is_not_kept() {
        let event = qr();
        let kept = without_credentials(&event);
        let text = String::from_utf8(kept.body.clone()).unwrap();
        assert!(!text.contains("secret") && !text.contains("png"), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["data"]["state"], "awaiting_scan");
        assert_eq!((kept.id, kept.kind), (event.id, event.kind));
        let broken = OutboxEvent { body: b"2@very,secret".to_vec(), ..event };
        assert!(without_credentials(&broken).body.is_empty());
        let other = OutboxEvent { kind: EventKind::SessionConnected, ..broken };
        assert_eq!(*without_credentials(&other), other);
    }
}
