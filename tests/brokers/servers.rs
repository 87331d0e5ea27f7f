//! Where the servers are, and how tests stay apart on them.

use std::time::Duration;

use kurir::adapters::rabbitmq::{QueueKind, RabbitMq, RabbitOptions};
use kurir::adapters::redis::{RedisOptions, RedisStore};
use kurir_core::domain::SessionId;
use kurir_core::policy::Backoff;
use uuid::Uuid;

/// How long to wait for what a working server does soon.
pub const SOON: Duration = Duration::from_secs(15);

fn url(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run `make test`, which starts the servers and sets it"))
}

pub fn amqp_url() -> String {
    url("KURIR_TEST_AMQP_URL")
}

pub fn redis_url() -> String {
    url("KURIR_TEST_REDIS_URL")
}

/// A session that no other test has.
pub fn session() -> SessionId {
    SessionId::new(format!("s-{}", Uuid::new_v4().simple())).unwrap()
}

pub fn rabbit_options(url: &str) -> RabbitOptions {
    let reconnect = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(200) };
    RabbitOptions { reconnect, ..RabbitOptions::new(url) }
}

pub async fn rabbit(queue_kind: QueueKind) -> RabbitMq {
    RabbitMq::connect(RabbitOptions { queue_kind, ..rabbit_options(&amqp_url()) }).await.unwrap()
}

/// A raw channel, for what kurir itself never does.
pub async fn raw_channel() -> lapin::Channel {
    let connection = lapin::Connection::connect(&amqp_url(), lapin::ConnectionProperties::default()).await.unwrap();
    connection.create_channel().await.unwrap()
}

pub fn redis_options() -> RedisOptions {
    let prefix = format!("test-{}:", Uuid::new_v4().simple());
    RedisOptions { prefix, ..RedisOptions::new(redis_url()) }
}

pub async fn redis() -> RedisStore {
    RedisStore::connect(redis_options()).await.unwrap()
}

/// Asks until there is an answer; panics with `what` when there is none soon.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + SOON;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        tick.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < end, "{what}: not within {SOON:?}");
    }
}
