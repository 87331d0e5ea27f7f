//! The schema comes to be once, however many processes start at once.

use futures_util::future::join_all;
use kurir_core::domain::{PaceState, SenderPace};
use kurir_core::port::{Ledger as _, LedgerWrite, PortError, SessionStore, Written};
use sqlx::Executor as _;

use crate::database::{entry, owned, session_id, with_database, worker};

/// Each version once, and all of them good.
const APPLIED: &str = "SELECT count(*) = max(version) AND bool_and(success) FROM _sqlx_migrations";

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_migrate_once() {
    with_database(async |database| {
        let schema = database.schema();
        let stores = join_all((0..6).map(|_| database.open(&schema, 1))).await;
        for migrated in join_all(stores.iter().map(kurir::adapters::postgres::PostgresStore::migrate)).await {
            migrated.unwrap();
        }
        let mut connection = database.connection(Some(&schema)).await;
        let applied: bool = sqlx::query_scalar(APPLIED).fetch_one(&mut connection).await.unwrap();
        assert!(applied);
        owned(&stores[0], &session_id("s")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_keeps_what_is_there() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        owned(&store, &session_id("s")).await;
        let before = SessionStore::get(&store, &session_id("s")).await.unwrap();
        store.migrate().await.unwrap();
        let again = database.open(&schema, 1).await;
        again.migrate().await.unwrap();
        assert_eq!(SessionStore::get(&again, &session_id("s")).await.unwrap(), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pace_that_an_earlier_version_saved_is_kept() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        let id = session_id("s");
        owned(&store, &id).await;
        let mut connection = database.connection(Some(&schema)).await;
        // As version 1 of the schema wrote it, and as the next migration left it.
        connection.execute("INSERT INTO session_pace (session, pace) VALUES ('s', -2)").await.unwrap();
        let old = SenderPace { next: PaceState(u64::MAX - 1), ..SenderPace::default() };
        assert_eq!(SessionStore::get(&store, &id).await.unwrap().unwrap().pace, old);
        let record = store.claim(&id, &worker("next")).await.unwrap().unwrap();
        assert_eq!(record.pace, old);
        let fence = kurir_core::domain::Fence { session: id.clone(), epoch: record.epoch };
        let next = SenderPace { turn: 1, ..SenderPace::default() };
        let write = LedgerWrite { fence: Some(fence), entry: entry(&id), spent: Some(next.into()), events: vec![] };
        assert_eq!(store.write(vec![write]).await.unwrap(), [Written::Done]);
        assert_eq!(SessionStore::get(&store, &id).await.unwrap().unwrap().pace, next);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_another_program_version_is_refused() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        let mut connection = database.connection(Some(&schema)).await;
        connection
            .execute("INSERT INTO _sqlx_migrations VALUES (9999, 'of the future', now(), true, '', 0)")
            .await
            .unwrap();
        let newer = store.migrate().await.unwrap_err();
        assert!(matches!(newer, PortError::Refused { .. }) && newer.chain().contains("9999"), "{}", newer.chain());
        connection
            .execute("DELETE FROM _sqlx_migrations WHERE version = 9999; UPDATE _sqlx_migrations SET checksum = 'x'")
            .await
            .unwrap();
        let differs = store.migrate().await.unwrap_err();
        assert!(matches!(differs, PortError::Refused { .. }), "{}", differs.chain());
        // A refusal leaves no lock behind.
        let (other, _) = database.store().await;
        other.migrate().await.unwrap();
    })
    .await;
}
