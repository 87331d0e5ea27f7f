//! A schema for each check on the server under test, and things to write into it.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use futures_util::FutureExt as _;
use kurir::adapters::postgres::{PostgresOptions, PostgresStore};
use kurir_core::domain::{
    Fence, History, JobId, JobKey, Keyring, Lane, LedgerEntry, MessageId, MessageState, Secret, SessionId, TenantId,
    Timestamp, WorkerName,
};
use kurir_core::port::{Created, Entropy, NewSession, SessionStore};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

/// Where the server is, and what was made there.
pub struct Database {
    url: String,
    schemas: Mutex<Vec<String>>,
}

struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::fill(bytes);
    }
}

/// Gives the server to a check and removes what was made there, also when the check fails.
pub async fn with_database(check: impl AsyncFnOnce(&Database)) {
    let url = std::env::var("KURIR_TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "KURIR_TEST_POSTGRES_URL is not set: it names a PostgreSQL to test on, with a superuser's name. \
             `make test` starts one and sets it"
        )
    });
    let database = Database { url, schemas: Mutex::new(Vec::new()) };
    let ended = AssertUnwindSafe(check(&database)).catch_unwind().await;
    let mut connection = database.connection(None).await;
    let schemas = std::mem::take(&mut *database.schemas.lock().unwrap());
    for schema in schemas {
        connection.execute(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))).await.unwrap();
    }
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

impl Database {
    /// The name of a schema that does not exist yet; it will be dropped.
    pub fn schema(&self) -> String {
        let name = format!("kurir_test_{}", Uuid::new_v4().simple());
        self.schemas.lock().unwrap().push(name.clone());
        name
    }

    pub fn options(&self, schema: &str) -> PostgresOptions {
        PostgresOptions {
            url: Secret::new(self.url.clone()),
            max_connections: 8,
            acquire_timeout: Duration::from_secs(20),
            statement_timeout: Duration::from_secs(20),
            schema: Some(schema.to_owned()),
        }
    }

    /// A store on a schema, as it is.
    pub async fn open(&self, schema: &str, key: u8) -> PostgresStore {
        connect(self.options(schema), key).await.unwrap()
    }

    /// A store on a schema of its own, ready for use, and the schema's name.
    pub async fn store(&self) -> (PostgresStore, String) {
        let schema = self.schema();
        let store = self.open(&schema, 1).await;
        store.migrate().await.unwrap();
        (store, schema)
    }

    /// A connection of the check's own, working in a schema.
    pub async fn connection(&self, schema: Option<&str>) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        if let Some(schema) = schema {
            connection.execute(AssertSqlSafe(format!("SET search_path = {schema}"))).await.unwrap();
        }
        connection
    }
}

/// Connects with a keyring whose only key consists of this byte.
pub async fn connect(options: PostgresOptions, key: u8) -> Result<PostgresStore, kurir_core::port::PortError> {
    PostgresStore::connect(options, keyring(&[(1, key)]), Arc::new(OsEntropy)).await
}

/// Versions and the byte that each one's key consists of.
pub fn keyring(keys: &[(u32, u8)]) -> Arc<Keyring> {
    let parts: Vec<_> = keys
        .iter()
        .map(|(version, byte)| format!("{version}:{}", base64::engine::general_purpose::STANDARD.encode([*byte; 32])))
        .collect();
    Arc::new(Keyring::parse(&parts.join(",")).unwrap())
}

/// Asks until there is an answer; panics with `what` when there is none within 20 seconds.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    let mut tick = interval(Duration::from_millis(10));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within 20 s");
    }
}

pub fn session_id(text: &str) -> SessionId {
    SessionId::new(text).unwrap()
}

pub fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub fn worker(text: &str) -> WorkerName {
    WorkerName::new(text).unwrap()
}

/// Creates and claims a session.
pub async fn owned(store: &PostgresStore, id: &SessionId) -> Fence {
    let new = NewSession::new(id.clone(), tenant(), Timestamp::from_millis(1));
    assert!(matches!(store.create(new).await.unwrap(), Created::New(_)));
    claim(store, id).await
}

/// Claims a session.
pub async fn claim(store: &PostgresStore, id: &SessionId) -> Fence {
    let record = store.claim(id, &worker("w")).await.unwrap().expect("the session was created");
    Fence { session: id.clone(), epoch: record.epoch }
}

/// A fresh entry of a new job.
pub fn entry(session: &SessionId) -> LedgerEntry {
    let key = JobKey::new(tenant(), JobId::new(Uuid::new_v4()));
    LedgerEntry {
        message_id: MessageId::derive(&key),
        key,
        version: 0,
        session: Some(session.clone()),
        lane: Lane::Otp,
        recipient: "6281…90".into(),
        state: MessageState::Queued,
        reason: None,
        code: None,
        attempts: 0,
        expires_at: None,
        enqueued_at: Timestamp::from_millis(1),
        not_before: None,
        sending_at: None,
        sent_at: None,
        delivered_at: None,
        read_at: None,
        ended_at: None,
        metadata: std::collections::BTreeMap::default(),
        history: History::default(),
        batch: None,
        to: None,
    }
}
