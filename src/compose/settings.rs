//! From the configuration to the settings of the roles.

use std::num::NonZeroU32;
use std::time::Duration;

use kurir_core::domain::WorkerName;
use kurir_core::policy::{AttemptRule, Backoff, DayRule, OptOutRule, PaceRule};
use kurir_core::port::RecipientRule;
use kurir_workers::{Crash, RelayOptions, SenderOptions, WhenDown, WorkerOptions};

use crate::config::{self, Config};

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
        max_wait: worker.max_wait,
        stop_deadline: worker.stop_deadline,
        pace: PaceRule { every: config.limits.sender.every, burst: config.limits.sender.burst },
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
    }
}

/// The limits of senders that go by the day.
pub fn senders(config: &Config) -> SenderOptions {
    let sender = &config.limits.sender;
    let day = DayRule {
        per_day: sender.per_day,
        warm_up: sender.warm_up.clone(),
        cold_per_day: sender.cold_per_day,
        // Checked to be a percentage when the configuration was read.
        otp_reserve: u8::try_from(sender.otp_reserve).unwrap_or(100),
    };
    SenderOptions { day, zones: sender.time_zones.0.clone(), warm: sender.warmed_up.0.clone() }
}

/// The settings of a relay.
pub fn relay(config: &Config) -> RelayOptions {
    RelayOptions {
        sweep_every: config.relay.sweep_every,
        age: config.relay.age,
        batch: config.relay.batch,
        remember: config.relay.remember,
    }
}
