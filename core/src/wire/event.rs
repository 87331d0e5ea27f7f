//! Events as they are published: CloudEvents 1.0, structured JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{
    Epoch, EventId, EventKind, FailReason, JobId, JobKey, LedgerEntry, MessageId, MessageState, OutboxEvent, QrCode,
    QrError, Secret, SessionId, SessionStatus, TenantId, Timestamp,
};

/// The AMQP `type` of an event. A later version gets another one.
pub const EVENT_KIND: &str = "kurir.event.v1";

/// A CloudEvents 1.0 envelope. `tenant` and `session` are extension attributes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "kurir event, version 1")]
pub struct EventV1<D> {
    /// Always `1.0`.
    pub specversion: String,
    /// The same for the same fact, however often it is published: consumers drop what they know.
    pub id: Uuid,
    /// `/kurir/{tenant}` and, of a session, `/sessions/{session}`.
    pub source: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whom it is about: the id of the job, the session, the verification or the webhook, WhatsApp's id of a message that came in,
    /// the worker's name, the tenant of an alert, or `prefix`.
    pub subject: String,
    /// When, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// Whom it concerns.
    pub tenant: String,
    /// At which session; absent where none is concerned: the fleet's own events, verifications, webhooks, alerts, and a pool's job
    /// while it is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What there is to tell.
    pub data: D,
}

/// Data of `message.*` events but `message.received`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MessageDataV1 {
    /// The job's id.
    pub job: Uuid,
    /// WhatsApp's id of the message; absent where the job could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The recipient's number, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// How many attempts were made: on the wire, or ended right before it.
    pub attempts: u32,
    /// Why it failed or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which field was bad; only of jobs that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// WhatsApp's error code behind the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// A delayed job is not tried before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub not_before: Option<String>,
    /// When it was enqueued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub enqueued_at: Option<String>,
    /// The producer's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A QR code in the forms that people need. Whoever scans it links the session: treat the event as a secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct QrV1 {
    /// What the code says.
    pub text: String,
    /// A picture, as a `data:` URL.
    pub png: String,
    /// A drawing for a terminal.
    pub terminal: String,
    /// When WhatsApp stops taking it.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

impl std::fmt::Debug for QrV1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QrV1(until {})", self.expires_at)
    }
}

impl QrV1 {
    /// Draws the code.
    pub fn draw(qr: &QrCode) -> Result<Self, QrError> {
        let png = base64::engine::general_purpose::STANDARD.encode(qr.png()?);
        Ok(Self {
            text: qr.text.expose().clone(),
            png: format!("data:image/png;base64,{png}"),
            terminal: qr.terminal()?,
            expires_at: qr.expires_at.to_rfc3339(),
        })
    }
}

/// A code to type on the phone. Whoever types it links the session: treat the event as a secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct PairingCodeV1 {
    /// Eight letters and digits, typed with or without a dash in the middle.
    pub code: String,
    /// When WhatsApp stops taking it.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

impl std::fmt::Debug for PairingCodeV1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PairingCodeV1(until {})", self.expires_at)
    }
}

/// Data of `session.*` events.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionDataV1 {
    /// Where the session stands.
    pub state: String,
    /// The linked number, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Why, where there is a reason to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When a ban or limit ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub until: Option<String>,
    /// The code to scan; only in `session.qr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qr: Option<QrV1>,
    /// The code to type; only in `session.pairing_code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing_code: Option<PairingCodeV1>,
}

/// Data of `recipient.*` events: somebody who got bulk messages wants none any more, or wants them again.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct RecipientDataV1 {
    /// The recipient's number, digits in international form: whoever keeps addresses needs all of it.
    pub number: String,
    /// How it is known: `reply`.
    pub source: String,
    /// The word that was written, as the settings have it.
    pub word: String,
    /// WhatsApp's id of the message that said so.
    pub message_id: String,
}

impl std::fmt::Debug for RecipientDataV1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecipientDataV1({})", self.message_id)
    }
}

/// Data of `fleet.*` events.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetDataV1 {
    /// The worker's name.
    pub worker: String,
    /// How many sessions it is ready to hold.
    pub capacity: u32,
    /// How many it holds.
    pub held: u32,
}

impl<D: Serialize> EventV1<D> {
    pub(super) fn outbox(
        id: EventId,
        kind: EventKind,
        tenant: &TenantId,
        session: Option<&SessionId>,
        subject: String,
        at: Timestamp,
        data: D,
    ) -> OutboxEvent {
        let envelope = Self {
            specversion: "1.0".into(),
            id: id.0,
            source: session
                .map_or_else(|| format!("/kurir/{tenant}"), |session| format!("/kurir/{tenant}/sessions/{session}")),
            kind: kind.as_str().into(),
            subject,
            time: at.to_rfc3339(),
            datacontenttype: "application/json".into(),
            tenant: tenant.to_string(),
            session: session.map(ToString::to_string),
            data,
        };
        OutboxEvent {
            id,
            tenant: tenant.clone(),
            session: session.cloned(),
            kind,
            at,
            // Strings, numbers and string maps always serialise.
            body: serde_json::to_vec(&envelope).unwrap_or_default(),
        }
    }
}

impl MessageDataV1 {
    /// The events that tell how `entry` came to stand where it stands, when it stood in `before`. A receipt that
    /// overtook the server's ack tells of the steps between too.
    pub fn events(
        entry: &LedgerEntry,
        before: MessageState,
        session: Option<&SessionId>,
        at: Timestamp,
    ) -> Vec<OutboxEvent> {
        before
            .steps_to(entry.state)
            .into_iter()
            .filter_map(EventKind::of_state)
            .map(|kind| {
                let turn = if kind == EventKind::MessageDelayed {
                    u32::try_from(entry.version).unwrap_or(u32::MAX)
                } else {
                    0
                };
                let data = Self {
                    job: entry.key.job.as_uuid(),
                    message_id: Some(entry.message_id.to_string()),
                    to: Some(entry.recipient.clone()),
                    lane: Some(entry.lane.to_string()),
                    attempts: entry.attempts,
                    reason: entry.reason.map(|reason| reason.to_string()),
                    detail: None,
                    code: entry.code,
                    not_before: entry.not_before.map(Timestamp::to_rfc3339),
                    enqueued_at: Some(entry.enqueued_at.to_rfc3339()),
                    metadata: entry.metadata.clone(),
                };
                let moment = match kind {
                    EventKind::MessageSent => entry.sent_at,
                    EventKind::MessageDelivered => entry.delivered_at,
                    EventKind::MessageRead => entry.read_at,
                    _ => None,
                };
                let id = EventId::of_job(&entry.key, kind, turn);
                let subject = entry.key.job.to_string();
                EventV1::outbox(id, kind, &entry.key.tenant, session, subject, moment.unwrap_or(at), data)
            })
            .collect()
    }

    /// `message.failed` of a job that could not be read.
    pub fn malformed(
        tenant: &TenantId,
        session: &SessionId,
        job: JobId,
        reason: FailReason,
        detail: &str,
        at: Timestamp,
    ) -> OutboxEvent {
        let kind = EventKind::MessageFailed;
        let data = Self {
            job: job.as_uuid(),
            message_id: None,
            to: None,
            lane: None,
            attempts: 0,
            reason: Some(reason.to_string()),
            detail: Some(detail.to_owned()),
            code: None,
            not_before: None,
            enqueued_at: None,
            metadata: BTreeMap::new(),
        };
        // A turn of its own: a well-formed job under the same id may still end, and that is another fact.
        let id = EventId::of_job(&JobKey::new(tenant.clone(), job), kind, 1);
        EventV1::outbox(id, kind, tenant, Some(session), job.to_string(), at, data)
    }
}

impl SessionDataV1 {
    /// An event of a session. `turn` counts the session's events of one epoch, so that each has an id of its own.
    pub fn event(
        kind: EventKind,
        tenant: &TenantId,
        session: &SessionId,
        status: &SessionStatus,
        (epoch, turn): (Epoch, u64),
        at: Timestamp,
    ) -> Result<OutboxEvent, QrError> {
        let data = Self {
            state: status.state.to_string(),
            number: status.account.as_ref().map(|account| account.number.masked()),
            reason: status.reason.map(|reason| reason.to_string()),
            until: status.until.map(Timestamp::to_rfc3339),
            qr: status.qr.as_ref().map(QrV1::draw).transpose()?,
            pairing_code: None,
        };
        let id = EventId::of_session(session, kind, &format!("{epoch}/{turn}"));
        Ok(EventV1::outbox(id, kind, tenant, Some(session), session.to_string(), at, data))
    }
}

impl SessionDataV1 {
    /// `session.pairing_code`; the rest as in [`SessionDataV1::event`].
    pub fn pairing_code(
        tenant: &TenantId,
        session: &SessionId,
        status: &SessionStatus,
        (code, expires_at): (&Secret<String>, Timestamp),
        (epoch, turn): (Epoch, u64),
        at: Timestamp,
    ) -> OutboxEvent {
        let kind = EventKind::SessionPairingCode;
        let data = Self {
            state: status.state.to_string(),
            number: status.account.as_ref().map(|account| account.number.masked()),
            reason: None,
            until: None,
            qr: None,
            pairing_code: Some(PairingCodeV1 { code: code.expose().clone(), expires_at: expires_at.to_rfc3339() }),
        };
        let id = EventId::of_session(session, kind, &format!("{epoch}/{turn}"));
        EventV1::outbox(id, kind, tenant, Some(session), session.to_string(), at, data)
    }
}

impl RecipientDataV1 {
    /// `recipient.suppressed` or `recipient.resumed`, by what somebody wrote to a session.
    pub fn event(
        kind: EventKind,
        tenant: &TenantId,
        session: &SessionId,
        (message, number): (&MessageId, &crate::domain::PhoneNumber),
        word: &str,
        at: Timestamp,
    ) -> OutboxEvent {
        let data = Self {
            number: number.digits().to_owned(),
            source: "reply".to_owned(),
            word: word.to_owned(),
            message_id: message.to_string(),
        };
        let id = EventId::of_session(session, kind, &format!("{}/{message}", number.digits()));
        EventV1::outbox(id, kind, tenant, Some(session), message.to_string(), at, data)
    }
}

impl FleetDataV1 {
    /// `fleet.*`, addressed to the operator's tenant; `instance` tells two processes of one name apart.
    pub fn event(
        kind: EventKind,
        tenant: &TenantId,
        beat: (&crate::domain::WorkerName, u128, u32, u32),
        at: Timestamp,
    ) -> OutboxEvent {
        let (worker, instance, capacity, held) = beat;
        let data = Self { worker: worker.to_string(), capacity, held };
        let id = EventId::of_fleet(worker, kind, instance);
        EventV1::outbox(id, kind, tenant, None, worker.to_string(), at, data)
    }
}
