//! What is done to the servers. All tests of this program share them, so one makes trouble at a time.

use std::fs::File;
use std::path::Path;

use tokio::process::Command;

use crate::world::variable;

/// Nobody else makes trouble as long as this lives.
pub struct Alone {
    _lock: File,
}

impl Alone {
    pub async fn wait() -> Self {
        let path = Path::new(&variable("KURIR_TEST_SERVERS")).join("trouble.lock");
        let locked = tokio::task::spawn_blocking(move || {
            let file = File::create(path)?;
            file.lock().map(|()| file)
        });
        Self { _lock: locked.await.unwrap().unwrap() }
    }
}

async fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn servers(what: &str, name: &str) -> String {
    run(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers"), &[what, &variable("KURIR_TEST_SERVERS"), name]).await
}

/// Stops a server: `redis`, `rabbitmq` or `postgres`.
pub async fn stop(name: &str) {
    servers("stop", name).await;
}

/// Starts a server that was stopped. Redis comes back empty.
pub async fn start(name: &str) {
    servers("start", name).await;
}

/// Ends a server at once.
pub async fn kill(name: &str) {
    servers("kill", name).await;
}

/// Starts another node of RabbitMQ, in a cluster with those that there are; gives its address, `host:port`.
pub async fn join(name: &str) -> String {
    address(&servers("join", name).await)
}

/// Takes a node that has joined out of the cluster again.
pub async fn leave(name: &str) {
    servers("leave", name).await;
}

/// Whether there is a RabbitMQ 4; it is made if that is possible here.
pub async fn version_4() -> bool {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rabbitmq-4");
    let output = Command::new(program).arg("install").output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 77)), "{}: {said}", output.status);
    output.status.success()
}

/// Ends RabbitMQ with all that it holds, and starts one of version 4 in its place.
pub async fn replace_by_4() {
    servers("replace", "rabbitmq4").await;
}

/// Where a broker's URL leads, `host:port`.
pub fn address(url: &str) -> String {
    let (_, rest) = url.split_once('@').unwrap();
    rest.split('/').next().unwrap().to_owned()
}

/// Runs `rabbitmqctl`.
pub async fn rabbitmqctl(arguments: &[&str]) {
    run(&variable("KURIR_TEST_RABBITMQCTL"), arguments).await;
}

/// Lets PostgreSQL take writes, or refuse them all.
pub async fn read_only(on: bool) {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(&variable("KURIR_TEST_POSTGRES_URL")).await.unwrap();
    let setting = if on { "SET default_transaction_read_only = on" } else { "RESET default_transaction_read_only" };
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("ALTER SYSTEM {setting}"))).execute(&mut connection).await.unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
