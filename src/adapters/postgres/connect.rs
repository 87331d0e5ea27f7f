//! Opening and closing the pool, and what is set on every connection.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::Keyring;
use kurir_core::port::{Entropy, PortError};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::error::{port_error, refused};
use super::sealing::Vault;
use super::{PostgresOptions, PostgresStore};

/// A connection that was idle for longer is tested before it is used; testing a busy one would cost every call a
/// second round trip.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// The oldest server whose behaviour is tested, as `server_version_num` counts.
const OLDEST_SERVER: i32 = 150_000;

/// What is wrong with the options or the server.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(
        "the schema name {0:?} does not fit: it has 1 to 63 lower-case letters, digits and '_' and begins with no digit"
    )]
    SchemaName(String),
    #[error("the server has version {found}, at least {OLDEST_SERVER} is needed (as server_version_num counts)")]
    ServerVersion { found: i32 },
}

impl PostgresStore {
    /// Opens the pool and its first connection. `keyring` seals the values, `entropy` gives the nonces and spreads
    /// repetitions. Fails as `Refused` when the URL, the password, the schema's name or the server's version does not
    /// fit, as `Unavailable` when the server does not answer.
    pub async fn connect(
        options: PostgresOptions,
        keyring: Arc<Keyring>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, PortError> {
        const ACTION: &str = "connecting";
        if let Some(name) = &options.schema
            && !is_schema_name(name)
        {
            return Err(refused(ACTION, Unfit::SchemaName(name.clone())));
        }
        let unlimited = base_options(&options).map_err(|e| port_error(ACTION, e))?;
        // A statement and a pause within a transaction are held to the same limit: a process that freezes between
        // two statements must not keep its row locks, or no other worker could claim the session.
        let limit = options.statement_timeout.as_millis().max(1);
        let limited =
            unlimited.clone().options([("statement_timeout", limit), ("idle_in_transaction_session_timeout", limit)]);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(limited)
            .await
            .map_err(|e| port_error(ACTION, e))?;
        let found: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
            .fetch_one(&pool)
            .await
            .map_err(|e| port_error(ACTION, e))?;
        if found < OLDEST_SERVER {
            pool.close().await;
            return Err(refused(ACTION, Unfit::ServerVersion { found }));
        }
        Ok(Self { pool, unlimited, schema: options.schema, vault: Vault::new(keyring, entropy) })
    }

    /// Closes the connections, once the calls that use them have ended. Calls from now on fail as `Closed`.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn base_options(options: &PostgresOptions) -> Result<PgConnectOptions, sqlx::Error> {
    let base = PgConnectOptions::from_str(options.url.expose())?
        .application_name("kurir")
        // A value that was reserved (a Signal counter) and lost in a crash of the server would be used twice, so no
        // default of the server or the role may weaken this.
        .options([("synchronous_commit", "on")]);
    Ok(match &options.schema {
        Some(name) => base.options([("search_path", name)]),
        None => base,
    })
}

fn is_schema_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_schema_names() {
        for good in ["kurir", "k_2", "_x"] {
            assert!(is_schema_name(good), "{good}");
        }
        for bad in ["", "2k", "Kurir", "a b", "a\"b", "a;b", &"x".repeat(64)] {
            assert!(!is_schema_name(bad), "{bad}");
        }
    }
}
