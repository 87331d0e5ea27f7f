//! Events of webhooks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EventV1;
use crate::domain::{DisabledReason, EventId, EventKind, OutboxEvent, TenantId, Timestamp, WebhookId};

/// Data of `webhook.*` events.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WebhookDataV1 {
    /// The webhook's id.
    pub webhook: String,
    /// Why it is told no more: `failing` or `gone`; only in `webhook.disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl WebhookDataV1 {
    fn event(
        (kind, occasion): (EventKind, &str),
        tenant: &TenantId,
        webhook: &WebhookId,
        reason: Option<DisabledReason>,
        at: Timestamp,
    ) -> OutboxEvent {
        let data = Self { webhook: webhook.to_string(), reason: reason.map(|reason| reason.as_str().to_owned()) };
        let id = EventId::of_webhook(webhook, kind, occasion);
        EventV1::outbox(id, kind, tenant, None, webhook.to_string(), at, data)
    }

    /// `webhook.disabled`.
    pub fn disabled(tenant: &TenantId, webhook: &WebhookId, reason: DisabledReason, at: Timestamp) -> OutboxEvent {
        let occasion = at.as_millis().to_string();
        Self::event((EventKind::WebhookDisabled, &occasion), tenant, webhook, Some(reason), at)
    }

    /// `webhook.test`, for the webhook alone: it is in no log and on no exchange. `occasion` tells tests apart.
    pub fn test(tenant: &TenantId, webhook: &WebhookId, occasion: &str, at: Timestamp) -> OutboxEvent {
        Self::event((EventKind::WebhookTest, occasion), tenant, webhook, None, at)
    }
}
