//! The contract's JSON Schemas, made from the types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{
    AlertDataV1, EventV1, FleetDataV1, JobV1, MessageDataV1, PrefixDataV1, ReceivedDataV1, RecipientDataV1,
    SessionDataV1, VerificationDataV1, WebhookDataV1,
};
use crate::domain::EventKind;

fn schema<T: schemars::JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// Name and JSON Schema (draft 2020-12) of each payload, as they stand in `docs/CONTRACT/`.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("job.v1", schema::<JobV1>()),
        ("event.message.v1", schema::<EventV1<MessageDataV1>>()),
        ("event.received.v1", schema::<EventV1<ReceivedDataV1>>()),
        ("event.session.v1", schema::<EventV1<SessionDataV1>>()),
        ("event.fleet.v1", schema::<EventV1<FleetDataV1>>()),
        ("event.verification.v1", schema::<EventV1<VerificationDataV1>>()),
        ("event.prefix.v1", schema::<EventV1<PrefixDataV1>>()),
        ("event.webhook.v1", schema::<EventV1<WebhookDataV1>>()),
        ("event.alert.v1", schema::<EventV1<AlertDataV1>>()),
        ("event.recipient.v1", schema::<EventV1<RecipientDataV1>>()),
    ]
}

/// Which schema an event of this kind follows.
pub(super) fn schema_of(kind: EventKind) -> &'static str {
    match kind.as_str().split('.').next() {
        Some("session") => "event.session.v1",
        Some("fleet") => "event.fleet.v1",
        Some("verification") if kind == EventKind::VerificationPrefixBlocked => "event.prefix.v1",
        Some("verification") => "event.verification.v1",
        Some("webhook") => "event.webhook.v1",
        Some("alert") => "event.alert.v1",
        Some("recipient") => "event.recipient.v1",
        _ if kind == EventKind::MessageReceived => "event.received.v1",
        _ => "event.message.v1",
    }
}
