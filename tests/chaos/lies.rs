//! The witness can say no: what a store without a fence would do is done by hand, and seen.

use std::sync::Arc;
use std::time::Duration;

use kurir::adapters::postgres::{PostgresOptions, PostgresStore};
use kurir_core::domain::{Fence, Keyring, Secret, SessionId, TenantId, Timestamp, WorkerName};
use kurir_core::memory::SystemEntropy;
use kurir_core::port::{
    Entropy as _, NewSession, SessionStore as _, StateBatch, StateKey, StatePut, StateStore as _, Written,
};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::servers::Alone;
use crate::witness::{Witness, signed};
use crate::world::variable;

/// One for each table that the witness looks at, and one more for each way to write there.
const WRITES: [(&str, &str); 9] = [
    ("state", "INSERT INTO state (session, area, key, value) VALUES ('s', 'a', 'other', '')"),
    ("state", "UPDATE state SET value = 'x' WHERE key = 'other'"),
    ("state", "DELETE FROM state WHERE key = 'other'"),
    (
        "job",
        "INSERT INTO job (tenant, job, version, session, message_id, state, entry)
        VALUES ('t', gen_random_uuid(), 1, 's', 'm', 'sent', '')",
    ),
    ("job", "UPDATE job SET session = NULL WHERE session = 's'"),
    ("session_pace", "INSERT INTO session_pace (session, pace) VALUES ('s', 0)"),
    ("session_pace", "UPDATE session_pace SET pace = 1 WHERE session = 's'"),
    ("met", "INSERT INTO met (session, recipient) VALUES ('s', gen_random_uuid()::text::bytea)"),
    ("session", "UPDATE session SET status = status WHERE id = 's'"),
];

fn url(writer: &str) -> String {
    signed(&variable("KURIR_TEST_POSTGRES_URL"), writer)
}

async fn store(schema: &str, writer: &str) -> PostgresStore {
    let options = PostgresOptions {
        url: Secret::new(url(writer)),
        max_connections: 2,
        acquire_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(20),
        schema: Some(schema.to_owned()),
    };
    let keyring = Arc::new(Keyring::parse("1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap());
    PostgresStore::connect(options, keyring, Arc::new(SystemEntropy)).await.unwrap()
}

async fn raw(schema: &str, writer: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&url(writer)).await.unwrap();
    let path = format!("SET search_path = {schema}");
    sqlx::raw_sql(AssertSqlSafe(path)).execute(&mut connection).await.unwrap();
    connection
}

/// The name in the register is the same each time, as when a worker comes back.
async fn claim(store: &PostgresStore, session: &SessionId) -> Fence {
    let record = store.claim(session, &WorkerName::new("worker").unwrap()).await.unwrap().unwrap();
    Fence { session: session.clone(), epoch: record.epoch }
}

async fn put(store: &PostgresStore, fence: &Fence) -> Written {
    let put = StatePut { at: StateKey::new("a", "key"), value: "value".into(), expires_at: None };
    let batch = StateBatch { puts: vec![put], deletes: Vec::new() };
    store.apply(vec![(fence.clone(), batch)]).await.unwrap()[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_for_a_session_of_somebody_else_is_seen() {
    let _alone = Alone::wait().await;
    let schema = format!("fleet_{:08x}", SystemEntropy.nonce() & 0xffff_ffff);
    let (old, new) = (store(&schema, "worker.1").await, store(&schema, "worker.2").await);
    old.migrate().await.unwrap();
    let witness = Witness::install(&schema).await;
    let session = SessionId::new("s").unwrap();
    let tenant = TenantId::new("t").unwrap();
    old.create(NewSession::new(session.clone(), tenant, Timestamp::from_millis(0))).await.unwrap();

    let fence = claim(&old, &session).await;
    assert_eq!(put(&old, &fence).await, Written::Done);
    let owned = witness.testimony().await;
    assert_eq!((owned.rows["state"], owned.late.len()), (1, 0), "the owner wrote: {:?}", owned.late);

    let next = claim(&new, &session).await;
    assert_eq!(put(&old, &fence).await, Written::Fenced);
    assert_eq!(witness.testimony().await.seen(), 1, "what the store refuses is not written");

    let (mut late, mut right) = (raw(&schema, "worker.1").await, raw(&schema, "worker.2").await);
    for (at, (table, write)) in WRITES.into_iter().enumerate() {
        sqlx::raw_sql(write).execute(&mut late).await.unwrap();
        let seen = witness.testimony().await.late;
        assert_eq!(seen.len(), at + 1, "{write}: {seen:?}");
        assert!(seen[at].starts_with(&format!("{table} of s by worker.1, owned by worker.2 ")), "{seen:?}");
    }
    for write in ["DELETE FROM session_pace", "UPDATE session SET wanted = wanted", "UPDATE state SET value = 'x'"] {
        sqlx::raw_sql(write).execute(&mut right).await.unwrap();
    }
    assert_eq!(put(&new, &next).await, Written::Done);
    assert_eq!(witness.testimony().await.late.len(), WRITES.len(), "the owner's own writes");

    // Begun by the owner, without the lock that would have held the claim back, and committed by nobody's.
    let mut slow = right.begin().await.unwrap();
    sqlx::raw_sql("UPDATE state SET value = 'slow'").execute(&mut *slow).await.unwrap();
    claim(&old, &session).await;
    slow.commit().await.unwrap();
    let seen = witness.testimony().await;
    assert_eq!(seen.late.len(), WRITES.len() + 1, "{:?}", seen.late);
    assert!(seen.blind().is_empty());
}
