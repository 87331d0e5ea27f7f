//! The worker, its retries, and the relay.

use std::time::Duration;

use kurir_core::domain::WorkerName;
use serde::Deserialize;

use super::read;

/// `[worker]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// The name that was given; see [`WorkerConfig::name_or`].
    #[serde(deserialize_with = "read::maybe_name")]
    pub name: Option<WorkerName>,
    /// How many sessions it is ready to hold.
    pub capacity: u32,
    /// How long a session stays with a worker that is not heard of any more.
    #[serde(deserialize_with = "read::span")]
    pub lease_ttl: Duration,
    /// How often leases are renewed.
    #[serde(deserialize_with = "read::span")]
    pub renew_every: Duration,
    /// How often it looks for sessions that nobody holds.
    #[serde(deserialize_with = "read::span")]
    pub scan_every: Duration,
    /// Sessions a second that it gives away to a worker that joined.
    pub move_rate: u32,
    /// Sessions a second that it connects in a mass failover.
    pub connect_rate: u32,
    /// Jobs of one session's otp lane in work at the same time.
    pub window_otp: u16,
    /// Jobs of one session's bulk lane in work at the same time.
    pub window_bulk: u16,
    /// How long to wait for WhatsApp's answer to one message.
    #[serde(deserialize_with = "read::span")]
    pub ack_patience: Duration,
    /// How long before its deadline a message must be on the wire.
    #[serde(deserialize_with = "read::span")]
    pub deadline_margin: Duration,
    /// How long a job may wait for its sender's pace before it is parked.
    #[serde(deserialize_with = "read::span")]
    pub max_wait: Duration,
    /// How long a stop may take.
    #[serde(deserialize_with = "read::span")]
    pub stop_deadline: Duration,
    /// Whether a job's tenant must be the user that RabbitMQ vouches for.
    pub prove_tenant: bool,
}

impl WorkerConfig {
    /// The worker's name: the configured one, else the host's made fit and six digits of `nonce`, so that two
    /// processes of one host don't share a name. `nonce` should be random.
    pub fn name_or(&self, host: Option<&str>, nonce: u128) -> WorkerName {
        const LONGEST_HOST: usize = 57;
        if let Some(name) = &self.name {
            return name.clone();
        }
        let fit: String = host
            .unwrap_or_default()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .skip_while(|c| *c == '-')
            .take(LONGEST_HOST)
            .collect();
        let host = if fit.is_empty() { "worker" } else { &fit };
        let name = format!("{host}-{:06x}", nonce & 0x00ff_ffff);
        WorkerName::new(&name).unwrap_or_else(|error| unreachable!("{name} was made fit: {error}"))
    }
}

/// `[retry]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// Attempts on the wire in the otp lane.
    pub otp_attempts: u32,
    /// Attempts on the wire in the bulk lane.
    pub bulk_attempts: u32,
    /// The first span of the back-off.
    #[serde(deserialize_with = "read::span")]
    pub backoff_base: Duration,
    /// The longest span of the back-off.
    #[serde(deserialize_with = "read::span")]
    pub backoff_max: Duration,
}

/// `[relay]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// How often the outbox is swept.
    #[serde(deserialize_with = "read::span")]
    pub sweep_every: Duration,
    /// From which age on an event is taken over from the worker that wrote it.
    #[serde(deserialize_with = "read::span")]
    pub age: Duration,
    /// Events at a time.
    pub batch: u32,
    /// How long ended jobs are remembered.
    #[serde(deserialize_with = "read::span")]
    pub remember: Duration,
    /// How long events stay in the log.
    #[serde(deserialize_with = "read::span")]
    pub keep_events: Duration,
    /// Messages that were taken within this span count for the alert of failures.
    #[serde(deserialize_with = "read::span")]
    pub failure_window: Duration,
    /// With fewer messages that have ended nothing is said.
    pub failure_least: u32,
    /// Above this share of them, in hundredths, the alert is raised; 0: never.
    pub failure_percent: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    #[test]
    fn every_host_name_gives_a_name_that_is_its_own() {
        let mut config = Config::load(&Sources::default()).unwrap().worker;
        let name = |config: &WorkerConfig, host: Option<&str>| config.name_or(host, 0xab_cdef).to_string();
        assert_eq!(name(&config, Some("web-1.example.org")), "web-1-example-org-abcdef");
        assert_eq!(name(&config, Some("__")), "worker-abcdef");
        assert_eq!(name(&config, None), "worker-abcdef");
        assert_eq!(name(&config, Some(&"h".repeat(200))).len(), 64);
        config.name = Some(WorkerName::new("mine").unwrap());
        assert_eq!(name(&config, Some("web-1")), "mine");
    }
}
