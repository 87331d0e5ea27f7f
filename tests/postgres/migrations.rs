//! The schema comes to be once, however many processes start at once.

use futures_util::future::join_all;
use kurir_core::port::{PortError, SessionStore};
use sqlx::Executor as _;

use crate::database::{owned, session_id, with_database};

const APPLIED: &str = "SELECT count(*) FROM _sqlx_migrations WHERE success";

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_migrate_once() {
    with_database(async |database| {
        let schema = database.schema();
        let stores = join_all((0..6).map(|_| database.open(&schema, 1))).await;
        for migrated in join_all(stores.iter().map(kurir::adapters::postgres::PostgresStore::migrate)).await {
            migrated.unwrap();
        }
        let mut connection = database.connection(Some(&schema)).await;
        let applied: i64 = sqlx::query_scalar(APPLIED).fetch_one(&mut connection).await.unwrap();
        assert_eq!(applied, 1);
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
