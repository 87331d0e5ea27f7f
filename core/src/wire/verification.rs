//! Events of verifications. None of them ever holds a code.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventV1;
use crate::domain::{EventId, EventKind, NumberPrefix, OutboxEvent, TenantId, Timestamp, Verification};

/// Data of `verification.*` events but `verification.prefix_blocked`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerificationDataV1 {
    /// The verification's id.
    pub verification: Uuid,
    /// Where it stands: `pending`, `approved`, `expired`, `max_attempts_reached` or `canceled`.
    pub status: String,
    /// The number, masked.
    pub to: String,
    /// The kind of the present channel: `session`, `pool` or `webhook`.
    pub channel: String,
    /// The session's or the pool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of the message that carries the code; its own events tell what becomes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Uuid>,
    /// How often the code was asked to be sent.
    pub sends: u32,
    /// How often a code was given back.
    pub checks: u32,
    /// When it is too late.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
    /// Why the channel before, or the last one, did not deliver; in `fallback` and `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The caller's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl VerificationDataV1 {
    /// An event of a verification as it stands after it.
    pub fn event(kind: EventKind, of: &Verification, reason: Option<&str>, at: Timestamp) -> OutboxEvent {
        let channel = of.channel().map(|hop| &hop.channel);
        let message = channel.is_some_and(|channel| channel.target().is_some());
        let data = Self {
            verification: of.id.as_uuid(),
            status: of.status.to_string(),
            to: of.to.masked(),
            channel: channel.map_or("", |channel| channel.as_str()).to_owned(),
            name: channel.and_then(|channel| channel.name()).map(str::to_owned),
            job: message.then(|| of.job().as_uuid()),
            sends: of.sends,
            checks: of.checks,
            expires_at: of.expires_at.to_rfc3339(),
            reason: reason.map(str::to_owned),
            metadata: of.metadata.clone(),
        };
        // Each of these happens once to a verification, or once to one of its sendings on one of its channels.
        let turn = match kind {
            EventKind::VerificationSent | EventKind::VerificationFailed | EventKind::VerificationFallback => {
                format!("{}/{}", of.sends, of.hop)
            }
            _ => String::new(),
        };
        let id = EventId::of_verification(&of.tenant, of.id, kind, &turn);
        EventV1::outbox(id, kind, &of.tenant, None, of.id.to_string(), at, data)
    }
}

/// Data of `verification.prefix_blocked`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PrefixDataV1 {
    /// The prefix: a number without its last four digits.
    pub prefix: String,
    /// Until when its numbers get no codes.
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
}

impl PrefixDataV1 {
    /// A prefix is blocked at `at`, until `until`.
    pub fn event(tenant: &TenantId, prefix: &NumberPrefix, at: Timestamp, until: Timestamp) -> OutboxEvent {
        let kind = EventKind::VerificationPrefixBlocked;
        let id = EventId::of_prefix(tenant, prefix, kind, at);
        let data = Self { prefix: prefix.digits().to_owned(), until: until.to_rfc3339() };
        EventV1::outbox(id, kind, tenant, None, "prefix".to_owned(), at, data)
    }
}
