//! The ports of a process in a fleet: PostgreSQL, RabbitMQ and Redis.

use std::sync::Arc;

use anyhow::Context as _;
use kurir_core::domain::Secret;
use kurir_core::memory::{
    MemoryLeases, MemoryMembership, MemoryRecipientLimits, MemoryWishes, SystemClock, SystemEntropy,
};
use kurir_core::policy::Backoff;
use kurir_core::port::{Clock, Entropy, LeaseStore, Membership, RecipientLimits, SessionStore, Wishes};
use kurir_workers::{GroupedState, Refused};

use super::backends::{Backends, Close};
use super::crash;
use super::keys::{Missing, keyring};
use super::parts::{rabbit_probe, redis_probe, store_probe};
use super::watched::Watched;
use crate::adapters::postgres::{PostgresOptions, PostgresStore};
use crate::adapters::rabbitmq::{QueueKind, RabbitMq, RabbitOptions};
use crate::adapters::redis::{RedisOptions, RedisStore};
use crate::config::{self, Config};
use crate::telemetry::{Part, Telemetry};

/// Which servers beside PostgreSQL must be there when a role starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// RabbitMQ and Redis: a worker can do nothing without either.
    Redis,
    /// RabbitMQ. Redis is not used at all: the relay holds no leases.
    NoRedis,
    /// Neither: the gateway has much to tell without them, and uses each as soon as it is there. Redis only has where
    /// sessions are to be.
    Later,
}

/// How many sessions share a consuming connection: each may take four channels (its own lanes and its pool's), and the
/// broker allows 2047 unless it is told otherwise. A few are left for declaring and asking.
const SESSIONS_PER_CONNECTION: usize = 450;

/// The volatile ports: leases, members, limits, wishes.
type Volatile = (Arc<dyn LeaseStore>, Arc<dyn Membership>, Arc<dyn RecipientLimits>, Arc<dyn Wishes>);

impl Backends {
    /// A process of a fleet; `role` stands in the names of its connections, `parts` run in it.
    pub async fn fleet(config: &Config, role: &str, parts: &[Part], needs: Needs) -> anyhow::Result<Self> {
        let crash = crash::of_process()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let keys = keyring(&config.store, Missing::Refuse, &*entropy)?;
        let code_keys = keys.code_keys();
        let store = PostgresStore::connect(postgres(config), keys, Arc::clone(&entropy))
            .await
            .context("PostgreSQL (postgres.url) can't be used")?;
        store.migrate().await.context("the tables in PostgreSQL could not be brought to this version")?;
        let rabbit = crash::between_copies(rabbitmq(config, role), &crash);
        let rabbit = match needs {
            Needs::Redis | Needs::NoRedis => RabbitMq::connect(rabbit).await,
            Needs::Later => RabbitMq::connect_when_there(rabbit).await,
        };
        let rabbit = rabbit.context("RabbitMQ (rabbitmq.url) can't be used")?;
        let (leases, members, recipients, wishes) = match needs {
            Needs::Redis | Needs::Later => redis(config, needs).await?,
            // Never asked by these roles.
            Needs::NoRedis => (
                Arc::new(MemoryLeases::new(Arc::clone(&clock))) as _,
                Arc::new(MemoryMembership::new(Arc::clone(&clock))) as _,
                Arc::new(MemoryRecipientLimits::new()) as _,
                Arc::new(MemoryWishes::default()) as _,
            ),
        };
        let shared = Arc::new(store.clone());
        let sessions: Arc<dyn SessionStore> = Arc::clone(&shared) as _;
        let refused = Refused::default();
        let broker = Arc::new(rabbit.clone());
        let telemetry = Arc::new(Telemetry::new(parts, Arc::clone(&clock), refused.clone()));
        let Watched { ledger, event_sink } =
            Watched::new(&telemetry, Arc::clone(&shared) as _, Arc::clone(&broker) as _);
        let close: Vec<Close> = vec![
            Box::new(move || Box::pin(async move { rabbit.close().await })),
            Box::new(move || Box::pin(async move { store.close().await })),
        ];
        let mut probes = vec![store_probe("postgres", Arc::clone(&sessions)), rabbit_probe(Arc::clone(&broker))];
        match needs {
            Needs::Redis => probes.push(redis_probe(Arc::clone(&members))),
            Needs::Later => probes.push(redis_probe(Arc::clone(&members)).spared()),
            Needs::NoRedis => {}
        }
        Ok(Self {
            probes,
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
            vigil: Arc::clone(&shared) as _,
            outbox: Arc::clone(&shared) as _,
            alerts: Arc::clone(&shared) as _,
            templates: Arc::clone(&shared) as _,
            suppressions: Arc::clone(&shared) as _,
            users: Arc::clone(&shared) as _,
            jobs: crash::around(Arc::clone(&broker) as _, &crash),
            pools: Arc::clone(&broker) as _,
            dead: Arc::clone(&broker) as _,
            event_source: Arc::clone(&broker) as _,
            event_log: Arc::clone(&shared) as _,
            event_feed: Some(Arc::clone(&broker) as _),
            calls: broker,
            webhooks: shared,
            event_sink,
            leases,
            members,
            recipients,
            wishes,
            web: super::parts::web(config)?,
            clock,
            entropy,
            crash,
            refused,
            telemetry,
            close,
        })
    }
}

fn url(given: Option<&Secret<String>>, key: &str) -> anyhow::Result<String> {
    given.map(|url| url.expose().clone()).with_context(|| format!("{key} is not set"))
}

pub(super) fn postgres(config: &Config) -> PostgresOptions {
    let settings = &config.postgres;
    PostgresOptions {
        // Checked by `Config::require_for`.
        url: settings.url.clone().unwrap_or_else(|| Secret::new(String::new())),
        max_connections: settings.max_connections,
        acquire_timeout: settings.acquire_timeout,
        statement_timeout: settings.statement_timeout,
        schema: settings.schema.clone(),
    }
}

pub(super) fn rabbitmq(config: &Config, role: &str) -> RabbitOptions {
    let settings = &config.rabbitmq;
    let url = settings.url.as_ref().map(|url| url.expose().clone()).unwrap_or_default();
    let base = RabbitOptions::new(url);
    RabbitOptions {
        connection_name: format!("kurir {role}"),
        queue_kind: match settings.queue_kind {
            config::QueueKind::Quorum => QueueKind::Quorum,
            config::QueueKind::Classic => QueueKind::Classic,
        },
        publish_timeout: settings.publish_timeout,
        connect_timeout: settings.connect_timeout,
        heartbeat: settings.heartbeat,
        consume_connections: 1 + config.worker.capacity as usize / SESSIONS_PER_CONNECTION,
        reconnect: Backoff { max: settings.reconnect_max, ..base.reconnect },
        ..base
    }
}

async fn redis(config: &Config, needs: Needs) -> anyhow::Result<Volatile> {
    let settings = &config.redis;
    let base = RedisOptions::new(url(settings.url.as_ref(), "redis.url")?);
    let options = RedisOptions {
        prefix: format!("{}:", settings.prefix),
        pepper: settings.pepper.clone().unwrap_or_else(|| Secret::new(String::new())),
        pool_size: settings.pool as usize,
        connect_timeout: settings.connect_timeout,
        call_timeout: settings.timeout,
        ..base
    };
    let store = match needs {
        Needs::Later => RedisStore::connect_when_there(options).await,
        Needs::Redis | Needs::NoRedis => RedisStore::connect(options).await,
    };
    let store = store.context("Redis (redis.url) can't be used")?;
    for warning in store.warnings() {
        tracing::warn!("{warning}");
    }
    let store = Arc::new(store);
    Ok((Arc::clone(&store) as _, Arc::clone(&store) as _, Arc::clone(&store) as _, store))
}
