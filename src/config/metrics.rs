//! What a process tells whoever watches it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::read;

/// `[metrics]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// Where `/healthz`, `/readyz` and `/metrics` are told without a key; `None`: nowhere.
    #[serde(deserialize_with = "read::maybe_address")]
    pub listen: Option<SocketAddr>,
    /// How often the relay asks for queues, sessions and the outbox.
    #[serde(deserialize_with = "read::span")]
    pub sample_every: Duration,
    /// Whether the queues of each session are told.
    pub per_session: bool,
}
