//! All ports of a process but WhatsApp, whatever stands behind them.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use kurir_core::domain::CodeKeys;
use kurir_core::memory::{
    MemoryCalls, MemoryLeases, MemoryMembership, MemoryRecipientLimits, MemoryVigil, MemoryWishes, SystemClock,
    SystemEntropy,
};
use kurir_core::port::{
    AlertBook, Calls, Clock, DeadLetters, Entropy, EventFeed, EventLog, EventSink, EventSource, JobQueue, KeyStore,
    LeaseStore, Ledger, MediaStore, Membership, MessageIndex, Outbox, PoolQueue, RecipientLimits, RequestLog,
    SessionStore, SessionVault, StateStore, SuppressionList, TemplateStore, UserStore, Verifications, Vigil, Web,
    WebhookStore, Wishes,
};
use kurir_workers::{Crash, GroupedState, Refused};

use super::crash;
use super::keys::{Missing, keyring};
use super::watched::Watched;
use crate::adapters::sqlite::{Access, SqliteOptions, SqliteStore};
use crate::config::Config;
use crate::gateway::Probe;
use crate::telemetry::{Part, Telemetry};

/// How a backend is closed once nothing uses it any more.
pub(super) type Close = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The ports, ready to be handed to roles.
pub struct Backends {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The register of sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Sessions as a whole, for tools.
    pub vault: Arc<dyn SessionVault>,
    /// Signal state.
    pub state: Arc<dyn StateStore>,
    /// The API keys.
    pub keys: Arc<dyn KeyStore>,
    /// The record of jobs.
    pub ledger: Arc<dyn Ledger>,
    /// The same, by what is looked for.
    pub index: Arc<dyn MessageIndex>,
    /// The requests that may be repeated.
    pub requests: Arc<dyn RequestLog>,
    /// Events on their way out.
    pub outbox: Arc<dyn Outbox>,
    /// The job queues.
    pub jobs: Arc<dyn JobQueue>,
    /// The queues of pools.
    pub pools: Arc<dyn PoolQueue>,
    /// The dead letters.
    pub dead: Arc<dyn DeadLetters>,
    /// Where events go.
    pub event_sink: Arc<dyn EventSink>,
    /// Where events come from.
    pub event_source: Arc<dyn EventSource>,
    /// The log of events.
    pub event_log: Arc<dyn EventLog>,
    /// The webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// Where events wait for the log; `None` where publishing writes it.
    pub event_feed: Option<Arc<dyn EventFeed>>,
    /// Who works on which session.
    pub leases: Arc<dyn LeaseStore>,
    /// Who is alive.
    pub members: Arc<dyn Membership>,
    /// What happens in the fleet, told at once.
    pub vigil: Arc<dyn Vigil>,
    /// Where operators want which session.
    pub wishes: Arc<dyn Wishes>,
    /// Calls to the owners of sessions.
    pub calls: Arc<dyn Calls>,
    /// Limits per recipient.
    pub recipients: Arc<dyn RecipientLimits>,
    /// Files that messages carry.
    pub media: Arc<dyn MediaStore>,
    /// Which alerts stand.
    pub alerts: Arc<dyn AlertBook>,
    /// The tenants' templates.
    pub templates: Arc<dyn TemplateStore>,
    /// Who wants no bulk messages.
    pub suppressions: Arc<dyn SuppressionList>,
    /// The users of the admin page.
    pub users: Arc<dyn UserStore>,
    /// The web, for addresses that callers name.
    pub web: Arc<dyn Web>,
    /// Counts the writes that the stores refused.
    pub refused: Refused,
    /// The verifications.
    pub verifications: Arc<dyn Verifications>,
    /// What codes are marked with.
    pub code_keys: CodeKeys,
    /// What `/readyz` asks.
    pub probes: Vec<Probe>,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// Where the process dies, if a test wants it to.
    pub(super) crash: Crash,
    pub(super) close: Vec<Close>,
}

impl Backends {
    /// One process alone: SQLite for all that must last, memory for what may be forgotten.
    pub async fn embedded(config: &Config) -> anyhow::Result<Self> {
        Ok(Self::on_file(config, Missing::Make, Access::Alone).await?.0)
    }

    /// On the SQLite file; tells whether another process has it, too.
    pub(super) async fn on_file(config: &Config, missing: Missing, access: Access) -> anyhow::Result<(Self, bool)> {
        let crash = crash::of_process()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let keys = keyring(&config.store, missing, &*entropy)?;
        let path: PathBuf = config.sqlite.path.clone();
        let options = SqliteOptions { busy_timeout: config.sqlite.busy_timeout, access, ..SqliteOptions::new(path) };
        let code_keys = keys.code_keys();
        let store = SqliteStore::open(options, keys, Arc::clone(&entropy), Arc::clone(&clock)).await?;
        let beside = store.is_beside();
        let shared = Arc::new(store.clone());
        let events = Arc::new(store.events());
        let sessions: Arc<dyn SessionStore> = Arc::clone(&shared) as _;
        let refused = Refused::default();
        let telemetry = Arc::new(Telemetry::new(&Part::ALL, Arc::clone(&clock), refused.clone()));
        let Watched { ledger, event_sink } =
            Watched::new(&telemetry, Arc::clone(&shared) as _, Arc::clone(&events) as _);
        let backends = Self {
            probes: vec![super::parts::store_probe("sqlite", Arc::clone(&sessions))],
            sessions,
            vault: Arc::clone(&shared) as _,
            state: Arc::new(GroupedState::new(Arc::clone(&shared) as _, refused.clone())),
            keys: Arc::clone(&shared) as _,
            media: Arc::clone(&shared) as _,
            index: Arc::clone(&shared) as _,
            requests: Arc::clone(&shared) as _,
            verifications: Arc::clone(&shared) as _,
            code_keys,
            ledger,
            alerts: Arc::clone(&shared) as _,
            templates: Arc::clone(&shared) as _,
            suppressions: Arc::clone(&shared) as _,
            users: Arc::clone(&shared) as _,
            outbox: Arc::clone(&shared) as _,
            jobs: crash::around(Arc::new(store.queue()), &crash),
            pools: Arc::new(store.queue()),
            dead: Arc::new(store.queue()),
            event_sink,
            event_source: events,
            event_log: Arc::clone(&shared) as _,
            event_feed: None,
            webhooks: shared,
            leases: Arc::new(MemoryLeases::new(Arc::clone(&clock))),
            members: Arc::new(MemoryMembership::new(Arc::clone(&clock))),
            vigil: Arc::new(MemoryVigil::default()),
            wishes: Arc::new(MemoryWishes::default()),
            calls: Arc::new(MemoryCalls::default()),
            recipients: Arc::new(MemoryRecipientLimits::new()),
            web: super::parts::web(config)?,
            clock,
            entropy,
            crash,
            refused,
            telemetry,
            close: vec![Box::new(move || Box::pin(async move { store.close().await }))],
        };
        Ok((backends, beside))
    }

    /// Closes what is behind the ports; call it after the roles have stopped.
    pub async fn close(self) {
        let Self { close, .. } = self;
        for close in close {
            close().await;
        }
    }
}
