//! The configuration: one struct per concern, read once at start and passed down.
//!
//! Layers, the later one wins: the defaults that are compiled in (`config/default.toml`, which lists every setting),
//! files, the environment (`KURIR_WORKER__LEASE_TTL`), flags (`--set worker.lease_ttl=20s`). Everything that is wrong is
//! told at once, each with the setting's name, its value, where it came from and what would be right; values of secret
//! settings are never told. The merge is our own and not a library's, because those repeat the offending value in
//! their errors, passwords included, and stop at the first one.

mod admin;
mod brokers;
mod by_session;
mod dialects;
mod fleet;
mod gateway;
mod limit_table;
mod limits;
mod log;
pub mod logging;
mod media;
mod metrics;
mod problem;
mod read;
mod relations;
mod require;
mod sources;
mod store;
mod suppression;
mod verify;
mod web;
mod webhooks;
mod whatsapp;
mod worker;

pub use admin::AdminConfig;
pub use brokers::{QueueKind, RabbitmqConfig, RedisConfig};
pub use by_session::{BySessionError, SessionNames, TimeZones};
pub use dialects::{
    AdminDialectConfig, DIALECTS, DialectsConfig, MultiConfig, OtpConfig, SocketioConfig, WaziperConfig,
};
pub use fleet::FleetConfig;
pub use gateway::GatewayConfig;
pub use limit_table::{LimitRow, limit_table, limits_in_markdown};
pub use limits::{LimitsConfig, NumberLimits, RecipientLimits, SenderLimits, WhenDown};
pub use log::{LogConfig, LogFormat};
pub use media::MediaConfig;
pub use metrics::MetricsConfig;
pub use problem::{ConfigError, Origin, Problem};
pub use read::parse_span;
pub use require::Role;
pub use sources::{DEFAULTS, SECRET_KEYS, Sources};
pub use store::{PostgresConfig, SqliteConfig, StoreConfig, StoreKind};
pub use suppression::SuppressionConfig;
pub use verify::VerifyConfig;
pub use web::WebConfig;
pub use webhooks::WebhooksConfig;
pub use whatsapp::{ClientVersion, SimulatorConfig, WhatsappConfig};
pub use worker::{RelayConfig, RetryConfig, WorkerConfig};

use serde::Deserialize;
use sources::{Layers, nest};

/// All settings. `Debug` shows secrets as `[secret]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fleet as a whole.
    pub fleet: FleetConfig,
    /// Which store.
    pub store: StoreConfig,
    /// PostgreSQL.
    pub postgres: PostgresConfig,
    /// SQLite.
    pub sqlite: SqliteConfig,
    /// RabbitMQ.
    pub rabbitmq: RabbitmqConfig,
    /// Redis.
    pub redis: RedisConfig,
    /// The worker.
    pub worker: WorkerConfig,
    /// Limits.
    pub limits: LimitsConfig,
    /// Retries.
    pub retry: RetryConfig,
    /// The relay.
    pub relay: RelayConfig,
    /// The HTTP gateway.
    pub gateway: GatewayConfig,
    /// The admin page.
    pub admin: AdminConfig,
    /// The interfaces of older systems.
    pub dialects: DialectsConfig,
    /// Requests to addresses that callers name.
    pub web: WebConfig,
    /// Files that messages carry.
    pub media: MediaConfig,
    /// Webhooks.
    pub webhooks: WebhooksConfig,
    /// WhatsApp.
    pub whatsapp: WhatsappConfig,
    /// The simulator.
    pub simulator: SimulatorConfig,
    /// Logs.
    pub log: LogConfig,
    /// Verifications.
    pub verify: VerifyConfig,
    /// What is told to whoever watches.
    pub metrics: MetricsConfig,
    /// Words by which recipients stop bulk messages.
    pub suppression: SuppressionConfig,
}

impl Config {
    /// Reads all layers and checks every value and the relations between them. Blocks on reading files.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut layers = sources::gather(sources);
        let config = read_all(&mut layers);
        if let Some(config) = config.as_ref().filter(|_| layers.problems.is_empty()) {
            layers.problems = config.validate();
            for problem in &mut layers.problems {
                if let Some(given) = layers.settings.get(&problem.key) {
                    problem.value = Some(given.show(&problem.key));
                    problem.origin = Some(given.origin.clone());
                }
            }
        }
        ConfigError::unless_none(layers.problems)?;
        config.ok_or_else(|| ConfigError { problems: Vec::new() })
    }
}

/// Reads the settings into types. A value that does not fit becomes a problem and is replaced by its default, so that
/// the next one is found as well.
fn read_all(layers: &mut Layers) -> Option<Config> {
    loop {
        let table = toml::Value::Table(nest(&layers.settings));
        let error = match serde_path_to_error::deserialize(table) {
            Ok(config) => return Some(config),
            Err(error) => error,
        };
        let key = error.path().to_string();
        let message: &toml::de::Error = error.inner();
        let advice = what_is_right(message.message());
        let (given, default) = (layers.settings.get(&key), layers.defaults.get(&key));
        let at_default = given.is_none_or(|given| given.origin == Origin::Default);
        layers.problems.push(Problem {
            value: given.map(|given| given.show(&key)),
            origin: given.map(|given| given.origin.clone()),
            advice,
            key: key.clone(),
        });
        match default.cloned() {
            Some(default) if !at_default => layers.settings.insert(key, default),
            // A default of ours does not fit: nothing more can be found out.
            _ => return None,
        };
    }
}

/// Turns serde's words, which quote the value, into what would be right.
fn what_is_right(message: &str) -> String {
    let Some((_, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    if message.starts_with("unknown variant") {
        let words = expected.trim_start_matches("one of ");
        return format!("not one of the possible values: {words}");
    }
    match expected {
        "u16" => "expected a whole number from 0 to 65535".to_owned(),
        "u32" => "expected a whole number from 0 to 4294967295".to_owned(),
        "a nonzero u32" => "expected a whole number from 1 to 4294967295".to_owned(),
        "a boolean" => "expected true or false".to_owned(),
        "a string" | "path string" | "string or table" => "expected a text in quotes".to_owned(),
        other => format!("expected {other}"),
    }
}
