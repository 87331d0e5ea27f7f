//! Webhooks and deliveries as callers see them.

use kurir_core::domain::{Delivery, DeliveryAttempt, Timestamp, Webhook};
use serde::Serialize;
use utoipa::ToSchema;

/// What is known of a webhook.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    /// Names it.
    #[schema(example = "b21f7c09e4d35a68")]
    id: String,
    /// Where it is told.
    #[schema(example = "https://example.com/kurir")]
    url: String,
    /// What people call it.
    #[schema(example = "shop")]
    label: String,
    /// What it is told.
    #[schema(example = json!(["message.*"]))]
    types: Vec<String>,
    /// Of which sessions; `null`: of all.
    sessions: Option<Vec<String>>,
    /// Whether it is told.
    #[schema(example = true)]
    enabled: bool,
    /// Why it is not: `by_request`, `gone` (it answered 410) or `failing` (for too long).
    disabled_reason: Option<&'static str>,
    /// Since when it is not.
    #[schema(format = DateTime)]
    disabled_at: Option<String>,
    /// How many attempts failed since the last one that was taken.
    #[schema(example = 0)]
    failures: u32,
    /// When the first of them was.
    #[schema(format = DateTime)]
    failing_since: Option<String>,
    /// Until when the secret before signs as well.
    #[schema(format = DateTime)]
    old_secret_until: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
}

impl WebhookView {
    pub fn of(webhook: &Webhook, now: Timestamp) -> Self {
        let (settings, health) = (&webhook.settings, &webhook.health);
        let old = settings.old_secret.as_ref().map(|old| old.until).filter(|until| now < *until);
        let sessions = settings.sessions.as_ref();
        Self {
            id: webhook.id.to_string(),
            url: settings.url.expose().clone(),
            label: settings.label.clone(),
            types: settings.types.words().map(str::to_owned).collect(),
            sessions: sessions.map(|sessions| sessions.iter().map(ToString::to_string).collect()),
            enabled: health.disabled.is_none(),
            disabled_reason: health.disabled.map(|(reason, _)| reason.as_str()),
            disabled_at: health.disabled.map(|(_, at)| at.to_rfc3339()),
            failures: health.failures,
            failing_since: health.failing_since.map(Timestamp::to_rfc3339),
            old_secret_until: old.map(Timestamp::to_rfc3339),
            created_at: webhook.created_at.to_rfc3339(),
        }
    }
}

/// A webhook with its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeWebhook)]
pub(super) struct MadeView {
    /// What deliveries are signed with. It is shown this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    /// What is known of it.
    #[serde(flatten)]
    known: WebhookView,
}

impl MadeView {
    pub fn of(webhook: &Webhook, now: Timestamp) -> Self {
        Self { secret: webhook.settings.secret.expose().clone(), known: WebhookView::of(webhook, now) }
    }
}

/// The webhooks of the tenant.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookList {
    /// In the order of their ids.
    pub webhooks: Vec<WebhookView>,
}

/// One attempt to deliver.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub(super) struct AttemptView {
    /// When it began.
    #[schema(format = DateTime)]
    at: String,
    /// The status of the answer, if there was one.
    #[schema(example = 503)]
    status: Option<u16>,
    /// How long it took, milliseconds.
    #[schema(example = 87)]
    duration_ms: u32,
    /// Why it failed: `status`, `forbidden_address`, `bad_address`, `no_such_host`, `not_connected`, `timed_out`, `broken` or
    /// `event_forgotten`.
    #[schema(example = "status")]
    error: Option<&'static str>,
}

impl AttemptView {
    fn of(attempt: &DeliveryAttempt) -> Self {
        Self {
            at: attempt.at.to_rfc3339(),
            status: attempt.status,
            duration_ms: attempt.took_ms,
            error: attempt.fault.map(kurir_core::domain::DeliveryFault::as_str),
        }
    }
}

/// One event on its way to the webhook. What was sent and answered is not kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryView {
    /// Its id.
    #[schema(example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")]
    id: String,
    /// The event's id, which is the `webhook-id` as well.
    event: String,
    /// The event's type.
    #[schema(example = "message.delivered")]
    r#type: &'static str,
    /// `pending`, `delivered` or `failed`.
    #[schema(example = "delivered")]
    state: &'static str,
    /// When it came to be.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it is tried next, while it is pending.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// When it came to its end.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// The latest attempts, the oldest first.
    attempts: Vec<AttemptView>,
}

impl DeliveryView {
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            event: delivery.event.to_string(),
            r#type: delivery.kind.as_str(),
            state: delivery.state.as_str(),
            created_at: delivery.created_at.to_rfc3339(),
            next_attempt_at: delivery.due_at.map(Timestamp::to_rfc3339),
            ended_at: delivery.ended_at.map(Timestamp::to_rfc3339),
            attempts: delivery.attempts.iter().map(AttemptView::of).collect(),
        }
    }
}
