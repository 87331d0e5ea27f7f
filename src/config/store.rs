//! Where kurir keeps what must not be lost.

use std::path::PathBuf;
use std::time::Duration;

use kurir_core::domain::Secret;
use serde::Deserialize;

use super::read;

/// Which store holds sessions, Signal state, ledger and outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A fleet: many processes, with RabbitMQ and Redis beside it.
    Postgres,
    /// One process and one file; queues, leases and limits are in it too.
    Sqlite,
}

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Which store.
    pub kind: StoreKind,
    /// Keys for encryption at rest, as `Keyring::parse` reads them.
    #[serde(deserialize_with = "read::maybe_secret")]
    pub encryption_keys: Option<Secret<String>>,
    /// A file with the same content, for when `encryption_keys` is not set.
    #[serde(deserialize_with = "read::maybe_text")]
    pub encryption_keys_file: Option<String>,
}

/// `[postgres]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:5432/database`
    #[serde(deserialize_with = "read::maybe_secret")]
    pub url: Option<Secret<String>>,
    /// Schema to work in; `None`: the user's own default.
    #[serde(deserialize_with = "read::maybe_text")]
    pub schema: Option<String>,
    /// Connections of one process, at most.
    pub max_connections: u32,
    /// How long a call may wait for a free connection.
    #[serde(deserialize_with = "read::span")]
    pub acquire_timeout: Duration,
    /// How long one statement may run, waits for locks included.
    #[serde(deserialize_with = "read::span")]
    pub statement_timeout: Duration,
}

/// `[sqlite]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqliteConfig {
    /// The database file; its folder is created.
    pub path: PathBuf,
    /// How long a write may wait for another one.
    #[serde(deserialize_with = "read::span")]
    pub busy_timeout: Duration,
}
