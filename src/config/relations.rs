//! What must hold of single values and between them. Time limits that don't fit each other are the settings that hurt
//! latest and worst (a lease that ends before its renewal, an OTP that always expires in its delay), so each relation
//! is checked when the configuration is read.

use std::net::SocketAddr;
use std::time::Duration;

use kurir_core::domain::Keyring;
use kurir_core::policy::DELAY_STEPS;
use kurir_core::wire::MAX_BODY;

use super::problem::Problem;
use super::read::show_span;
use super::{Config, logging};

/// Shortest API key: 96 bits in hexadecimal digits and then some.
const MIN_API_KEY: usize = 20;

/// What was found so far.
pub(super) struct Findings(pub Vec<Problem>);

impl Findings {
    /// Unless `holds`, notes a problem with `key`.
    pub fn want(&mut self, holds: bool, key: &str, value: impl Into<String>, advice: impl Into<String>) {
        if !holds {
            let problem =
                Problem { key: key.to_owned(), value: Some(value.into()), origin: None, advice: advice.into() };
            self.0.push(problem);
        }
    }

    fn span(&mut self, holds: bool, key: &str, span: Duration, advice: String) {
        self.want(holds, key, format!("{:?}", show_span(span)), advice);
    }

    fn between(&mut self, key: &str, span: Duration, least: Duration, most: Duration) {
        let advice = format!("must be from {} to {}", show_span(least), show_span(most));
        self.span((least..=most).contains(&span), key, span, advice);
    }

    fn count(&mut self, key: &str, value: u32, least: u32, most: u32) {
        self.want((least..=most).contains(&value), key, value.to_string(), format!("must be from {least} to {most}"));
    }
}

impl Config {
    /// Everything that does not hold; nothing when the configuration can be used. What a role needs beyond that is
    /// told by [`Config::require_for`].
    pub fn validate(&self) -> Vec<Problem> {
        let mut found = Findings(Vec::new());
        self.check_fleet(&mut found);
        self.check_stores(&mut found);
        self.check_worker(&mut found);
        self.check_limits(&mut found);
        self.check_relay(&mut found);
        self.check_gateway(&mut found);
        self.check_admin(&mut found);
        self.check_dialects(&mut found);
        self.check_verify(&mut found);
        self.check_whatsapp(&mut found);
        self.check_metrics(&mut found);
        self.check_suppression(&mut found);
        self.check_media(&mut found);
        if let Err(advice) = logging::check_filter(&self.log.filter) {
            found.want(false, "log.filter", format!("{:?}", self.log.filter), advice);
        }
        found.0
    }

    fn check_fleet(&self, found: &mut Findings) {
        if let Some(code) = &self.fleet.default_country {
            let fits =
                (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit()) && !code.starts_with('0');
            let advice = "must be a country code of 1 to 3 digits without + or 0 before it, like \"62\"";
            found.want(fits, "fleet.default_country", format!("{code:?}"), advice);
        }
    }

    fn check_stores(&self, found: &mut Findings) {
        if let Some(keys) = &self.store.encryption_keys
            && let Err(error) = Keyring::parse(keys.expose())
        {
            found.want(false, "store.encryption_keys", "[secret]", error.to_string());
        }
        let urls = [
            ("postgres.url", &self.postgres.url, ["postgres://", "postgresql://"]),
            ("rabbitmq.url", &self.rabbitmq.url, ["amqp://", "amqps://"]),
            ("redis.url", &self.redis.url, ["redis://", "rediss://"]),
        ];
        for (key, url, schemes) in urls {
            let fits = url.as_ref().is_none_or(|url| schemes.iter().any(|scheme| url.expose().starts_with(scheme)));
            found.want(fits, key, "[secret]", format!("must start with {} or {}", schemes[0], schemes[1]));
        }
        found.count("postgres.max_connections", self.postgres.max_connections, 2, 1000);
        let (short, long) = (Duration::from_millis(100), Duration::from_mins(5));
        found.between("postgres.acquire_timeout", self.postgres.acquire_timeout, short, long);
        found.between("postgres.statement_timeout", self.postgres.statement_timeout, short, long);
        let empty = self.sqlite.path.as_os_str().is_empty();
        found.want(!empty, "sqlite.path", "\"\"", "must name a file, like \"kurir-data/kurir.db\"");
        found.between("sqlite.busy_timeout", self.sqlite.busy_timeout, short, long);
        found.between("rabbitmq.connect_timeout", self.rabbitmq.connect_timeout, short, long);
        found.between("rabbitmq.publish_timeout", self.rabbitmq.publish_timeout, short, long);
        found.between("rabbitmq.reconnect_max", self.rabbitmq.reconnect_max, short, long);
        let heartbeat = self.rabbitmq.heartbeat;
        let whole = heartbeat.subsec_nanos() == 0 && (1..=600).contains(&heartbeat.as_secs());
        found.span(whole, "rabbitmq.heartbeat", heartbeat, "must be whole seconds, from 1s to 10m".to_owned());
        found.count("redis.pool", self.redis.pool, 1, 1000);
        found.between("redis.connect_timeout", self.redis.connect_timeout, short, long);
        found.between("redis.timeout", self.redis.timeout, Duration::from_millis(10), long);
        let prefix = &self.redis.prefix;
        let fits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
        let advice = "must consist of letters, digits and - _ . : and not be empty";
        found.want(fits, "redis.prefix", format!("{prefix:?}"), advice);
    }

    fn check_worker(&self, found: &mut Findings) {
        let worker = &self.worker;
        found.count("worker.capacity", worker.capacity, 1, 100_000);
        found.count("worker.move_rate", worker.move_rate, 1, 10_000);
        found.count("worker.connect_rate", worker.connect_rate, 1, 10_000);
        found.count("worker.window_otp", worker.window_otp.into(), 1, 1000);
        found.count("worker.window_bulk", worker.window_bulk.into(), 1, 1000);
        let (short, hour) = (Duration::from_millis(100), Duration::from_hours(1));
        found.between("worker.scan_every", worker.scan_every, short, hour);
        found.between("worker.ack_patience", worker.ack_patience, short, Duration::from_mins(5));
        found.between("worker.deadline_margin", worker.deadline_margin, Duration::ZERO, Duration::from_secs(10));
        found.between("worker.max_wait", worker.max_wait, Duration::ZERO, Duration::from_mins(5));
        let renew = worker.renew_every;
        let advice = format!(
            "must be at least three times worker.renew_every ({}), so that two renewals may fail",
            show_span(renew)
        );
        found.span(worker.lease_ttl >= renew.saturating_mul(3), "worker.lease_ttl", worker.lease_ttl, advice);
        let advice = format!(
            "must be longer than redis.timeout ({}), or renewals overtake each other",
            show_span(self.redis.timeout)
        );
        found.span(renew > self.redis.timeout, "worker.renew_every", renew, advice);
        let stop = worker.stop_deadline;
        let advice = format!(
            "must be shorter than worker.lease_ttl ({}), or a worker that hangs while it stops keeps sessions beyond its lease",
            show_span(worker.lease_ttl)
        );
        found.span(stop < worker.lease_ttl, "worker.stop_deadline", stop, advice);
        let needed = worker.ack_patience.saturating_add(self.rabbitmq.publish_timeout);
        let advice = format!(
            "must be at least {}, worker.ack_patience and rabbitmq.publish_timeout together: a stop waits for WhatsApp's \
             answer and for the events that tell of it",
            show_span(needed)
        );
        found.span(stop >= needed, "worker.stop_deadline", stop, advice);
        let advice = format!(
            "must be shorter than worker.lease_ttl ({}), or waiting jobs outlive their session's lease",
            show_span(worker.lease_ttl)
        );
        found.span(worker.max_wait < worker.lease_ttl, "worker.max_wait", worker.max_wait, advice);
    }

    fn check_limits(&self, found: &mut Findings) {
        let longest = DELAY_STEPS[DELAY_STEPS.len() - 1];
        let limits = &self.limits;
        for (key, every, burst) in [
            ("limits.sender", limits.sender.every, limits.sender.burst),
            ("limits.numbers", limits.numbers.every, limits.numbers.burst),
        ] {
            found.between(&format!("{key}.every"), every, Duration::ZERO, Duration::from_hours(1));
            found.count(&format!("{key}.burst"), burst.get(), 1, 10_000);
        }
        let sender = &limits.sender;
        found.count("limits.sender.otp_reserve", sender.otp_reserve, 0, 100);
        let (cap, cold) = (sender.per_day, sender.cold_per_day);
        let advice = format!("can't be reached: limits.sender.per_day is {cap}; lower it, or 0 for no such limit");
        found.want(cap == 0 || cold <= cap, "limits.sender.cold_per_day", cold.to_string(), advice);
        let highest = sender.warm_up.highest();
        let advice = format!("its last step, {highest} a day, must be below limits.sender.per_day ({cap})");
        let shown = format!("{:?}", sender.warm_up.to_string());
        found.want(cap == 0 || highest < cap, "limits.sender.warm_up", shown, advice);
        let otp_every = limits.recipient.otp_every;
        let advice = format!("must not be longer than the longest delay, {}", show_span(longest));
        found.span(otp_every <= longest, "limits.recipient.otp_every", otp_every, advice);
        let day = Duration::from_hours(24);
        let most = otp_every.saturating_mul(limits.recipient.otp_per_day);
        let advice = format!(
            "can't be reached: one every {} (limits.recipient.otp_every) makes less in 24 hours; lower it, or 0 for no such limit",
            show_span(otp_every)
        );
        found.want(most <= day, "limits.recipient.otp_per_day", limits.recipient.otp_per_day.to_string(), advice);
        let month = Duration::from_hours(24 * 31);
        found.between("limits.numbers.cache_ttl", limits.numbers.cache_ttl, Duration::ZERO, month);
        found.between("limits.numbers.missing_ttl", limits.numbers.missing_ttl, Duration::ZERO, month);
        let retry = &self.retry;
        found.count("retry.otp_attempts", retry.otp_attempts, 1, 100);
        found.count("retry.bulk_attempts", retry.bulk_attempts, 1, 100);
        let base = retry.backoff_base;
        found.between("retry.backoff_base", base, Duration::from_millis(100), longest);
        let advice = format!(
            "must be from retry.backoff_base ({}) to the longest delay, {}",
            show_span(base),
            show_span(longest)
        );
        let fits = (base..=longest).contains(&retry.backoff_max);
        found.span(fits, "retry.backoff_max", retry.backoff_max, advice);
    }

    fn check_relay(&self, found: &mut Findings) {
        let relay = &self.relay;
        found.count("relay.batch", relay.batch, 1, 10_000);
        found.between("relay.sweep_every", relay.sweep_every, Duration::from_millis(100), Duration::from_hours(1));
        let advice = format!(
            "must be longer than rabbitmq.publish_timeout ({}), or the relay publishes what its worker is still publishing",
            show_span(self.rabbitmq.publish_timeout)
        );
        found.span(relay.age > self.rabbitmq.publish_timeout, "relay.age", relay.age, advice);
        let (least, most) = (Duration::from_mins(1), Duration::from_hours(24 * 90));
        found.between("relay.keep_events", relay.keep_events, least, most);
        found.between("relay.failure_window", relay.failure_window, least, most);
        found.count("relay.failure_least", relay.failure_least, 1, 1_000_000);
        found.count("relay.failure_percent", relay.failure_percent, 0, 100);
        self.check_webhooks(found);
    }

    fn check_webhooks(&self, found: &mut Findings) {
        let webhooks = &self.webhooks;
        let (second, month) = (Duration::from_secs(1), Duration::from_hours(24 * 31));
        found.between("webhooks.answer_within", webhooks.answer_within, second, Duration::from_mins(1));
        found.between(
            "webhooks.backoff_base",
            webhooks.backoff_base,
            Duration::from_millis(10),
            Duration::from_hours(1),
        );
        let advice = format!("must be at least webhooks.backoff_base ({})", show_span(webhooks.backoff_base));
        let fits = webhooks.backoff_max >= webhooks.backoff_base;
        found.span(fits, "webhooks.backoff_max", webhooks.backoff_max, advice);
        let kept = self.relay.keep_events;
        let advice = format!(
            "must be shorter than relay.keep_events ({}), or an event is gone before its last attempt",
            show_span(kept)
        );
        found.span(webhooks.patience < kept, "webhooks.patience", webhooks.patience, advice);
        found.count("webhooks.at_once", webhooks.at_once, 1, 256);
        found.between("webhooks.disable_after", webhooks.disable_after, second, month);
    }

    fn check_admin(&self, found: &mut Findings) {
        let (admin, minute) = (&self.admin, Duration::from_mins(1));
        found.between("admin.session_max", admin.session_max, minute, Duration::from_hours(24 * 31));
        let advice = format!(
            "must be from 1m to admin.session_max ({}), after which a sign-in ends in any case",
            show_span(admin.session_max)
        );
        let fits = (minute..=admin.session_max).contains(&admin.session_idle);
        found.span(fits, "admin.session_idle", admin.session_idle, advice);
    }

    fn check_dialects(&self, found: &mut Findings) {
        let dialects = &self.dialects;
        let second = Duration::from_secs(1);
        found.between("dialects.send_wait", dialects.send_wait, second, Duration::from_mins(1));
        found.between("dialects.qr_wait", dialects.qr_wait, second, Duration::from_mins(1));
        let timeout = dialects.socketio.qr_timeout;
        found.between("dialects.socketio.qr_timeout", timeout, second, Duration::from_mins(10));
        if let Some(key) = &dialects.multi.admin_key {
            // On this machine alone it may be as short as that of the system that is replaced.
            let own = dialects.own_ports.contains("multi").then_some(dialects.multi.listen);
            let near = own.into_iter().chain([self.gateway.listen]).all(|address| address.ip().is_loopback());
            let length = key.expose().len();
            let visible = key.expose().bytes().all(|b| b.is_ascii_graphic());
            let advice = format!(
                "must consist of visible ASCII characters, and have at least {MIN_API_KEY} of them (it has {length}) where it \
                 can be tried from other machines"
            );
            found.want(visible && (near || length >= MIN_API_KEY), "dialects.multi.admin_key", "[secret]", advice);
        }
    }

    fn check_gateway(&self, found: &mut Findings) {
        let gateway = &self.gateway;
        for (name, random) in [("gateway.api_key", &gateway.api_key), ("redis.pepper", &self.redis.pepper)] {
            let Some(random) = random else { continue };
            let length = random.expose().len();
            let fits = length >= MIN_API_KEY && random.expose().bytes().all(|b| b.is_ascii_graphic());
            let advice = format!(
                "must have at least {MIN_API_KEY} visible ASCII characters (it has {length}); make one with: openssl rand -hex 24"
            );
            found.want(fits, name, "[secret]", advice);
        }
        let most = u32::try_from(MAX_BODY).unwrap_or(u32::MAX);
        found.count("gateway.key_rate", gateway.key_rate, 0, 1_000_000);
        found.count("gateway.key_burst", gateway.key_burst, 1, 1_000_000);
        found.count("gateway.body_limit", gateway.body_limit, 1024, most);
        found.count("gateway.max_connections", gateway.max_connections, 1, 100_000);
        let longest = Duration::from_mins(10);
        found.between("gateway.header_timeout", gateway.header_timeout, Duration::from_millis(100), longest);
        let request = gateway.request_timeout;
        let needed = self.rabbitmq.publish_timeout.saturating_add(self.postgres.acquire_timeout);
        let advice = format!(
            "must be longer than {}, rabbitmq.publish_timeout and postgres.acquire_timeout together, or a caller never \
             learns what became of a job that was slow",
            show_span(needed)
        );
        found.span(request > needed, "gateway.request_timeout", request, advice);
        let advice = format!(
            "must be at least gateway.request_timeout ({}), or a stop cuts requests that would have ended",
            show_span(request)
        );
        found.span(gateway.stop_deadline >= request, "gateway.stop_deadline", gateway.stop_deadline, advice);
        let month = Duration::from_hours(24 * 31);
        found.between("gateway.idempotency_ttl", gateway.idempotency_ttl, Duration::from_mins(1), month);
        let second = Duration::from_secs(1);
        found.between("gateway.wait_max", gateway.wait_max, second, Duration::from_mins(10));
        found.between("gateway.wait_default", gateway.wait_default, second, gateway.wait_max);
        found.count("gateway.batch_body_limit", gateway.batch_body_limit, gateway.body_limit, 256 << 20);
        found.count("gateway.max_waits", gateway.max_waits, 1, 1_000_000);
        let advice = format!(
            "must be from 1 to half of gateway.max_connections ({}), or streams leave no place for requests",
            gateway.max_connections
        );
        let fits = (1..=gateway.max_connections.div_ceil(2)).contains(&gateway.max_streams);
        found.want(fits, "gateway.max_streams", gateway.max_streams.to_string(), advice);
        found.count("gateway.streams_per_key", gateway.streams_per_key, 1, gateway.max_streams.max(1));
        found.between(
            "gateway.stream_patience",
            gateway.stream_patience,
            Duration::from_secs(1),
            Duration::from_mins(5),
        );
        if let Some(ttl) = gateway.otp_ttl {
            let margin = self.worker.deadline_margin;
            let first_retry = self.worker.ack_patience.saturating_add(self.retry.backoff_base).saturating_add(margin);
            let every = self.limits.recipient.otp_every;
            let advice = format!(
                "must be longer than limits.recipient.otp_every ({}) and worker.deadline_margin ({}) together, or an OTP that \
                 the limit delays has always expired when its turn comes",
                show_span(every),
                show_span(margin)
            );
            found.span(ttl > every.saturating_add(margin), "gateway.otp_ttl", ttl, advice);
            let advice = format!(
                "must be longer than {}, worker.ack_patience, retry.backoff_base and worker.deadline_margin together, or no \
                 OTP is ever retried",
                show_span(first_retry)
            );
            found.span(ttl > first_retry, "gateway.otp_ttl", ttl, advice);
        }
    }

    fn check_verify(&self, found: &mut Findings) {
        let verify = &self.verify;
        found.count("verify.code_length", verify.code_length, 4, 10);
        found.count("verify.max_checks", verify.max_checks, 1, 20);
        found.count("verify.max_sends", verify.max_sends, 1, 20);
        let (second, hour, day) = (Duration::from_secs(1), Duration::from_hours(1), Duration::from_hours(24));
        found.between("verify.ttl", verify.ttl, Duration::from_secs(30), day);
        found.between("verify.resend_every", verify.resend_every, Duration::ZERO, hour);
        found.between("verify.patience", verify.patience, second, hour);
        found.between(
            "verify.webhook_timeout",
            verify.webhook_timeout,
            Duration::from_millis(100),
            Duration::from_mins(1),
        );
        found.between("verify.conversion_window", verify.conversion_window, Duration::from_mins(1), day * 31);
        found.between("verify.block_for", verify.block_for, Duration::from_mins(1), day * 31);
        found.between("verify.scan_every", verify.scan_every, Duration::from_millis(100), Duration::from_mins(1));
        let advice = format!(
            "must be longer than verify.ttl ({}) and verify.conversion_window ({}), or what they are about is forgotten before \
             they end",
            show_span(verify.ttl),
            show_span(verify.conversion_window)
        );
        let fits = verify.remember > verify.ttl && verify.remember > verify.conversion_window;
        found.span(fits, "verify.remember", verify.remember, advice);
        let (number, old) = (verify.webhook_secret_number, verify.old_webhook_secret_number);
        found.count("verify.webhook_secret_number", number, 1, u32::MAX);
        let advice = "must be the number of another secret than verify.webhook_secret_number, or 0";
        found.want(old != number, "verify.old_webhook_secret_number", old.to_string(), advice);
        let known = matches!(verify.locale.as_str(), "en" | "id");
        found.want(known, "verify.locale", format!("{:?}", verify.locale), "must be \"en\" or \"id\"");
    }

    fn check_metrics(&self, found: &mut Findings) {
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        found.between("metrics.sample_every", self.metrics.sample_every, second, hour);
        if let Some(listen) = self.metrics.listen {
            let same = listen == self.gateway.listen && listen.port() != 0;
            let advice = "must differ from gateway.listen: it takes no key";
            found.want(!same, "metrics.listen", format!("\"{listen}\""), advice);
        }
    }

    fn check_suppression(&self, found: &mut Findings) {
        let words = &self.suppression;
        if let Some(word) = words.stop_words.overlap(&words.resume_words) {
            let advice = format!("has {word:?}, which suppression.stop_words has too: a word means one thing");
            found.want(false, "suppression.resume_words", format!("{:?}", words.resume_words.to_string()), advice);
        }
    }

    fn check_media(&self, found: &mut Findings) {
        let media = &self.media;
        for (key, value) in [
            ("media.image_mib", media.image_mib),
            ("media.video_mib", media.video_mib),
            ("media.audio_mib", media.audio_mib),
            ("media.document_mib", media.document_mib),
        ] {
            // WhatsApp's own limit.
            found.count(key, value, 1, 2048);
        }
        found.count("media.tenant_mib", media.tenant_mib, 0, 1 << 30);
        let largest = media.image_mib.max(media.video_mib).max(media.audio_mib).max(media.document_mib);
        let advice = "must be at least the largest file that is allowed, or 0";
        let fits = media.tenant_mib == 0 || media.tenant_mib >= largest;
        found.want(fits, "media.tenant_mib", media.tenant_mib.to_string(), advice);
        found.count("media.memory_mib", media.memory_mib, 8, 1_048_576);
        let (minute, month) = (Duration::from_mins(1), Duration::from_hours(24 * 31));
        found.between("media.keep", media.keep, minute, month);
        found.between("media.transfer_timeout", media.transfer_timeout, Duration::from_secs(1), minute * 60);
    }

    fn check_whatsapp(&self, found: &mut Findings) {
        let whatsapp = &self.whatsapp;
        if let Some(endpoint) = &whatsapp.endpoint {
            let url = endpoint.starts_with("ws://") || endpoint.starts_with("wss://");
            let advice = "must start with ws:// or wss://";
            found.want(url, "whatsapp.endpoint", format!("{endpoint:?}"), advice);
        }
        // 812 is what WhatsApp Web itself uploads.
        found.count("whatsapp.prekeys", whatsapp.prekeys, 10, 812);
        let (second, minutes) = (Duration::from_secs(1), Duration::from_mins(10));
        found.between("whatsapp.connect_timeout", whatsapp.connect_timeout, second, minutes);
        let name = &whatsapp.device_name;
        let fits = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        found.want(fits, "whatsapp.device_name", format!("{name:?}"), "must have 1 to 64 visible characters");
        let simulator = &self.simulator;
        for (key, address) in [("simulator.listen", simulator.listen), ("simulator.control", simulator.control)] {
            found.want(
                is_loopback(address),
                key,
                format!("\"{address}\""),
                "must be a loopback address, like 127.0.0.1",
            );
        }
        let same = simulator.listen == simulator.control && simulator.listen.port() != 0;
        let advice = "must differ from simulator.listen";
        found.want(!same, "simulator.control", format!("\"{}\"", simulator.control), advice);
        if let (Some(delivered), Some(read)) = (simulator.delivered_after, simulator.read_after) {
            let advice = format!("must not be shorter than simulator.delivered_after ({})", show_span(delivered));
            found.span(read >= delivered, "simulator.read_after", read, advice);
        }
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}
