//! Logs: how `tracing` is set up.
//!
//! Other people's code logs numbers, stanzas and SQL. Therefore only kurir's own targets obey the configured filter;
//! every other target is capped by [`CAPS`], and one that nobody has looked at yet is silent.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry};

use super::{LogConfig, LogFormat};

/// Targets of our own packages begin with this.
const OWN: &str = "kurir";

/// The most that other people's code may say, by the first part of its target, whatever the filter says. All other
/// targets are off: above all those of the WhatsApp client (`whatsapp_rust`, `wacore`, `Client/…`, `AppState`, `usync` and
/// a dozen more), which print numbers at every level, and of the AMQP client (`lapin`), which prints bodies in warnings and
/// errors when a connection is closed; what happens to connections is told by our own adapter.
pub const CAPS: &[(&str, LevelFilter)] = &[
    ("axum", LevelFilter::WARN),
    ("deadpool", LevelFilter::WARN),
    ("deadpool_redis", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("hyper_util", LevelFilter::WARN),
    ("redis", LevelFilter::WARN),
    ("rustls", LevelFilter::WARN),
    // sqlx warns of slow statements with their text; values travel apart from it.
    ("sqlx", LevelFilter::WARN),
    ("tokio", LevelFilter::WARN),
    ("tower_http", LevelFilter::WARN),
    // Its finer levels print whole frames.
    ("tungstenite", LevelFilter::WARN),
    ("ureq", LevelFilter::WARN),
];

/// Names of the fields that kurir's spans and events use, so that a search works everywhere. See docs/LOGGING.md.
pub mod field {
    /// A session's id.
    pub const SESSION: &str = "session";
    /// A job's id.
    pub const JOB: &str = "job";
    /// A worker's name.
    pub const WORKER: &str = "worker";
    /// A tenant.
    pub const TENANT: &str = "tenant";
    /// The epoch under which a session is owned.
    pub const EPOCH: &str = "epoch";
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is none.
    #[error("log.filter: {0}")]
    Filter(String),
    /// Somebody has set up logging in this process before.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// What is wrong with a filter, if anything.
pub(super) fn check_filter(filter: &str) -> Result<(), String> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    const RIGHT: &str =
        "must be a level (error, warn, info, debug, trace, off) or directives like \"info,kurir_workers=debug\"";
    // A lone word that is no level would be taken for a target and switch everything else off.
    let lone = |part: &str| !part.contains('=') && !part.contains('[') && part.parse::<LevelFilter>().is_err();
    if filter.trim().is_empty() || filter.split(',').any(|part| lone(part.trim())) {
        return Err(RIGHT.to_owned());
    }
    EnvFilter::builder().parse(filter).map_err(|_| RIGHT.to_owned())
}

/// Whether other people's code may say this.
fn within_cap(metadata: &Metadata<'_>) -> bool {
    let head = metadata.target().split("::").next().unwrap_or_default();
    if head == OWN || head.strip_prefix(OWN).is_some_and(|rest| rest.starts_with('_')) {
        return true;
    }
    CAPS.iter().any(|(name, cap)| *name == head && *metadata.level() <= *cap)
}

/// The subscriber that writes logs as configured.
pub fn subscriber<W>(config: &LogConfig, writer: W) -> Result<impl Subscriber + Send + Sync + use<W>, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = parse(&config.filter).map_err(LoggingError::Filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match config.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed(),
    };
    // Filters of the whole subscriber, not of the layer: a layer's own filter remembers its last answer per thread, and
    // a question that no event follows (as `log` asks them) made the next event vanish.
    Ok(Registry::default().with(filter).with(filter_fn(within_cap)).with(lines))
}

/// Sets up logging for the whole process, to standard error: standard output belongs to what a command was asked for.
pub fn install(config: &LogConfig) -> Result<(), LoggingError> {
    Ok(subscriber(config, io::stderr)?.try_init()?)
}
