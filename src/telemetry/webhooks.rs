//! The register of webhooks, with every attempt to tell one counted once its result is durable.

use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryId, DisabledReason, LogPosition, OutboxEvent, TenantId, Timestamp,
    Webhook, WebhookHealth, WebhookId,
};
use kurir_core::port::{DeliveryClaim, PortError, WebhookStore};

use super::Telemetry;
use super::series::{AttemptLabels, DELIVERED, DisabledLabel, end_of};

/// A register that counts.
pub struct CountedWebhooks {
    inner: Arc<dyn WebhookStore>,
    telemetry: Arc<Telemetry>,
}

impl CountedWebhooks {
    /// Counts what becomes of the deliveries of `inner`.
    pub const fn new(inner: Arc<dyn WebhookStore>, telemetry: Arc<Telemetry>) -> Self {
        Self { inner, telemetry }
    }

    fn count(&self, attempt: DeliveryAttempt, end: DeliveryEnd) {
        let counted = &self.telemetry.counted;
        let result = attempt.fault.map_or(DELIVERED, |fault| fault.as_str());
        counted.webhook_attempts.get_or_create(&AttemptLabels { result, end: end_of(end) }).inc();
        if attempt.status.is_some() {
            counted.webhook_answer.observe(f64::from(attempt.took_ms) / 1000.0);
        }
    }
}

#[async_trait]
impl WebhookStore for CountedWebhooks {
    async fn settle(
        &self,
        delivery: DeliveryId,
        claim: &DeliveryClaim,
        attempt: DeliveryAttempt,
        end: DeliveryEnd,
        rest_until: Option<Timestamp>,
    ) -> Result<Option<WebhookHealth>, PortError> {
        let health = self.inner.settle(delivery, claim, attempt, end, rest_until).await?;
        if health.is_some() {
            self.count(attempt, end);
        }
        Ok(health)
    }

    async fn disable(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
        at: Timestamp,
        events: &[OutboxEvent],
    ) -> Result<bool, PortError> {
        let disabled = self.inner.disable(id, reason, at, events).await?;
        if disabled {
            self.telemetry.counted.webhooks_disabled.get_or_create(&DisabledLabel { reason: reason.as_str() }).inc();
        }
        Ok(disabled)
    }

    async fn add_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        self.inner.add_webhook(webhook).await
    }

    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, PortError> {
        self.inner.webhook(id).await
    }

    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<Webhook>, PortError> {
        self.inner.webhooks(tenant).await
    }

    async fn change_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        self.inner.change_webhook(webhook).await
    }

    async fn remove_webhook(&self, id: &WebhookId) -> Result<bool, PortError> {
        self.inner.remove_webhook(id).await
    }

    async fn behind(&self, newest: LogPosition, most: u32, limit: u32) -> Result<Vec<Webhook>, PortError> {
        self.inner.behind(newest, most, limit).await
    }

    async fn enlist(
        &self,
        id: &WebhookId,
        from: LogPosition,
        to: LogPosition,
        deliveries: &[Delivery],
    ) -> Result<bool, PortError> {
        self.inner.enlist(id, from, to, deliveries).await
    }

    async fn add_deliveries(&self, id: &WebhookId, deliveries: &[Delivery]) -> Result<bool, PortError> {
        self.inner.add_deliveries(id, deliveries).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Webhook>, PortError> {
        self.inner.due(now, limit).await
    }

    async fn claim(&self, id: &WebhookId, claim: DeliveryClaim, limit: u32) -> Result<Vec<Delivery>, PortError> {
        self.inner.claim(id, claim, limit).await
    }

    async fn deliveries(
        &self,
        id: &WebhookId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Delivery>, PortError> {
        self.inner.deliveries(id, before, limit).await
    }

    async fn retry(&self, id: &WebhookId, delivery: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, PortError> {
        self.inner.retry(id, delivery, now).await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.inner.forget_deliveries(before, limit).await
    }
}
