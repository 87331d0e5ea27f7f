//! The HTTP gateway.

use std::net::SocketAddr;
use std::time::Duration;

use kurir_core::domain::{Secret, TenantId};
use serde::Deserialize;

use super::read;

/// `[gateway]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// Where it listens.
    #[serde(deserialize_with = "read::address")]
    pub listen: SocketAddr,
    /// The key of the HTTP interface.
    #[serde(deserialize_with = "read::maybe_secret")]
    pub api_key: Option<Secret<String>>,
    /// The tenant of that key; `None`: the fleet's.
    #[serde(deserialize_with = "read::maybe_name")]
    pub tenant: Option<TenantId>,
    /// Requests of a key in a second; 0: no limit.
    pub key_rate: u32,
    /// Requests of a key at once.
    pub key_burst: u32,
    /// Deadline of a one-time password whose request names none; `None`: such a request is refused.
    #[serde(deserialize_with = "read::maybe_span")]
    pub otp_ttl: Option<Duration>,
    /// Largest request body, bytes.
    pub body_limit: u32,
    /// How long a request may take, its body's arrival included.
    #[serde(deserialize_with = "read::span")]
    pub request_timeout: Duration,
    /// How long the head of a request may take to arrive.
    #[serde(deserialize_with = "read::span")]
    pub header_timeout: Duration,
    /// Connections at the same time.
    pub max_connections: u32,
    /// How long requests may go on after the signal to stop.
    #[serde(deserialize_with = "read::span")]
    pub stop_deadline: Duration,
    /// How long a request with an `Idempotency-Key` is remembered with its answer.
    #[serde(deserialize_with = "read::span")]
    pub idempotency_ttl: Duration,
    /// How long a caller waits who asks for a state and names no time.
    #[serde(deserialize_with = "read::span")]
    pub wait_default: Duration,
    /// How long a caller may wait at most.
    #[serde(deserialize_with = "read::span")]
    pub wait_max: Duration,
    /// How many callers may wait at the same time.
    pub max_waits: u32,
    /// Largest body of a batch or a CSV file, bytes.
    pub batch_body_limit: u32,
    /// Most jobs that may wait in an otp lane; 0: no such cap.
    pub queue_cap_otp: u32,
    /// Most jobs that may wait in a bulk lane; 0: no such cap.
    pub queue_cap_bulk: u32,
    /// Streams of events at the same time.
    pub max_streams: u32,
    /// Streams of events of one key.
    pub streams_per_key: u32,
    /// How long a stream's reader may take for what was sent to it.
    #[serde(deserialize_with = "read::span")]
    pub stream_patience: Duration,
}
