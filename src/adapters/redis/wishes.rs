//! The port of the operators' wishes: pins in a hash, drained workers in a set.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kurir_core::domain::{SessionId, WorkerName};
use kurir_core::port::{PortError, Wishes};
use redis::AsyncCommands as _;

use super::RedisStore;

fn corrupt(what: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> PortError {
    PortError::Corrupt { system: "Redis", what: what.into(), source: Box::new(error) }
}

#[async_trait]
impl Wishes for RedisStore {
    async fn pin(&self, session: &SessionId, worker: Option<&WorkerName>) -> Result<(), PortError> {
        let key = self.shared.wish_key("pins");
        let write = async |redis: &mut deadpool_redis::Connection| match worker {
            Some(worker) => redis.hset(key, session.as_str(), worker.as_str()).await,
            None => redis.hdel(key, session.as_str()).await,
        };
        self.shared.call("pinning a session", write).await
    }

    async fn pins(&self) -> Result<BTreeMap<SessionId, WorkerName>, PortError> {
        let key = self.shared.wish_key("pins");
        let read = async |redis: &mut deadpool_redis::Connection| redis.hgetall::<_, Vec<(String, String)>>(key).await;
        let texts = self.shared.call("reading the pinned sessions", read).await?;
        texts
            .into_iter()
            .map(|(session, worker)| {
                let session = SessionId::new(session).map_err(|error| corrupt("a pinned session", error))?;
                let worker = WorkerName::new(worker).map_err(|error| corrupt("the worker of a pin", error))?;
                Ok((session, worker))
            })
            .collect()
    }

    async fn drain(&self, worker: &WorkerName, drained: bool) -> Result<(), PortError> {
        let key = self.shared.wish_key("drained");
        let write = async |redis: &mut deadpool_redis::Connection| {
            if drained { redis.sadd(key, worker.as_str()).await } else { redis.srem(key, worker.as_str()).await }
        };
        self.shared.call("draining a worker", write).await
    }

    async fn drained(&self) -> Result<BTreeSet<WorkerName>, PortError> {
        let key = self.shared.wish_key("drained");
        let read = async |redis: &mut deadpool_redis::Connection| redis.smembers::<_, Vec<String>>(key).await;
        let names = self.shared.call("reading the drained workers", read).await?;
        names
            .into_iter()
            .map(|name| WorkerName::new(name).map_err(|error| corrupt("a drained worker", error)))
            .collect()
    }
}
