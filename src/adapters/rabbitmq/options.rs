//! How to reach the broker, and how long to wait for it.

use std::fmt;
use std::time::Duration;

use kurir_core::policy::Backoff;

/// What kind of queue a session's lane is. Fixed when the queue is declared: changing it needs the queue removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Replicated over the nodes of a cluster; the default.
    #[default]
    Quorum,
    /// On one node. Smaller and quicker to declare: for one node and many idle sessions.
    Classic,
}

impl QueueKind {
    /// The value of the argument `x-queue-type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// The settings of a [`super::RabbitMq`].
#[derive(Clone)]
pub struct RabbitOptions {
    /// `amqp://user:password@host:port/vhost` (`amqps` for TLS).
    pub url: String,
    /// The name that the broker shows for our connections; the role is added.
    pub connection_name: String,
    /// The kind of the session queues.
    pub queue_kind: QueueKind,
    /// How long a call may take until the broker has confirmed or answered; for a batch: for each thousand messages.
    pub publish_timeout: Duration,
    /// How long a job that is to wait or to move is held while its next queue can't take it.
    pub settle_patience: Duration,
    /// How long one attempt to connect and declare the topology may take.
    pub connect_timeout: Duration,
    /// Without any traffic for twice this span a connection counts as lost; whole seconds, 0 switches it off.
    pub heartbeat: Duration,
    /// The largest window that a stream may have, whatever its subscriber asks for.
    pub max_prefetch: u16,
    /// How many publishing calls may wait for their confirms at once; the next ones wait their turn.
    pub publish_channels: usize,
    /// How many connections the streams are spread over. Each stream has a channel, and RabbitMQ allows 2047 channels
    /// on a connection by default.
    pub consume_connections: usize,
    /// The pauses between attempts to connect again.
    pub reconnect: Backoff,
    /// Called between the confirm of a copy and the acknowledgement of its original, where tests end the process.
    #[cfg(feature = "simulator")]
    pub copy_confirmed: Option<std::sync::Arc<dyn Fn() + Send + Sync>>,
}

impl RabbitOptions {
    /// The defaults for a broker.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connection_name: "kurir".into(),
            queue_kind: QueueKind::default(),
            publish_timeout: Duration::from_secs(10),
            settle_patience: Duration::from_mins(5),
            connect_timeout: Duration::from_secs(15),
            heartbeat: Duration::from_secs(15),
            max_prefetch: 500,
            publish_channels: 16,
            consume_connections: 1,
            reconnect: Backoff { base: Duration::from_millis(200), max: Duration::from_secs(10) },
            #[cfg(feature = "simulator")]
            copy_confirmed: None,
        }
    }
}

impl fmt::Debug for RabbitOptions {
    /// Leaves the URL out: it holds the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitOptions")
            .field("connection_name", &self.connection_name)
            .field("queue_kind", &self.queue_kind)
            .field("publish_timeout", &self.publish_timeout)
            .field("max_prefetch", &self.max_prefetch)
            .finish_non_exhaustive()
    }
}
