//! The HTTP gateway: kurir for those who don't speak AMQP.
//!
//! `usecase` says what can be done (create a session, enqueue a message, …) without a word of HTTP; `native` is kurir's own
//! HTTP interface over it. Further dialects translate into the same use cases. The gateway knows ports only.

pub mod admin;
mod app;
mod dialects;
mod key_limit;
mod keys;
mod limits_in_force;
mod looks;
mod meter;
mod monitor;
pub mod native;
mod notices;
mod queue_cap;
mod ready;
mod room;
mod server;
mod stream_limit;
mod tail;
pub mod usecase;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use app::App;
use futures_util::future::join_all;
use kurir_core::domain::{ApiKeyRecord, TenantId};
use kurir_core::policy::{PaceRule, SenderRules};
use kurir_core::port::{
    Calls, Clock, DeadLetters, Entropy, EventLog, EventSource, JobQueue, KeyStore, Ledger, MediaStore, Membership,
    MessageIndex, PoolQueue, RequestLog, SessionStore, SuppressionList, TemplateStore, UserStore, Verifications, Vigil,
    Web, WebhookStore, Wishes,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admin::AdminOptions;
pub use dialects::{Dialect, DialectOptions};
pub use keys::fixed_key;
pub use limits_in_force::LimitInForce;
pub use meter::Meter;
pub use monitor::Monitor;
pub use native::openapi_document;
pub use queue_cap::QueueCaps;
pub use ready::{Probe, ProbeReport, Readiness};
pub use server::Abandoned;
pub use usecase::VerifyOptions;

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
    /// Randomness, for ids and codes.
    pub entropy: Arc<dyn Entropy>,
    /// Files that messages carry.
    pub media: Arc<dyn MediaStore>,
    /// The record of every job, by what callers look for.
    pub index: Arc<dyn MessageIndex>,
    /// The requests that may be repeated.
    pub requests: Arc<dyn RequestLog>,
    /// What happens, told live.
    pub events: Arc<dyn EventSource>,
    /// The verifications.
    pub verifications: Arc<dyn Verifications>,
    /// The log of events.
    pub event_log: Arc<dyn EventLog>,
    /// The webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// Addresses that callers name.
    pub web: Arc<dyn Web>,
    /// The tenants' templates.
    pub templates: Arc<dyn TemplateStore>,
    /// Who wants no bulk messages.
    pub suppressions: Arc<dyn SuppressionList>,
    /// The users of the admin page.
    pub users: Arc<dyn UserStore>,
    /// Calls to the owners of sessions.
    pub calls: Arc<dyn Calls>,
    /// Where operators want which session.
    pub wishes: Arc<dyn Wishes>,
    /// The dead letters.
    pub dead: Arc<dyn DeadLetters>,
    /// The register of living workers.
    pub members: Arc<dyn Membership>,
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
    /// Connections at the same time; the longest idle one makes room for another.
    pub max_connections: usize,
    /// How long requests may go on after the signal to stop.
    pub stop_deadline: Duration,
    /// What must answer for the gateway to be ready.
    pub probes: Vec<Probe>,
    /// How files are taken.
    pub media: usecase::MediaRules,
    /// How long the upload of a file may take.
    pub upload_timeout: Duration,
    /// How messages are taken.
    pub messages: MessageOptions,
    /// How verifications are made and limited.
    pub verify: VerifyOptions,
    /// The limits of senders that go by the day, which the workers keep and the gateway tells of.
    pub senders: SenderRules,
    /// The pace of a sender, likewise.
    pub pace: PaceRule,
    /// Streams of events at the same time.
    pub max_streams: usize,
    /// Streams of events of one key.
    pub streams_per_key: usize,
    /// How long a stream's reader may take for what was sent to it.
    pub stream_patience: Duration,
    /// Whose admin keys may see what the process has counted.
    pub operator: TenantId,
    /// Who counts requests; `None`: nobody.
    pub meter: Option<Arc<dyn Meter>>,
    /// The admin page.
    pub admin: AdminOptions,
    /// The dialects, each served below `/dialects/<name>/`.
    pub dialects: Vec<DialectOptions>,
    /// Whether callers of these without a key are let in there, as the tenants of the options.
    pub dialects_open: bool,
    /// The limits, to be shown.
    pub limits: Vec<LimitInForce>,
}

/// How the gateway takes messages.
#[derive(Clone, Copy, Debug)]
pub struct MessageOptions {
    /// How long a request that may be repeated is remembered with its answer.
    pub remember: Duration,
    /// How long a caller waits who asks for a state and names no time.
    pub wait_default: Duration,
    /// How long a caller may wait at most.
    pub wait_max: Duration,
    /// How many callers may wait at the same time; more are answered at once.
    pub most_waits: usize,
    /// Largest body of a batch, bytes.
    pub batch_body_limit: usize,
    /// Most jobs that may wait in a queue.
    pub queue_caps: QueueCaps,
}

impl Default for MessageOptions {
    fn default() -> Self {
        Self {
            remember: Duration::from_hours(24),
            wait_default: Duration::from_secs(10),
            wait_max: Duration::from_mins(1),
            most_waits: 10_000,
            batch_body_limit: 16 << 20,
            queue_caps: QueueCaps::default(),
        }
    }
}

/// An address of its own for a dialect, where it stands at `/`.
pub struct Place {
    /// Which.
    pub dialect: Dialect,
    /// Where.
    pub listener: TcpListener,
}

/// A gateway, ready to serve.
pub struct Gateway {
    app: Arc<App>,
    router: axum::Router,
    dialects: Vec<DialectOptions>,
    tasks: TaskTracker,
    /// Ends what lasts as long as its caller likes: waits and streams.
    stopping: CancellationToken,
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
        // What lasts as long as its caller likes ends with the signal to stop, so that the stop waits for work only.
        let stopping = CancellationToken::new();
        let (dialects, open) = (options.dialects.clone(), options.dialects_open);
        let has_admin = options.admin.enabled;
        let app = Arc::new(App::new(options, ports, tasks.clone(), stopping.clone()));
        let main = native::router(&app);
        let main = if has_admin { main.merge(admin::router(&app)) } else { main };
        let router = dialects.iter().fold(main, |router, options| {
            let places = dialects::places(&app, options.clone(), open);
            // With and without a slash at the end.
            places.into_iter().fold(router, |router, (path, routes)| router.nest_service(&path, routes))
        });
        Self { app, router, dialects, tasks, stopping, limits }
    }

    /// The routes alone.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// Serves until `stop`, then takes no more connections, lets the requests at hand end within the stop's deadline, and
    /// tells what it had to abandon.
    pub async fn serve(self, listener: TcpListener, places: Vec<Place>, stop: CancellationToken) -> Abandoned {
        let own = places.into_iter().filter_map(|place| {
            let options = self.dialects.iter().find(|options| options.dialect == place.dialect)?;
            // Whoever can reach this machine's own address is let in without a key, as in the system that is replaced.
            let open = place.listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
            let router = dialects::router(&self.app, options.clone(), open);
            // The work that outlives its caller, and the streams, are waited for and ended with the main address.
            let ends = (CancellationToken::new(), stop.clone());
            Some(server::serve(place.listener, router, TaskTracker::new(), self.limits, ends))
        });
        let own = join_all(own.collect::<Vec<_>>());
        let main = server::serve(listener, self.router, self.tasks, self.limits, (self.stopping, stop));
        let (main, own) = tokio::join!(main, own);
        let connections = own.iter().map(|abandoned| abandoned.connections).sum::<usize>();
        Abandoned { connections: main.connections + connections, ..main }
    }
}
