//! Events: what kurir tells the world, and what the outbox keeps of them until they are told.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    JobKey, MessageState, NumberPrefix, SessionId, TenantId, Timestamp, VerificationId, WebhookId, WorkerName,
};

/// Namespace of the event ids (UUID version 5). Fixed for ever: a repeated event must be recognisable.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b75_7269_7200_4e53_8a01_6576_656e_7473);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// The kinds of events, one type of data each (see the contract).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum EventKind { $($(#[$doc])* #[serde(rename = $text)] $name),+ }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The CloudEvents `type` and the last part of the routing key.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Reads what [`EventKind::as_str`] wrote.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
            }
        }
    };
}

kinds! {
    /// A session was created.
    SessionCreated = "session.created",
    /// A new QR code waits to be scanned.
    SessionQr = "session.qr",
    /// A code waits to be typed on the phone.
    SessionPairingCode = "session.pairing_code",
    /// The phone has linked the session.
    SessionPaired = "session.paired",
    /// The session can send.
    SessionConnected = "session.connected",
    /// The connection is gone; the worker tries again.
    SessionDisconnected = "session.disconnected",
    /// Logged out on the phone; the credentials are removed.
    SessionLoggedOut = "session.logged_out",
    /// WhatsApp limits the account.
    SessionLimited = "session.limited",
    /// WhatsApp bans the account.
    SessionBanned = "session.banned",
    /// Accepted by the gateway.
    MessageQueued = "message.queued",
    /// Waits for a limit or a retry.
    MessageDelayed = "message.delayed",
    /// Taken by WhatsApp's server.
    MessageSent = "message.sent",
    /// On the phone.
    MessageDelivered = "message.delivered",
    /// Seen by the recipient.
    MessageRead = "message.read",
    /// Will not be sent.
    MessageFailed = "message.failed",
    /// Deadline passed before it was on the wire.
    MessageExpired = "message.expired",
    /// On the wire, deadline passed without an answer.
    MessageUncertain = "message.uncertain",
    /// Taken back before it was on the wire.
    MessageCancelled = "message.cancelled",
    /// Somebody wrote to the session.
    MessageReceived = "message.received",
    /// A verification was asked for.
    VerificationCreated = "verification.created",
    /// Its code was handed to a channel.
    VerificationSent = "verification.sent",
    /// The code was given back.
    VerificationApproved = "verification.approved",
    /// No channel could deliver the code; it can be sent again.
    VerificationFailed = "verification.failed",
    /// Its time passed without the code.
    VerificationExpired = "verification.expired",
    /// Taken back.
    VerificationCanceled = "verification.canceled",
    /// Too many wrong codes.
    VerificationMaxAttemptsReached = "verification.max_attempts_reached",
    /// A channel did not deliver, the next one is used.
    VerificationFallback = "verification.fallback",
    /// Numbers of a prefix never convert: they get no more codes for a while.
    VerificationPrefixBlocked = "verification.prefix_blocked",
    /// A webhook is told no more: it failed for too long, or is gone.
    WebhookDisabled = "webhook.disabled",
    /// Somebody tries a webhook.
    WebhookTest = "webhook.test",
    /// A recipient wants no bulk messages any more: he replied with a word for it.
    RecipientSuppressed = "recipient.suppressed",
    /// A recipient takes that back.
    RecipientResumed = "recipient.resumed",
    /// Too many of a tenant's messages fail, or not any more.
    FailureRateAlert = "alert.failure_rate",
    /// A worker joined the fleet.
    WorkerJoined = "fleet.worker_joined",
    /// A worker left the fleet.
    WorkerLeft = "fleet.worker_left",
}

impl EventKind {
    /// The event that announces a message's state; `Sending` is nobody's business but ours.
    pub const fn of_state(state: MessageState) -> Option<Self> {
        match state {
            MessageState::Queued => Some(Self::MessageQueued),
            MessageState::Delayed => Some(Self::MessageDelayed),
            MessageState::Sending => None,
            MessageState::Sent => Some(Self::MessageSent),
            MessageState::Delivered => Some(Self::MessageDelivered),
            MessageState::Read => Some(Self::MessageRead),
            MessageState::Failed => Some(Self::MessageFailed),
            MessageState::Expired => Some(Self::MessageExpired),
            MessageState::Uncertain => Some(Self::MessageUncertain),
            MessageState::Cancelled => Some(Self::MessageCancelled),
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event's id: the same for the same fact, however often it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl EventId {
    /// Of a job's state. A job may be delayed more than once, so `turn` tells these apart; it is 0 elsewhere.
    pub fn of_job(key: &JobKey, kind: EventKind, turn: u32) -> Self {
        Self::of(&format!("job/{}/{}/{kind}/{turn}", key.tenant, key.job))
    }

    /// Of a session; `occasion` tells apart what happens more than once (an epoch and a count, a message id).
    pub fn of_session(session: &SessionId, kind: EventKind, occasion: &str) -> Self {
        Self::of(&format!("session/{session}/{kind}/{occasion}"))
    }

    /// Of a verification; `turn` tells apart what happens more than once (sends and their channels).
    pub fn of_verification(tenant: &TenantId, id: VerificationId, kind: EventKind, turn: &str) -> Self {
        Self::of(&format!("verification/{tenant}/{id}/{kind}/{turn}"))
    }

    /// Of a prefix of numbers that was blocked at a moment.
    pub fn of_prefix(tenant: &TenantId, prefix: &NumberPrefix, kind: EventKind, at: Timestamp) -> Self {
        Self::of(&format!("prefix/{tenant}/{}/{kind}/{}", prefix.digits(), at.as_millis()))
    }

    /// Of a worker process.
    pub fn of_fleet(worker: &WorkerName, kind: EventKind, instance: u128) -> Self {
        Self::of(&format!("fleet/{worker}/{kind}/{instance:032x}"))
    }

    /// Of a webhook; `occasion` tells apart what happens more than once.
    pub fn of_webhook(webhook: &WebhookId, kind: EventKind, occasion: &str) -> Self {
        Self::of(&format!("webhook/{webhook}/{kind}/{occasion}"))
    }

    /// Of an alert of a tenant's that came into a state at a moment.
    pub fn of_alert(tenant: &TenantId, kind: EventKind, state: &str, at: Timestamp) -> Self {
        Self::of(&format!("alert/{tenant}/{kind}/{state}/{}", at.as_millis()))
    }

    fn of(name: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event on its way out: written in the same transaction as the fact it tells, removed once the broker has
/// confirmed it.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Its id.
    pub id: EventId,
    /// Whom it concerns.
    pub tenant: TenantId,
    /// The session it happened at; `None` for the fleet's own events, which have `-` in the routing key.
    pub session: Option<SessionId>,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// The CloudEvents envelope, JSON. It may hold a QR payload or an incoming text: stores seal it, logs never
    /// see it.
    pub body: Vec<u8>,
}

impl OutboxEvent {
    /// `{tenant}.{session}.{type}`.
    pub fn routing_key(&self) -> String {
        let session = self.session.as_ref().map_or("-", SessionId::as_str);
        format!("{}.{session}.{}", self.tenant, self.kind)
    }
}

impl fmt::Debug for OutboxEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutboxEvent({} {} {} bytes)", self.id, self.routing_key(), self.body.len())
    }
}
