//! The connections to Redis, and the way every call goes: within its time limit, with its error in the ports' words.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, Runtime};
use kurir_core::domain::{JobKey, PhoneNumber, SessionId};
use kurir_core::port::PortError;
use redis::{AsyncConnectionConfig, RedisError, RedisResult};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::RedisOptions;
use super::scripts::Scripts;

/// Leases, members and recipients' limits on Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisStore {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) scripts: Scripts,
    pool: Pool,
    options: RedisOptions,
    warnings: Vec<String>,
}

/// Why Redis did not answer.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("no connection: {0}")]
    Pool(#[from] deadpool_redis::PoolError),
    #[error(transparent)]
    Redis(#[from] RedisError),
}

const SYSTEM: &str = "Redis";

impl RedisStore {
    /// Connects and looks at the server's settings (see [`RedisStore::warnings`]).
    ///
    /// # Errors
    /// `Refused` when the URL can't be used; `Unavailable` when the server can't be reached.
    pub async fn connect(options: RedisOptions) -> Result<Self, PortError> {
        let mut shared = Shared::new(options)?;
        shared.call("connecting", async |redis| redis::cmd("PING").query_async::<String>(redis).await).await?;
        shared.warnings = shared.eviction_warning().await?.into_iter().collect();
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The same, but a server that can't be reached now is no error: calls fail until it is there. Its settings are not
    /// looked at then.
    ///
    /// # Errors
    /// `Refused` when the URL can't be used.
    pub async fn connect_when_there(options: RedisOptions) -> Result<Self, PortError> {
        match Self::connect(options.clone()).await {
            Err(error) if error.is_transient() => {
                tracing::warn!(error = error.chain(), "Redis can't be reached; it is tried again with every call");
                Ok(Self { shared: Arc::new(Shared::new(options)?) })
            }
            connected => connected,
        }
    }

    /// What an operator should change about the server, in plain words; empty when all is well.
    pub fn warnings(&self) -> &[String] {
        &self.shared.warnings
    }
}

impl Shared {
    /// Connects to nothing yet: a call that finds no connection makes one.
    fn new(options: RedisOptions) -> Result<Self, PortError> {
        let refused = |source| PortError::Refused { system: SYSTEM, action: "connecting", source };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.call_timeout));
        let manager =
            Manager::new_with_config(options.url.as_str(), config).map_err(|error| refused(Box::new(error)))?;
        let pool = Pool::builder(manager)
            .max_size(options.pool_size.max(1))
            .wait_timeout(Some(options.call_timeout))
            .create_timeout(Some(options.connect_timeout))
            .recycle_timeout(Some(options.call_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| refused(Box::new(error)))?;
        Ok(Self { scripts: Scripts::new(), pool, options, warnings: Vec::new() })
    }

    /// Makes one call on a connection of the pool.
    pub(super) async fn call<T>(
        &self,
        action: &'static str,
        ask: impl AsyncFnOnce(&mut Connection) -> RedisResult<T>,
    ) -> Result<T, PortError> {
        let limit = self.options.call_timeout;
        let call = async {
            let mut connection = self.pool.get().await?;
            Ok::<T, CallError>(ask(&mut connection).await?)
        };
        let answer = timeout(limit, call).await.unwrap_or(Err(CallError::Timeout(limit)));
        answer.map_err(|error| PortError::Unavailable { system: SYSTEM, action, source: Box::new(error) })
    }

    /// A server that evicts keys under memory pressure ends leases that are held.
    async fn eviction_warning(&self) -> Result<Option<String>, PortError> {
        let policy = self
            .call("reading its settings", async |redis| {
                let answer = redis::cmd("CONFIG").arg("GET").arg("maxmemory-policy").query_async(redis).await;
                // Hosted servers forbid CONFIG and tell the same in INFO.
                if let Ok((_, policy)) = answer as RedisResult<(String, String)> {
                    return Ok(Some(policy));
                }
                let info = redis::cmd("INFO").arg("memory").query_async::<String>(redis).await;
                Ok(info.ok().and_then(|info| policy_in(&info)))
            })
            .await?;
        Ok(match policy.as_deref() {
            Some("noeviction") => None,
            Some(other) => Some(format!(
                "Redis has maxmemory-policy {other}: under memory pressure it drops leases that are held, and two \
                 workers fight over a session; set maxmemory-policy noeviction"
            )),
            None => Some(
                "Redis does not tell its maxmemory-policy (neither CONFIG GET nor INFO is permitted); it must be \
                 noeviction, or leases that are held are dropped under memory pressure"
                    .into(),
            ),
        })
    }

    pub(super) fn lease_key(&self, session: &SessionId) -> String {
        format!("{}lease:{session}", self.options.prefix)
    }

    /// The index of the members by the end of their time, and their beats. Both in one hash slot.
    pub(super) fn member_keys(&self) -> (String, String) {
        let prefix = &self.options.prefix;
        (format!("{prefix}{{members}}:ends"), format!("{prefix}{{members}}:beats"))
    }

    /// Wishes of the operators.
    pub(super) fn wish_key(&self, what: &str) -> String {
        format!("{}{what}", self.options.prefix)
    }

    /// The books of one recipient of one tenant. No number is stored, only its hash.
    pub(super) fn recipient_key(&self, job: &JobKey, to: &PhoneNumber) -> String {
        let mut hash = Sha256::new();
        for part in ["kurir/recipient/v1", self.options.pepper.expose(), job.tenant.as_str(), to.digits()] {
            // With its length before it, no part can pass for the end of another.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut key = format!("{}recipient:", self.options.prefix);
        for byte in hash.finalize() {
            // Writing into a String can't fail.
            let _ = write!(key, "{byte:02x}");
        }
        key
    }
}

fn policy_in(info: &str) -> Option<String> {
    info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).map(|policy| policy.trim().to_owned())
}

/// Whole milliseconds, at least one: Redis refuses a time of zero.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_found_in_info() {
        let info = "# Memory\r\nused_memory:1\r\nmaxmemory_policy:allkeys-lru\r\n";
        assert_eq!(policy_in(info).as_deref(), Some("allkeys-lru"));
        assert_eq!(policy_in("# Memory\r\n"), None);
    }

    #[test]
    fn a_time_is_never_zero() {
        assert_eq!(millis(Duration::from_micros(10)), 1);
        assert_eq!(millis(Duration::from_secs(2)), 2000);
        assert!(i64::try_from(millis(Duration::MAX)).is_ok());
    }
}
