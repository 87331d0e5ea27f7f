//! How to reach Redis, and how long to wait for it.

use std::fmt;
use std::time::Duration;

use kurir_core::domain::Secret;

/// The settings of a [`super::RedisStore`].
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host:port[/db]`.
    pub url: String,
    /// Stands before every key, so that several fleets can share a server.
    pub prefix: String,
    /// Mixed into the hash that stands for a recipient, so that the numbers can't be found by trying all of them
    /// without it. The same for the whole fleet.
    pub pepper: Secret<String>,
    /// How many connections are kept.
    pub pool_size: usize,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a call may take, waiting for a connection included. Well below the time of a lease, or a slow Redis
    /// looks like a lost one too late.
    pub call_timeout: Duration,
}

impl RedisOptions {
    /// The defaults for a server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "kurir:".into(),
            pepper: Secret::new(String::new()),
            pool_size: 8,
            connect_timeout: Duration::from_secs(2),
            call_timeout: Duration::from_secs(3),
        }
    }
}

impl fmt::Debug for RedisOptions {
    /// Leaves the URL out: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("pool_size", &self.pool_size)
            .field("call_timeout", &self.call_timeout)
            .finish_non_exhaustive()
    }
}
