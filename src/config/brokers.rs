//! RabbitMQ and Redis.

use std::time::Duration;

use kurir_core::domain::Secret;
use serde::Deserialize;

use super::read;

/// The kind of the queues that are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueKind {
    /// Replicated by Raft.
    Quorum,
    /// Classic, version 2; on one node.
    Classic,
}

/// `[rabbitmq]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RabbitmqConfig {
    /// `amqp://user:password@host:5672/vhost`
    #[serde(deserialize_with = "read::maybe_secret")]
    pub url: Option<Secret<String>>,
    /// The kind of the queues. It can't be changed for queues that exist.
    pub queue_kind: QueueKind,
    /// How long connecting may take.
    #[serde(deserialize_with = "read::span")]
    pub connect_timeout: Duration,
    /// How long a publish may wait for the broker's confirm.
    #[serde(deserialize_with = "read::span")]
    pub publish_timeout: Duration,
    /// Heartbeat of the connections, whole seconds.
    #[serde(deserialize_with = "read::span")]
    pub heartbeat: Duration,
    /// Longest pause between two attempts to connect.
    #[serde(deserialize_with = "read::span")]
    pub reconnect_max: Duration,
}

/// `[redis]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://:password@host:6379/0`
    #[serde(deserialize_with = "read::maybe_secret")]
    pub url: Option<Secret<String>>,
    /// Mixed into the hashes that stand for recipients.
    #[serde(deserialize_with = "read::maybe_secret")]
    pub pepper: Option<Secret<String>>,
    /// Put before every key.
    pub prefix: String,
    /// Connections of one process, at most.
    pub pool: u32,
    /// How long connecting may take.
    #[serde(deserialize_with = "read::span")]
    pub connect_timeout: Duration,
    /// How long one request may take.
    #[serde(deserialize_with = "read::span")]
    pub timeout: Duration,
}
