//! The HTTP gateway: kurir for those who don't speak AMQP.
//!
//! `usecase` says what can be done (create a session, enqueue a message, …) without a word of HTTP; `native` is kurir's own
//! HTTP interface over it. Further dialects translate into the same use cases. The gateway knows ports only.

mod key_limit;
mod keys;
pub mod native;
mod ready;
mod server;
pub mod usecase;

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::ApiKeyRecord;
use kurir_core::port::{Calls, Clock, Entropy, JobQueue, KeyStore, Ledger, PoolQueue, SessionStore, Vigil, Wishes};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use keys::fixed_key;
pub use native::openapi_document;
pub use ready::{Probe, ProbeReport};
pub use server::Abandoned;

/// What the gateway needs of the outside.
#[derive(Clone)]
pub struct GatewayPorts {
    /// The sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// The API keys.
    pub keys: Arc<dyn KeyStore>,
    /// The record of every job.
    pub ledger: Arc<dyn Ledger>,
    /// The queues.
    pub jobs: Arc<dyn JobQueue>,
    /// The queues of pools.
    pub pools: Arc<dyn PoolQueue>,
    /// Where the workers are told that there is something to do.
    pub vigil: Arc<dyn Vigil>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// Calls to the owners of sessions.
    pub calls: Arc<dyn Calls>,
    /// Where operators want which session.
    pub wishes: Arc<dyn Wishes>,
}

/// How the gateway behaves.
pub struct GatewayOptions {
    /// Keys beside those of the register.
    pub fixed_keys: Vec<ApiKeyRecord>,
    /// Requests of a key in a second; 0: no limit.
    pub key_rate: u32,
    /// Requests of a key at once.
    pub key_burst: u32,
    /// Country code of national numbers, digits only.
    pub default_country: Option<String>,
    /// Deadline of a one-time password whose request names none; `None`: such a request is refused.
    pub otp_ttl: Option<Duration>,
    /// Largest request body, bytes.
    pub body_limit: usize,
    /// How long a request may take, its body's arrival included.
    pub request_timeout: Duration,
    /// How long the head of a request may take to arrive.
    pub header_timeout: Duration,
    /// Connections at the same time; more wait to be accepted.
    pub max_connections: usize,
    /// How long requests may go on after the signal to stop.
    pub stop_deadline: Duration,
    /// What must answer for the gateway to be ready.
    pub probes: Vec<Probe>,
}

/// A gateway, ready to serve.
pub struct Gateway {
    router: axum::Router,
    tasks: TaskTracker,
    limits: server::Limits,
}

impl Gateway {
    /// Puts the gateway together; starts nothing.
    pub fn new(options: GatewayOptions, ports: GatewayPorts) -> Self {
        // Work that must not end halfway when its caller hangs up runs here; a stop waits for it.
        let tasks = TaskTracker::new();
        let limits = server::Limits {
            header_timeout: options.header_timeout,
            max_connections: options.max_connections,
            stop_deadline: options.stop_deadline,
        };
        let router = native::router(options, ports, tasks.clone());
        Self { router, tasks, limits }
    }

    /// The routes alone.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// Serves until `stop`, then takes no more connections, lets the requests at hand end within the stop's deadline, and
    /// tells what it had to abandon.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Abandoned {
        server::serve(listener, self.router, self.tasks, self.limits, stop).await
    }
}
