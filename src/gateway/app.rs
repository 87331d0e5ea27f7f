//! What all interfaces of a gateway share.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::TenantId;
use kurir_core::port::{Clock, Entropy, RequestLog};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::Door;
use super::key_limit::KeyLimit;
use super::keys::ApiKeys;
use super::limits_in_force::LimitInForce;
use super::looks::Looks;
use super::notices::Notices;
use super::stream_limit::StreamLimit;
use super::tail::Tail;
use super::usecase::{Activities, QueueView, UseCases};
use super::waits::Waits;
use super::{GatewayOptions, GatewayPorts, MessageOptions, Meter, Probe};

/// What the handlers share.
pub(super) struct App {
    pub cases: UseCases,
    pub keys: ApiKeys,
    pub key_limit: KeyLimit,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub probes: Vec<Probe>,
    pub tasks: TaskTracker,
    pub body_limit: usize,
    pub request_timeout: Duration,
    pub upload_timeout: Duration,
    pub requests: Arc<dyn RequestLog>,
    pub waits: Waits,
    pub messages: MessageOptions,
    pub tail: Tail,
    pub notices: Notices,
    pub streams: Arc<StreamLimit>,
    pub stream_patience: Duration,
    /// Ends the streams when the gateway stops.
    pub stopping: CancellationToken,
    pub operator: TenantId,
    pub meter: Option<Arc<dyn Meter>>,
    /// Who may open the admin page.
    pub door: Arc<Door>,
    pub limits: Vec<LimitInForce>,
    /// Looks at the queues, and at what became of messages.
    pub queues: Looks<QueueView>,
    pub activities: Looks<Activities>,
}

/// How long a look at the queues is believed, and one at what became of messages: the broker is asked for every queue, and the
/// store counts a day.
const QUEUES_FRESH: Duration = Duration::from_secs(3);
const ACTIVITIES_FRESH: Duration = Duration::from_secs(10);

impl App {
    /// Over these ports. Starts nothing that does not end with `tasks` or `stopping`.
    pub fn new(options: GatewayOptions, ports: GatewayPorts, tasks: TaskTracker, stopping: CancellationToken) -> Self {
        let (ledger, events) = (Arc::clone(&ports.ledger), Arc::clone(&ports.events));
        let waits = Waits::new(ledger, events, options.messages.most_waits, tasks.clone(), stopping.clone());
        let (log, source) = (Arc::clone(&ports.event_log), Arc::clone(&ports.events));
        let door = Arc::new(Door::new(options.admin, &ports));
        Self {
            door,
            tail: Tail::new(log, source, stopping.clone()),
            notices: Notices::new(),
            streams: StreamLimit::new(options.max_streams, options.streams_per_key),
            stream_patience: options.stream_patience,
            stopping,
            entropy: Arc::clone(&ports.entropy),
            clock: Arc::clone(&ports.clock),
            key_limit: KeyLimit::new(options.key_rate, options.key_burst),
            keys: ApiKeys::new(options.fixed_keys, Arc::clone(&ports.keys), Arc::clone(&ports.clock)),
            probes: options.probes,
            tasks,
            body_limit: options.body_limit,
            request_timeout: options.request_timeout,
            upload_timeout: options.upload_timeout,
            requests: Arc::clone(&ports.requests),
            waits,
            messages: options.messages,
            cases: UseCases::new(ports, options.default_country, options.otp_ttl, options.verify)
                .with_caps(options.messages.queue_caps)
                .with_media(options.media)
                .with_senders(options.senders, options.pace),
            operator: options.operator,
            meter: options.meter,
            limits: options.limits,
            queues: Looks::new(QUEUES_FRESH),
            activities: Looks::new(ACTIVITIES_FRESH),
        }
    }
}
