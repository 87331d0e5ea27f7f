//! The same calls give the same answers over the stores that keep real sessions: SQLite and PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use kurir::adapters::postgres::{PostgresOptions, PostgresStore};
use kurir::adapters::sqlite::{SqliteOptions, SqliteStore};
use kurir_core::domain::{Fence, Keyring, Secret, SessionId, TenantId, Timestamp, WorkerName};
use kurir_core::memory::{SystemClock, SystemEntropy};
use kurir_core::port::{Entropy as _, NewSession, SessionStore, StateStore};
use proptest::prelude::prop;
use proptest::test_runner::{Config, TestRunner};

use crate::{calls, same_answers};

/// Fewer than in memory, because each call is a commit.
const CASES: u32 = 24;

fn keyring() -> Arc<Keyring> {
    let mut key = [0; 32];
    SystemEntropy.fill(&mut key);
    let text = format!("1:{}", base64::engine::general_purpose::STANDARD.encode(key));
    Arc::new(Keyring::parse(&text).unwrap())
}

/// Runs random sequences, each on a session of its own.
fn compare<S: SessionStore + StateStore + 'static>(runtime: &tokio::runtime::Runtime, store: &Arc<S>) {
    let count = AtomicU32::new(0);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&prop::collection::vec(calls::call(), 1..60), |calls| {
        let id = SessionId::new(format!("s{}", count.fetch_add(1, Ordering::Relaxed))).expect("a name");
        let fence = runtime.block_on(claim(&**store, id));
        runtime.block_on(same_answers(Arc::clone(store) as _, fence, &calls))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

async fn claim(store: &dyn SessionStore, id: SessionId) -> Fence {
    let tenant = TenantId::new("t1").expect("a name");
    let new = NewSession::new(id.clone(), tenant, Timestamp::from_millis(0));
    store.create(new).await.expect("the session");
    let record =
        store.claim(&id, &WorkerName::new("w1").expect("a name")).await.expect("the store").expect("the session");
    Fence { session: record.id, epoch: record.epoch }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

#[test]
fn the_same_over_sqlite() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path().join("state.db"));
    let opening = SqliteStore::open(options, keyring(), Arc::new(SystemEntropy), Arc::new(SystemClock));
    let store = Arc::new(runtime.block_on(opening).unwrap());
    compare(&runtime, &store);
    runtime.block_on(store.close());
}

#[test]
fn the_same_over_postgresql() {
    let runtime = runtime();
    let url = std::env::var("KURIR_TEST_POSTGRES_URL")
        .expect("KURIR_TEST_POSTGRES_URL is not set: run the tests with `make test`, which starts the servers");
    let options = PostgresOptions {
        url: Secret::new(url),
        max_connections: 2,
        acquire_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(10),
        schema: Some(format!("signal_{:08x}", SystemEntropy.nonce() & 0xffff_ffff)),
    };
    let store = runtime.block_on(async {
        let store = PostgresStore::connect(options, keyring(), Arc::new(SystemEntropy)).await.unwrap();
        store.migrate().await.unwrap();
        Arc::new(store)
    });
    compare(&runtime, &store);
    runtime.block_on(store.close());
}
