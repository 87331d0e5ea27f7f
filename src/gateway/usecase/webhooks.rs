//! Webhooks: made, changed, tried, replayed and looked at.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use kurir_core::domain::{
    Delivery, DeliveryId, DisabledReason, KindChoice, LogFilter, LogPosition, OldSecret, Secret, SessionId, TenantId,
    Timestamp, Webhook, WebhookHealth, WebhookId, WebhookSettings,
};
use kurir_core::port::{EventLog, PortError, WebhookStore};
use kurir_core::wire::WebhookDataV1;

use super::page::cut;
use super::{UseCaseError, UseCases};

/// Most webhooks of a tenant.
const MOST: usize = 50;

/// Longest label, characters; longest address, bytes; most sessions of a webhook.
const MAX_LABEL: usize = 200;
const MAX_URL: usize = 2048;
const MAX_SESSIONS: usize = 1000;

/// The longest time for which both secrets sign.
const LONGEST_OVERLAP: Duration = Duration::from_hours(24 * 7);

/// Most events of one replay, and of one look into the log.
const REPLAY: usize = 5000;
const PAGE: u32 = 500;

/// How often a change is tried that others come before.
const TRIES: u32 = 5;

/// A webhook to make.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where to tell.
    pub url: String,
    /// What people call it.
    pub label: String,
    /// What to tell.
    pub types: KindChoice,
    /// Of which sessions; `None`: all.
    pub sessions: Option<BTreeSet<SessionId>>,
}

/// What to change of a webhook; an absent part stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// Where to tell.
    pub url: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// What to tell.
    pub types: Option<KindChoice>,
    /// Of which sessions.
    pub sessions: Option<Option<BTreeSet<SessionId>>>,
    /// Whether it is told at all.
    pub enabled: Option<bool>,
}

/// What to tell again.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What came into the log at this moment or later,
    pub since: Timestamp,
    /// and before this one.
    pub until: Timestamp,
    /// Which events; `None`: those that the webhook is told anyhow.
    pub types: Option<KindChoice>,
    /// After this place, to go on with a replay that was too large for one request.
    pub after: Option<LogPosition>,
}

/// What is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How many events.
    pub deliveries: usize,
    /// Where to go on, if there is more.
    pub next: Option<LogPosition>,
}

fn no_such(what: &'static str) -> UseCaseError {
    UseCaseError::NotFound { what, field: None }
}

impl UseCases {
    fn hooks(&self) -> &Arc<dyn WebhookStore> {
        &self.ports.webhooks
    }

    fn log(&self) -> &Arc<dyn EventLog> {
        &self.ports.event_log
    }

    fn new_secret(&self) -> Secret<String> {
        let mut random = [0; 32];
        self.ports.entropy.fill(&mut random);
        Secret::new(format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(random)))
    }

    fn checked_url(&self, url: String) -> Result<Secret<String>, UseCaseError> {
        if url.len() > MAX_URL {
            return Err(UseCaseError::field("url", format!("has more than {MAX_URL} bytes")));
        }
        self.ports.web.check(&url).map_err(|error| UseCaseError::field("url", error.to_string()))?;
        Ok(Secret::new(url))
    }

    async fn newest(&self) -> Result<LogPosition, PortError> {
        Ok(self.log().span().await?.map(|span| span.newest).unwrap_or_default())
    }

    /// Makes a webhook. It is told what happens from now on. Its secret stands in its settings.
    pub async fn create_webhook(&self, tenant: &TenantId, new: NewWebhook) -> Result<Webhook, UseCaseError> {
        let settings = WebhookSettings {
            url: self.checked_url(new.url)?,
            label: checked_label(new.label)?,
            types: new.types,
            sessions: checked_sessions(new.sessions)?,
            secret: self.new_secret(),
            old_secret: None,
        };
        if self.hooks().webhooks(tenant).await?.len() >= MOST {
            return Err(UseCaseError::TooManyWebhooks { most: MOST });
        }
        let id = WebhookId::new(format!("{:016x}", self.ports.entropy.nonce() >> 64))
            .map_err(|error| UseCaseError::field("id", error.to_string()))?;
        let webhook = Webhook {
            id,
            tenant: tenant.clone(),
            version: 1,
            settings,
            health: WebhookHealth::default(),
            cursor: self.newest().await?,
            created_at: self.ports.clock.now(),
        };
        // 64 random bits: an id that is there already is refused, and none ever was.
        if !self.hooks().add_webhook(&webhook).await? {
            return Err(UseCaseError::Contended);
        }
        tracing::info!(webhook = %webhook.id, %tenant, "webhook made");
        Ok(webhook)
    }

    /// The tenant's webhooks.
    pub async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<Webhook>, UseCaseError> {
        Ok(self.hooks().webhooks(tenant).await?)
    }

    /// One webhook of the tenant's.
    pub async fn webhook(&self, tenant: &TenantId, id: &WebhookId) -> Result<Webhook, UseCaseError> {
        let found = self.hooks().webhook(id).await?;
        found.filter(|webhook| webhook.tenant == *tenant).ok_or_else(|| no_such("webhook"))
    }

    /// A webhook of the tenant's that is told.
    async fn enabled(&self, tenant: &TenantId, id: &WebhookId) -> Result<Webhook, UseCaseError> {
        let webhook = self.webhook(tenant, id).await?;
        if webhook.health.disabled.is_some() { Err(UseCaseError::WebhookDisabled) } else { Ok(webhook) }
    }

    /// Changes a webhook by `change`, again when others came first.
    async fn changed(
        &self,
        tenant: &TenantId,
        id: &WebhookId,
        mut change: impl FnMut(&mut Webhook),
    ) -> Result<Webhook, UseCaseError> {
        for _ in 0..TRIES {
            let mut webhook = self.webhook(tenant, id).await?;
            change(&mut webhook);
            if self.hooks().change_webhook(&webhook).await? {
                webhook.version += 1;
                return Ok(webhook);
            }
        }
        Err(UseCaseError::Contended)
    }

    /// Changes a webhook. One that is enabled again is told what happens from now on; what it missed can be replayed.
    pub async fn change_webhook(
        &self,
        tenant: &TenantId,
        id: &WebhookId,
        change: WebhookChange,
    ) -> Result<Webhook, UseCaseError> {
        // So that another tenant's webhook is none, whatever the change says.
        self.webhook(tenant, id).await?;
        let url = change.url.map(|url| self.checked_url(url)).transpose()?;
        let label = change.label.map(checked_label).transpose()?;
        let sessions = change.sessions.map(checked_sessions).transpose()?;
        let now = self.ports.clock.now();
        if change.enabled == Some(false) {
            self.hooks().disable(id, DisabledReason::ByRequest, now, &[]).await?;
        }
        let newest = self.newest().await?;
        self.changed(tenant, id, |webhook| {
            let settings = &mut webhook.settings;
            settings.url = url.clone().unwrap_or_else(|| settings.url.clone());
            settings.label = label.clone().unwrap_or_else(|| settings.label.clone());
            settings.types = change.types.clone().unwrap_or_else(|| settings.types.clone());
            settings.sessions = sessions.clone().unwrap_or_else(|| settings.sessions.clone());
            if change.enabled == Some(true) && webhook.health.disabled.is_some() {
                webhook.health = WebhookHealth::default();
                webhook.cursor = webhook.cursor.max(newest);
            }
        })
        .await
    }

    /// Removes a webhook with its deliveries.
    pub async fn remove_webhook(&self, tenant: &TenantId, id: &WebhookId) -> Result<(), UseCaseError> {
        self.webhook(tenant, id).await?;
        if !self.hooks().remove_webhook(id).await? {
            return Err(no_such("webhook"));
        }
        tracing::info!(webhook = %id, %tenant, "webhook removed");
        Ok(())
    }

    /// Gives a webhook a new secret. The old one signs as well for `overlap`; one that was old already signs no more.
    pub async fn rotate_webhook(
        &self,
        tenant: &TenantId,
        id: &WebhookId,
        overlap: Duration,
    ) -> Result<Webhook, UseCaseError> {
        if overlap > LONGEST_OVERLAP {
            return Err(UseCaseError::field("overlap", "is more than 7 days"));
        }
        let (secret, until) = (self.new_secret(), self.ports.clock.now().plus(overlap));
        let rotated = self.changed(tenant, id, |webhook| {
            let old = std::mem::replace(&mut webhook.settings.secret, secret.clone());
            webhook.settings.old_secret = Some(OldSecret { secret: old, until });
        });
        let rotated = rotated.await?;
        tracing::info!(webhook = %id, %tenant, "webhook's secret replaced");
        Ok(rotated)
    }

    /// Has a webhook told a test.
    pub async fn test_webhook(&self, tenant: &TenantId, id: &WebhookId) -> Result<Delivery, UseCaseError> {
        self.enabled(tenant, id).await?;
        let now = self.ports.clock.now();
        let delivery = DeliveryId::new(now, self.ports.entropy.nonce());
        let event = WebhookDataV1::test(tenant, id, &delivery.to_string(), now);
        let delivery = Delivery::new(delivery, id.clone(), (event.id, event.kind, None), now);
        if !self.hooks().add_deliveries(id, std::slice::from_ref(&delivery)).await? {
            return Err(no_such("webhook"));
        }
        Ok(delivery)
    }

    /// Has a webhook told once more what was in the log in a span of time, under the same event ids.
    pub async fn replay(&self, tenant: &TenantId, id: &WebhookId, replay: Replay) -> Result<Replayed, UseCaseError> {
        let webhook = self.enabled(tenant, id).await?;
        if replay.until <= replay.since {
            return Err(UseCaseError::field("until", "is not after `since`"));
        }
        let kinds = replay.types.unwrap_or(webhook.settings.types).kinds();
        let filter = LogFilter { tenant: Some(tenant.clone()), sessions: webhook.settings.sessions, kinds };
        let to = self.log().before(replay.until).await?;
        let mut at = self.log().before(replay.since).await?.max(replay.after.unwrap_or_default());
        let mut deliveries = 0;
        while at < to && deliveries < REPLAY {
            let page = self.log().read(at, &filter, PAGE).await?;
            let now = self.ports.clock.now();
            let within = page.events.iter().filter(|entry| entry.position <= to);
            let due: Vec<_> = within
                .map(|entry| {
                    let what = (entry.event.id, entry.event.kind, Some(entry.position));
                    Delivery::new(DeliveryId::new(now, self.ports.entropy.nonce()), id.clone(), what, now)
                })
                .collect();
            deliveries += due.len();
            if !self.hooks().add_deliveries(id, &due).await? {
                return Err(no_such("webhook"));
            }
            at = page.to;
        }
        tracing::info!(webhook = %id, %tenant, deliveries, "events are told again");
        Ok(Replayed { deliveries, next: (at < to).then_some(at) })
    }

    /// Deliveries of a webhook, the latest first, and the last of them if there are more.
    pub async fn deliveries(
        &self,
        tenant: &TenantId,
        id: &WebhookId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<(Vec<Delivery>, Option<DeliveryId>), UseCaseError> {
        self.webhook(tenant, id).await?;
        let mut found = self.hooks().deliveries(id, before, limit.saturating_add(1)).await?;
        let next = cut(&mut found, limit, |last| last.id);
        Ok((found, next))
    }

    /// Has a delivery tried now, whatever became of it before.
    pub async fn retry_delivery(
        &self,
        tenant: &TenantId,
        id: &WebhookId,
        delivery: DeliveryId,
    ) -> Result<Delivery, UseCaseError> {
        self.enabled(tenant, id).await?;
        let again = self.hooks().retry(id, delivery, self.ports.clock.now()).await?;
        again.ok_or_else(|| no_such("delivery"))
    }
}

fn checked_label(label: String) -> Result<String, UseCaseError> {
    if label.chars().count() > MAX_LABEL {
        return Err(UseCaseError::field("label", format!("has more than {MAX_LABEL} characters")));
    }
    Ok(label)
}

fn checked_sessions(sessions: Option<BTreeSet<SessionId>>) -> Result<Option<BTreeSet<SessionId>>, UseCaseError> {
    if sessions.as_ref().is_some_and(|sessions| sessions.is_empty() || sessions.len() > MAX_SESSIONS) {
        return Err(UseCaseError::field("sessions", format!("has 1 to {MAX_SESSIONS} sessions, or is null for all")));
    }
    Ok(sessions)
}
