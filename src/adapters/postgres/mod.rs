//! The store on PostgreSQL 15 or newer: sessions and their epochs, Signal state, the job ledger and the outbox.
//!
//! A guarded write is one statement: its first part takes share locks on the rows of the sessions concerned, in the
//! order of their ids, and reads their epochs; the rest writes what the epochs allow. A claim updates such a row, so
//! it waits for the writes that were allowed before it, and whoever locks after it sees the new epoch. Because it is
//! one statement, a worker that freezes can't leave a session locked between two of them.
//!
//! How long ago a row was written (for the relay and for forgetting) is told by the server's clock.
//!
//! Who of the fleet lives is told by locks that end with their connection (see `vigil`).
//!
//! Values are sealed before they leave the process and bound to their place (see `sealing`).

mod activity;
mod alerts;
mod api_keys;
mod connect;
mod error;
mod event_log;
mod index;
mod ledger;
mod media;
mod migrate;
mod outbox;
mod prefixes;
mod requests;
mod rows;
mod sealing;
mod session_desk;
mod session_vault;
mod sessions;
mod spending;
mod state;
mod suppressions;
mod templates;
mod users;
mod verifications;
mod vigil;
mod webhook_rows;
mod webhooks;

use std::time::Duration;

use kurir_core::domain::Secret;
use sqlx::postgres::{PgConnectOptions, PgPool};

use sealing::Vault;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database`, with the parameters that libpq knows. It may hold a password.
    pub url: Secret<String>,
    /// Most connections at a time.
    pub max_connections: u32,
    /// How long a call may wait for a connection before it fails as `Unavailable`.
    pub acquire_timeout: Duration,
    /// How long a statement may run on the server, waits for locks included, before it fails as `Unavailable`.
    pub statement_timeout: Duration,
    /// The schema to work in: lower-case letters, digits and `_`, at most 63. `migrate` creates it. `None`: the
    /// user's own default.
    pub schema: Option<String>,
}

/// The four stores over one pool of connections. [`PostgresStore::migrate`] must have run once on the database before
/// the first call of a port.
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
    /// Without the limit on a statement's time, for migrations.
    unlimited: PgConnectOptions,
    schema: Option<String>,
    vault: Vault,
}
