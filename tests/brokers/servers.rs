//! Where the servers are, and how tests stay apart on them.

use std::time::Duration;

use kurir::adapters::rabbitmq::{QueueKind, RabbitMq, RabbitOptions};
use kurir::adapters::redis::{RedisOptions, RedisStore};
use kurir_core::domain::SessionId;
use kurir_core::policy::Backoff;
use tokio::process::Command;
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

/// The URL of a user of RabbitMQ that has the rights which the manual asks for, and no others.
pub async fn url_with_rights_of_the_manual() -> String {
    let manual = include_str!("../../docs/OPERATIONS.md");
    let from = manual.find("The broker's user of kurir needs").expect("the manual says what rights are needed");
    let quoted: Vec<&str> = manual[from..].split('`').skip(1).step_by(2).take(5).collect();
    let ["configure", "read", both, "write", write] = quoted[..] else { panic!("the manual's rights: {quoted:?}") };
    let (user, password) = (format!("kurir-{}", Uuid::new_v4().simple()), Uuid::new_v4().simple().to_string());
    rabbitmqctl(&["add_user", &user, &password]).await;
    rabbitmqctl(&["set_permissions", "-p", "/", &user, both, write, both]).await;
    let admin = amqp_url();
    let (scheme, rest) = admin.split_once("://").unwrap();
    format!("{scheme}://{user}:{password}@{}", rest.split_once('@').unwrap().1)
}

async fn rabbitmqctl(arguments: &[&str]) {
    let output = Command::new(url("KURIR_TEST_RABBITMQCTL")).arg("-q").args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{}: {}", arguments[0], String::from_utf8_lossy(&output.stderr));
}

pub async fn rabbit(queue_kind: QueueKind) -> RabbitMq {
    rabbit_at(&amqp_url(), queue_kind).await
}

pub async fn rabbit_at(url: &str, queue_kind: QueueKind) -> RabbitMq {
    RabbitMq::connect(RabbitOptions { queue_kind, ..rabbit_options(url) }).await.unwrap()
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
