//! Webhooks in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryId, DeliveryState, DisabledReason, LogPosition, OutboxEvent,
    TenantId, Timestamp, Webhook, WebhookHealth, WebhookId,
};
use crate::port::{DeliveryClaim, PortError, WebhookStore};

/// Webhooks and what is due to them.
#[derive(Default)]
pub(super) struct Webhooks {
    known: BTreeMap<WebhookId, Webhook>,
    deliveries: BTreeMap<DeliveryId, Entry>,
}

struct Entry {
    delivery: Delivery,
    claim: Option<DeliveryClaim>,
}

impl Entry {
    fn is_due(&self, now: Timestamp) -> bool {
        self.delivery.due_at.is_some_and(|due| due <= now) && self.claim.is_none_or(|claim| claim.until <= now)
    }
}

impl Webhooks {
    fn add(&mut self, deliveries: &[Delivery]) {
        let entry = |delivery: &Delivery| (delivery.id, Entry { delivery: delivery.clone(), claim: None });
        self.deliveries.extend(deliveries.iter().map(entry));
    }

    fn of<'a>(&'a self, id: &'a WebhookId) -> impl DoubleEndedIterator<Item = &'a Entry> {
        self.deliveries.values().filter(move |entry| entry.delivery.webhook == *id)
    }
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl WebhookStore for MemoryStores {
    async fn add_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        let known = &mut self.tables().webhooks.known;
        let new = !known.contains_key(&webhook.id);
        if new {
            known.insert(webhook.id.clone(), webhook.clone());
        }
        Ok(new)
    }

    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, PortError> {
        Ok(self.tables().webhooks.known.get(id).cloned())
    }

    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<Webhook>, PortError> {
        let tables = self.tables();
        Ok(tables.webhooks.known.values().filter(|webhook| webhook.tenant == *tenant).cloned().collect())
    }

    async fn change_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        let known = &mut self.tables().webhooks.known;
        let same = |known: &&mut Webhook| known.version == webhook.version;
        let Some(found) = known.get_mut(&webhook.id).filter(same) else { return Ok(false) };
        found.settings = webhook.settings.clone();
        found.health = webhook.health;
        found.cursor = found.cursor.max(webhook.cursor);
        found.version += 1;
        Ok(true)
    }

    async fn remove_webhook(&self, id: &WebhookId) -> Result<bool, PortError> {
        let webhooks = &mut self.tables().webhooks;
        webhooks.deliveries.retain(|_, entry| entry.delivery.webhook != *id);
        Ok(webhooks.known.remove(id).is_some())
    }

    async fn behind(&self, newest: LogPosition, most: u32, limit: u32) -> Result<Vec<Webhook>, PortError> {
        let webhooks = &self.tables().webhooks;
        let pending = |id| webhooks.of(id).filter(|entry| entry.delivery.due_at.is_some()).count();
        let behind = webhooks.known.values().filter(|webhook| {
            webhook.health.disabled.is_none() && webhook.cursor < newest && pending(&webhook.id) < count(most)
        });
        Ok(behind.take(count(limit)).cloned().collect())
    }

    async fn enlist(
        &self,
        id: &WebhookId,
        from: LogPosition,
        to: LogPosition,
        deliveries: &[Delivery],
    ) -> Result<bool, PortError> {
        let webhooks = &mut self.tables().webhooks;
        let Some(webhook) = webhooks.known.get_mut(id).filter(|webhook| webhook.cursor == from) else {
            return Ok(false);
        };
        webhook.cursor = to;
        webhooks.add(deliveries);
        Ok(true)
    }

    async fn add_deliveries(&self, id: &WebhookId, deliveries: &[Delivery]) -> Result<bool, PortError> {
        let webhooks = &mut self.tables().webhooks;
        let known = webhooks.known.contains_key(id);
        if known {
            webhooks.add(deliveries);
        }
        Ok(known)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Webhook>, PortError> {
        let webhooks = &self.tables().webhooks;
        let due = webhooks.known.values().filter(|webhook| {
            webhook.health.disabled.is_none()
                && webhook.health.rest_until.is_none_or(|rest| rest <= now)
                && webhooks.of(&webhook.id).any(|entry| entry.is_due(now))
        });
        Ok(due.take(count(limit)).cloned().collect())
    }

    async fn claim(&self, id: &WebhookId, claim: DeliveryClaim, limit: u32) -> Result<Vec<Delivery>, PortError> {
        let webhooks = &mut self.tables().webhooks;
        let mut due: Vec<_> =
            webhooks.of(id).filter(|entry| entry.is_due(claim.now)).map(|entry| entry.delivery.clone()).collect();
        due.sort_by_key(|delivery| (delivery.due_at, delivery.id));
        due.truncate(count(limit));
        for taken in &due {
            if let Some(entry) = webhooks.deliveries.get_mut(&taken.id) {
                entry.claim = Some(claim);
            }
        }
        Ok(due)
    }

    async fn settle(
        &self,
        delivery: DeliveryId,
        claim: &DeliveryClaim,
        attempt: DeliveryAttempt,
        end: DeliveryEnd,
        rest_until: Option<Timestamp>,
    ) -> Result<Option<WebhookHealth>, PortError> {
        let now = self.clock.now();
        let webhooks = &mut self.tables().webhooks;
        let held = |entry: &&mut Entry| entry.claim.is_some_and(|held| held.token == claim.token);
        let Some(entry) = webhooks.deliveries.get_mut(&delivery).filter(held) else { return Ok(None) };
        entry.delivery.tried(attempt, end, now);
        entry.claim = None;
        let Some(webhook) = webhooks.known.get_mut(&entry.delivery.webhook) else { return Ok(None) };
        let health = &mut webhook.health;
        if attempt.fault.is_none() {
            *health = WebhookHealth { disabled: health.disabled, ..WebhookHealth::default() };
        } else {
            health.failures = health.failures.saturating_add(1);
            health.failing_since = health.failing_since.or(Some(attempt.at));
            health.rest_until = health.rest_until.max(rest_until);
        }
        Ok(Some(*health))
    }

    async fn disable(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
        at: Timestamp,
        events: &[OutboxEvent],
    ) -> Result<bool, PortError> {
        let now = self.clock.now();
        let mut tables = self.tables();
        let enabled = |webhook: &&mut Webhook| webhook.health.disabled.is_none();
        let Some(webhook) = tables.webhooks.known.get_mut(id).filter(enabled) else { return Ok(false) };
        webhook.health.disabled = Some((reason, at));
        webhook.version += 1;
        for entry in tables.webhooks.deliveries.values_mut() {
            if entry.delivery.webhook == *id && entry.delivery.due_at.is_some() {
                entry.claim = None;
                entry.delivery.due_at = None;
                entry.delivery.ended_at = Some(at);
                entry.delivery.state = DeliveryState::Failed;
            }
        }
        tables.outbox.add(events, now);
        Ok(true)
    }

    async fn deliveries(
        &self,
        id: &WebhookId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Delivery>, PortError> {
        let tables = self.tables();
        let earlier = tables.webhooks.of(id).rev().map(|entry| &entry.delivery);
        let earlier = earlier.filter(|delivery| before.is_none_or(|before| delivery.id < before));
        Ok(earlier.take(count(limit)).cloned().collect())
    }

    async fn retry(&self, id: &WebhookId, delivery: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, PortError> {
        let entries = &mut self.tables().webhooks.deliveries;
        let own = |entry: &&mut Entry| entry.delivery.webhook == *id;
        let Some(entry) = entries.get_mut(&delivery).filter(own) else { return Ok(None) };
        entry.delivery.state = DeliveryState::Pending;
        entry.delivery.due_at = Some(now);
        entry.delivery.ended_at = None;
        Ok(Some(entry.delivery.clone()))
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let entries = &mut self.tables().webhooks.deliveries;
        let old = entries.values().filter(|entry| entry.delivery.ended_at.is_some_and(|ended| ended < before));
        let old: Vec<_> = old.map(|entry| entry.delivery.id).take(count(limit)).collect();
        for id in &old {
            entries.remove(id);
        }
        Ok(old.len() as u64)
    }
}
