//! The register of webhooks, and the deliveries that are due to them.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryId, DisabledReason, LogPosition, OutboxEvent, TenantId, Timestamp,
    Webhook, WebhookHealth, WebhookId,
};

/// Deliveries that somebody has taken to try them: nobody else does until `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryClaim {
    /// Whose they are; drawn anew for each claim.
    pub token: u128,
    /// The moment of the claim.
    pub now: Timestamp,
    /// When others may take them.
    pub until: Timestamp,
}

/// Webhooks and their deliveries. Removing a webhook removes its deliveries.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Keeps a new webhook; `false`: there is one of this id already, and it stays as it is.
    async fn add_webhook(&self, webhook: &Webhook) -> Result<bool, PortError>;

    /// One webhook.
    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, PortError>;

    /// The webhooks of a tenant, in the order of their ids.
    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<Webhook>, PortError>;

    /// Replaces settings and health of a webhook that still has the version that this one was made from, moves its cursor
    /// forward (never back), and counts the version up. `false`: somebody else came first, or it is gone.
    async fn change_webhook(&self, webhook: &Webhook) -> Result<bool, PortError>;

    /// Removes a webhook; whether there was one.
    async fn remove_webhook(&self, id: &WebhookId) -> Result<bool, PortError>;

    /// Webhooks that are not disabled, have looked through the log less far than this, and have fewer than `most` deliveries
    /// pending; at most `limit`.
    async fn behind(&self, newest: LogPosition, most: u32, limit: u32) -> Result<Vec<Webhook>, PortError>;

    /// Moves a webhook's cursor and adds deliveries, together, if the cursor still stands where it did. Whether that was so.
    async fn enlist(
        &self,
        id: &WebhookId,
        from: LogPosition,
        to: LogPosition,
        deliveries: &[Delivery],
    ) -> Result<bool, PortError>;

    /// Adds deliveries to a webhook; `false` if it is gone.
    async fn add_deliveries(&self, id: &WebhookId, deliveries: &[Delivery]) -> Result<bool, PortError>;

    /// Webhooks that are neither disabled nor resting and have deliveries that are due and nobody's; at most `limit`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Webhook>, PortError>;

    /// Takes deliveries of a webhook that are due and nobody's, at most `limit`, the longest due first.
    async fn claim(&self, id: &WebhookId, claim: DeliveryClaim, limit: u32) -> Result<Vec<Delivery>, PortError>;

    /// Writes what became of a delivery that is still this claim's, and with it how its webhook fares: an attempt that was
    /// taken clears its failures, one with a fault counts one and lets it rest until `rest_until`. Gives the health after it;
    /// `None`: the delivery is somebody else's by now, or gone, and nothing was written.
    async fn settle(
        &self,
        delivery: DeliveryId,
        claim: &DeliveryClaim,
        attempt: DeliveryAttempt,
        end: DeliveryEnd,
        rest_until: Option<Timestamp>,
    ) -> Result<Option<WebhookHealth>, PortError>;

    /// Disables a webhook that is not, ends its pending deliveries as failed, and puts events into the outbox, together.
    /// Whether it was done.
    async fn disable(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
        at: Timestamp,
        events: &[OutboxEvent],
    ) -> Result<bool, PortError>;

    /// Deliveries of a webhook, the latest first, those before `before`; at most `limit`.
    async fn deliveries(
        &self,
        id: &WebhookId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Delivery>, PortError>;

    /// Makes a delivery due at this moment, whatever became of it before. Gives it as it is then; `None`: there is none.
    async fn retry(&self, id: &WebhookId, delivery: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, PortError>;

    /// Removes deliveries that came to their end before this moment, at most `limit`. Tells how many.
    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, PortError>;
}
