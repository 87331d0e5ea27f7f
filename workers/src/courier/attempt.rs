//! One attempt to tell a webhook of one event.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kurir_core::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryFault, DisabledReason, Secret, Timestamp, Webhook,
};
use kurir_core::port::{DeliveryClaim, PortError, WebError, WebMethod, WebRequest};
use kurir_core::wire::WebhookDataV1;

use super::sign::{seconds, signatures};
use super::{CourierOptions, CourierPorts};

/// The status of what is not there any more and does not come back.
const GONE: u16 = 410;

/// What came of asking.
struct Asked {
    status: Option<u16>,
    fault: Option<DeliveryFault>,
    /// The pause that the webhook asks for.
    pause: Option<Duration>,
}

impl Asked {
    const fn fault(fault: DeliveryFault) -> Self {
        Self { status: None, fault: Some(fault), pause: None }
    }
}

/// Tries one delivery and writes what became of it. Whether it was taken.
pub(super) async fn attempt(
    options: Arc<CourierOptions>,
    ports: CourierPorts,
    webhook: Webhook,
    delivery: Delivery,
    claim: DeliveryClaim,
) -> bool {
    match tried(&options, &ports, &webhook, &delivery, &claim).await {
        Ok(taken) => taken,
        Err(error) => {
            // Nothing was written, so it is tried again when the claim has ended.
            tracing::warn!(webhook = %webhook.id, error = %error.chain(), "a delivery could not be read or written");
            false
        }
    }
}

async fn tried(
    options: &CourierOptions,
    ports: &CourierPorts,
    webhook: &Webhook,
    delivery: &Delivery,
    claim: &DeliveryClaim,
) -> Result<bool, PortError> {
    let at = ports.clock.now();
    let body = body(ports, webhook, delivery).await?;
    let asked = match body {
        Some(body) => ask(options, ports, webhook, delivery, at, body).await,
        None => Asked::fault(DeliveryFault::Forgotten),
    };
    let now = ports.clock.now();
    let took_ms = u32::try_from(now.since(at).as_millis()).unwrap_or(u32::MAX);
    let attempt = DeliveryAttempt { at, status: asked.status, took_ms, fault: asked.fault };
    let rule = &options.rule;
    let end = match asked.fault {
        None => DeliveryEnd::Taken,
        Some(DeliveryFault::Forgotten) => DeliveryEnd::GivenUp,
        Some(_) if asked.status == Some(GONE) => DeliveryEnd::GivenUp,
        Some(_) => {
            let attempts = u32::try_from(delivery.attempts.len() + 1).unwrap_or(u32::MAX);
            let again = rule.again(delivery.created_at, attempts, asked.pause, now, ports.entropy.fraction());
            again.map_or(DeliveryEnd::GivenUp, DeliveryEnd::Again)
        }
    };
    let failures = webhook.health.failures.saturating_add(1);
    let rest = asked.fault.and_then(|_| rule.rest_until(failures, now, ports.entropy.fraction()));
    let health = ports.webhooks.settle(delivery.id, claim, attempt, end, rest).await?;
    tracing::debug!(webhook = %webhook.id, event = %delivery.event, status = asked.status, fault = ?asked.fault, "told");
    let reason = match health {
        Some(_) if asked.status == Some(GONE) => Some(DisabledReason::Gone),
        Some(health) if rule.is_dead(&health, now) => Some(DisabledReason::Failing),
        _ => None,
    };
    if let Some(reason) = reason {
        let event = WebhookDataV1::disabled(&webhook.tenant, &webhook.id, reason, now);
        if ports.webhooks.disable(&webhook.id, reason, now, &[event]).await? {
            tracing::warn!(webhook = %webhook.id, tenant = %webhook.tenant, reason = reason.as_str(), "webhook disabled");
        }
    }
    Ok(asked.fault.is_none())
}

/// What is to be told; `None`: it is not kept any more.
async fn body(ports: &CourierPorts, webhook: &Webhook, delivery: &Delivery) -> Result<Option<Bytes>, PortError> {
    let Some(position) = delivery.position else {
        let test = WebhookDataV1::test(&webhook.tenant, &webhook.id, &delivery.id.to_string(), delivery.created_at);
        return Ok(Some(test.body.into()));
    };
    let found = ports.log.at(&[position]).await?.pop().flatten();
    Ok(found.filter(|entry| entry.event.id == delivery.event).map(|entry| entry.event.body.into()))
}

async fn ask(
    options: &CourierOptions,
    ports: &CourierPorts,
    webhook: &Webhook,
    delivery: &Delivery,
    at: Timestamp,
    body: Bytes,
) -> Asked {
    let id = delivery.event.to_string();
    let plain = |text: &str| Secret::new(text.to_owned());
    let headers = vec![
        ("content-type", plain("application/json")),
        ("user-agent", plain("kurir")),
        ("webhook-signature", signatures(&webhook.settings, &id, at, &body)),
        ("webhook-timestamp", plain(&seconds(at).to_string())),
        ("webhook-id", Secret::new(id)),
    ];
    let request = WebRequest {
        method: WebMethod::Post,
        url: webhook.settings.url.clone(),
        headers,
        body,
        patience: options.answer_within,
        // Of the answer only its head is looked at: the body is dropped unread, and the connection with it.
        body_limit: u64::MAX,
    };
    match ports.web.ask(request).await {
        Ok(answer) if (200..300).contains(&answer.status) => {
            Asked { status: Some(answer.status), fault: None, pause: None }
        }
        Ok(answer) => Asked {
            status: Some(answer.status),
            fault: Some(DeliveryFault::Status),
            pause: answer.retry_after.map(Duration::from_secs),
        },
        Err(error) => Asked::fault(match error {
            WebError::BadAddress(_) => DeliveryFault::BadAddress,
            WebError::Forbidden(_) => DeliveryFault::Forbidden,
            WebError::NoSuchHost => DeliveryFault::NoSuchHost,
            WebError::NotConnected => DeliveryFault::NotConnected,
            WebError::TimedOut(_) => DeliveryFault::TimedOut,
            WebError::TooLarge(_) | WebError::Broken => DeliveryFault::Broken,
        }),
    }
}
