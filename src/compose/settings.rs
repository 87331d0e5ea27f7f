//! From the configuration to the settings of the roles.

use std::num::NonZeroU32;
use std::time::Duration;

use kurir_core::domain::{CodeKeys, ConversionRule, MediaLimits, SecretNumbers, WorkerName};
use kurir_core::policy::{
    AttemptRule, Backoff, CountryRule, DayRule, FailureRule, OptOutRule, PaceRule, SenderRules, WebhookRule,
};
use kurir_core::port::RecipientRule;
use kurir_workers::{AlertOptions, CourierOptions, Crash, MediaOptions, RelayOptions, WhenDown, WorkerOptions};

use crate::config::{self, AdminConfig, Config, GatewayConfig};
use crate::gateway::{AdminOptions, MessageOptions, QueueCaps, VerifyOptions};

/// How many of something that is allowed `per_second` fit into a span; at least one.
fn within(per_second: u32, span: Duration) -> usize {
    let count = f64::from(per_second) * span.as_secs_f64();
    // The settings bound both factors, so the product is far below 2^53; a fraction is dropped on purpose.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
    let count = count as usize;
    count.max(1)
}

/// The settings of a worker called `name`, and where a test wants it to die.
pub fn worker(config: &Config, name: WorkerName, crash: Crash) -> WorkerOptions {
    let worker = &config.worker;
    let backoff = Backoff { base: config.retry.backoff_base, max: config.retry.backoff_max };
    let attempts = |attempts| AttemptRule { attempts, backoff };
    WorkerOptions {
        name,
        capacity: NonZeroU32::new(worker.capacity).unwrap_or(NonZeroU32::MIN),
        operator: config.fleet.tenant.clone(),
        lease_ttl: worker.lease_ttl,
        renew_every: worker.renew_every,
        scan_every: worker.scan_every,
        moves_per_scan: within(worker.move_rate, worker.scan_every),
        take_every: Duration::from_secs(1) / worker.connect_rate.max(1),
        window_otp: worker.window_otp,
        window_bulk: worker.window_bulk,
        ack_patience: worker.ack_patience,
        deadline_margin: worker.deadline_margin,
        max_wait: worker.max_wait,
        stop_deadline: worker.stop_deadline,
        pace: pace(config),
        senders: senders(config),
        recipient: RecipientRule {
            every: config.limits.recipient.otp_every,
            per_day: config.limits.recipient.otp_per_day,
        },
        recipients_down: match config.limits.recipient.when_down {
            config::WhenDown::Wait => WhenDown::Wait,
            config::WhenDown::Allow => WhenDown::Allow,
        },
        check_pace: PaceRule { every: config.limits.numbers.every, burst: config.limits.numbers.burst },
        registered_ttl: config.limits.numbers.cache_ttl,
        unregistered_ttl: config.limits.numbers.missing_ttl,
        retry_otp: attempts(config.retry.otp_attempts),
        retry_bulk: attempts(config.retry.bulk_attempts),
        default_country: config.fleet.default_country.clone(),
        prove_tenant: worker.prove_tenant,
        crash,
        opt_out: OptOutRule {
            stop: config.suppression.stop_words.clone(),
            resume: config.suppression.resume_words.clone(),
        },
        media: MediaOptions {
            limits: media_limits(config),
            keep: config.media.keep,
            transfer_timeout: config.media.transfer_timeout,
            memory_mib: config.media.memory_mib,
        },
    }
}

/// How large files may be, and all of a tenant's together.
pub fn media_limits(config: &Config) -> MediaLimits {
    let bytes = |mib: u32| u64::from(mib) << 20;
    let media = &config.media;
    MediaLimits {
        image: bytes(media.image_mib),
        video: bytes(media.video_mib),
        audio: bytes(media.audio_mib),
        document: bytes(media.document_mib),
        tenant: if media.tenant_mib == 0 { u64::MAX } else { bytes(media.tenant_mib) },
    }
}

/// The pace of a sender.
pub fn pace(config: &Config) -> PaceRule {
    PaceRule { every: config.limits.sender.every, burst: config.limits.sender.burst }
}

/// The limits of senders that go by the day.
pub fn senders(config: &Config) -> SenderRules {
    let sender = &config.limits.sender;
    let day = DayRule {
        per_day: sender.per_day,
        warm_up: sender.warm_up.clone(),
        cold_per_day: sender.cold_per_day,
        // Checked to be a percentage when the configuration was read.
        otp_reserve: u8::try_from(sender.otp_reserve).unwrap_or(100),
    };
    SenderRules { day, zones: sender.time_zones.0.clone(), warm: sender.warmed_up.0.clone() }
}

/// When a prefix of numbers gets no more codes.
fn conversion(config: &Config) -> ConversionRule {
    let verify = &config.verify;
    ConversionRule { window: verify.conversion_window, most_lost: verify.block_after, block: verify.block_for }
}

/// Which secrets of fall-back webhooks sign.
fn webhook_secrets(config: &Config) -> SecretNumbers {
    let verify = &config.verify;
    let before = Some(verify.old_webhook_secret_number).filter(|old| *old != 0);
    SecretNumbers { now: verify.webhook_secret_number, before }
}

/// How the gateway makes and limits verifications.
pub fn verify(config: &Config, code_keys: CodeKeys) -> VerifyOptions {
    let verify = &config.verify;
    VerifyOptions {
        code_keys,
        secrets: webhook_secrets(config),
        code_length: verify.code_length,
        alphabet: verify.alphabet,
        ttl: verify.ttl,
        locale: verify.locale.clone(),
        max_checks: verify.max_checks,
        max_sends: verify.max_sends,
        resend_every: verify.resend_every,
        patience: verify.patience,
        per_recipient: verify.per_recipient,
        per_prefix: verify.per_prefix,
        per_country: verify.per_country,
        per_ip: verify.per_ip,
        countries: CountryRule { allowed: verify.countries_allowed.clone(), blocked: verify.countries_blocked.clone() },
        conversion: conversion(config),
    }
}

/// The settings of a relay.
pub fn relay(config: &Config, code_keys: CodeKeys) -> RelayOptions {
    let verify = kurir_workers::VerifyOptions {
        scan_every: config.verify.scan_every,
        webhook_timeout: config.verify.webhook_timeout,
        conversion: conversion(config),
        code_keys,
        secrets: webhook_secrets(config),
        remember: config.verify.remember,
    };
    RelayOptions {
        verify,
        sweep_every: config.relay.sweep_every,
        age: config.relay.age,
        batch: config.relay.batch,
        remember: config.relay.remember,
        keep_events: config.relay.keep_events,
        alerts: AlertOptions {
            every: ALERTS_EVERY,
            window: config.relay.failure_window,
            rule: FailureRule { least: config.relay.failure_least.into(), percent: config.relay.failure_percent },
        },
    }
}

/// How often is looked whether messages fail.
const ALERTS_EVERY: Duration = Duration::from_secs(30);

/// How often webhooks are looked at.
const WEBHOOKS_EVERY: Duration = Duration::from_millis(500);

/// After so many failures in a row a webhook is left alone for a while: at first so long, at most so long.
const BREAKS_AFTER: u32 = 5;
const REST: Backoff = Backoff { base: Duration::from_secs(10), max: Duration::from_mins(5) };

/// Deliveries under way in one relay, and waiting for one webhook.
const DELIVERIES_AT_ONCE: usize = 128;
const DELIVERIES_WAITING: u32 = 1000;

/// The settings of whoever tells webhooks.
pub fn courier(config: &Config) -> CourierOptions {
    let webhooks = &config.webhooks;
    let rest = Backoff { base: REST.base.min(webhooks.backoff_base), max: REST.max.min(webhooks.backoff_max) };
    CourierOptions {
        look_every: WEBHOOKS_EVERY,
        rule: WebhookRule {
            backoff: Backoff { base: webhooks.backoff_base, max: webhooks.backoff_max },
            patience: webhooks.patience,
            breaks_after: BREAKS_AFTER,
            rest,
            dead_after: webhooks.disable_after,
        },
        answer_within: webhooks.answer_within,
        // What is written after the answer must come before others take it over.
        claim_for: webhooks.answer_within + Duration::from_secs(45),
        per_webhook: webhooks.at_once as usize,
        at_once: DELIVERIES_AT_ONCE,
        most_pending: DELIVERIES_WAITING,
        keep: config.relay.keep_events,
    }
}

/// How a gateway takes messages.
pub fn messages(gateway: &GatewayConfig) -> MessageOptions {
    MessageOptions {
        remember: gateway.idempotency_ttl,
        wait_default: gateway.wait_default,
        wait_max: gateway.wait_max,
        most_waits: gateway.max_waits as usize,
        batch_body_limit: gateway.batch_body_limit as usize,
        queue_caps: QueueCaps { otp: gateway.queue_cap_otp.into(), bulk: gateway.queue_cap_bulk.into() },
    }
}

/// How the admin page lets people in.
pub fn admin(admin: &AdminConfig) -> AdminOptions {
    let AdminConfig { enabled, session_idle, session_max, trust_proxy } = *admin;
    AdminOptions { enabled, session_idle, session_max, trust_proxy }
}
