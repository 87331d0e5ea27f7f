//! The SQLite adapter: the conformance suites of its ports, and what is its own: the file, the key, the restart.

mod at_rest;
mod codes;
mod contract;
mod file;
mod limits;
mod pools;
mod restart;
mod upgrade;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kurir::adapters::sqlite::{OpenError, SqliteOptions, SqliteStore};
use kurir_core::domain::{
    EventId, EventKind, Fence, Keyring, Lane, OutboxEvent, SessionId, Target, TenantId, Timestamp, WorkerName,
};
use kurir_core::port::{
    Clock, Created, Delivery, Entropy, JobHeaders, JobStream, NewSession, PublishJob, SessionStore as _,
};
use tempfile::TempDir;
use uuid::Uuid;

/// How long to wait for what happens soon.
const SOON: Duration = Duration::from_secs(15);

/// Two keys of the same version, and the first one under another version.
const KEY: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "1://////////////////////////////////////////8=";
const OTHER_VERSION: &str = "2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The machine's clock.
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }

    fn boot(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
    }
}

/// Numbers that never repeat within a test.
#[derive(Default)]
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&next.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A folder with a database in it.
struct Place {
    folder: TempDir,
    entropy: Arc<Counted>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), entropy: Arc::default() }
    }

    /// In folders that are not there yet.
    fn file(&self) -> PathBuf {
        self.folder.path().join("deep").join("down").join("kurir.db")
    }

    async fn try_open(&self, options: SqliteOptions, key: &str) -> Result<SqliteStore, OpenError> {
        let keyring = Arc::new(Keyring::parse(key).unwrap());
        SqliteStore::open(options, keyring, self.entropy.clone(), Arc::new(WallClock)).await
    }

    async fn open_with(&self, key: &str) -> SqliteStore {
        self.try_open(SqliteOptions::new(self.file()), key).await.unwrap()
    }

    async fn open(&self) -> SqliteStore {
        self.open_with(KEY).await
    }
}

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn session() -> SessionId {
    SessionId::new("sender-one").unwrap()
}

/// Creates the session and claims it.
async fn owned(store: &SqliteStore) -> Fence {
    let new = NewSession::new(session(), tenant(), WallClock.now());
    assert!(matches!(store.create(new).await.unwrap(), Created::New(_)));
    claimed(store).await
}

async fn claimed(store: &SqliteStore) -> Fence {
    let record = store.claim(&session(), &WorkerName::new("worker").unwrap()).await.unwrap().unwrap();
    Fence { session: session(), epoch: record.epoch }
}

fn event(n: u128, body: &str) -> OutboxEvent {
    OutboxEvent {
        id: EventId(Uuid::from_u128(n)),
        tenant: tenant(),
        session: Some(session()),
        kind: EventKind::MessageSent,
        at: WallClock.now(),
        body: body.as_bytes().to_vec(),
    }
}

fn job(body: &str) -> PublishJob {
    PublishJob {
        target: Target::Session(session()),
        lane: Lane::Otp,
        body: body.as_bytes().to_vec(),
        headers: JobHeaders { kind: "kurir.job.v1".into(), ..JobHeaders::default() },
    }
}

async fn next(stream: &mut Box<dyn JobStream>) -> Delivery {
    tokio::time::timeout(SOON, stream.next()).await.expect("soon").unwrap().expect("the stream is open")
}
