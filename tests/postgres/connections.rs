//! Connections: what is set on them, and what is said when there are none.

use std::time::Duration;

use kurir_core::domain::{Epoch, MessageId, Secret, Timestamp};
use kurir_core::port::{Ledger, Outbox, PortError, SessionStore, StateBatch, StateKey, StatePut, StateStore, Written};
use sqlx::{Connection as _, Executor as _};
use tokio::task::JoinSet;

use crate::database::{connect, eventually, owned, session_id, with_database, worker};

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_durable_whatever_the_default_is() {
    with_database(async |database| {
        let (_, schema) = database.store().await;
        let mut connection = database.connection(Some(&schema)).await;
        connection
            .execute(
                "CREATE TABLE seen (setting text);
                 CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN new; END $$;
                 CREATE TRIGGER see BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION see()",
            )
            .await
            .unwrap();
        let mut options = database.options(&schema);
        let sign = if options.url.expose().contains('?') { '&' } else { '?' };
        options.url = Secret::new(format!("{}{sign}options[synchronous_commit]=off", options.url.expose()));
        let store = connect(options, 1).await.unwrap();
        owned(&store, &session_id("s")).await;
        let seen: Vec<String> =
            sqlx::query_scalar("SELECT setting FROM seen").fetch_all(&mut connection).await.unwrap();
        assert_eq!(seen, ["on"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_chose_can_hold_any_character() {
    with_database(async |database| {
        let (store, _) = database.store().await;
        let id = session_id("s");
        let fence = owned(&store, &id).await;
        let at = StateKey::new("secret", "chat\0/\u{10ffff}%_\\");
        let put = StatePut { at: at.clone(), value: bytes::Bytes::from_static(b"v"), expires_at: None };
        let batch = StateBatch { puts: vec![put], deletes: vec![] };
        assert_eq!(store.apply(vec![(fence, batch)]).await.unwrap(), [Written::Done]);
        assert!(StateStore::get(&store, &id, std::slice::from_ref(&at)).await.unwrap()[0].is_some());
        assert_eq!(store.scan(&id, "secret", "chat\0").await.unwrap()[0].0, at.key);
        assert_eq!(store.by_message(&id, &[MessageId::from_wire("3EB0\0")]).await.unwrap(), [None]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_unavailable() {
    with_database(async |database| {
        let mut options = database.options("x");
        // Port 1 needs privileges and nobody listens there.
        options.url = Secret::new("postgres://kurir:hidden@127.0.0.1:1/kurir".into());
        options.acquire_timeout = Duration::from_millis(300);
        assert!(!format!("{options:?}").contains("hidden"), "options are printed without the password");
        let error = connect(options, 1).await.map(drop).unwrap_err();
        assert!(error.is_transient() && !error.chain().contains("hidden"), "{}", error.chain());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asking_again_does_not_change_is_refused() {
    with_database(async |database| {
        for schema in ["", "Upper", "semi;colon", "1st"] {
            let error = connect(database.options(schema), 1).await.map(drop).unwrap_err();
            assert!(matches!(error, PortError::Refused { .. }), "{schema:?}: {}", error.chain());
        }
        let mut options = database.options("x");
        options.url = Secret::new("no url".into());
        assert!(matches!(connect(options, 1).await.map(drop), Err(PortError::Refused { .. })));
        let unmigrated = database.open(&database.schema(), 1).await;
        let error = unmigrated.pending(Timestamp::from_millis(1), 1).await.unwrap_err();
        assert!(matches!(error, PortError::Refused { .. }), "{}", error.chain());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_says_so() {
    with_database(async |database| {
        let (store, _) = database.store().await;
        store.close().await;
        assert!(matches!(SessionStore::get(&store, &session_id("s")).await, Err(PortError::Closed("PostgreSQL"))));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_ends_are_replaced() {
    with_database(async |database| {
        let (first, schema) = database.store().await;
        let id = session_id("s");
        owned(&first, &id).await;
        let mut options = database.options(&schema);
        options.max_connections = 2;
        let store = connect(options, 1).await.unwrap();

        // Both connections of the pool wait for a lock, by which they are known; then the server ends them.
        let (mut holder, mut observer) = (database.connection(Some(&schema)).await, database.connection(None).await);
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
        let mut hold = holder.begin().await.unwrap();
        hold.execute("SELECT * FROM session FOR SHARE").await.unwrap();
        let mut claims = JoinSet::new();
        for _ in 0..2 {
            let (store, id) = (store.clone(), id.clone());
            claims.spawn(async move { store.claim(&id, &worker("w")).await });
        }
        let waiting: Vec<i32> = eventually("both claims wait", async || {
            let query = "SELECT pid FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0 \
                         AND wait_event_type = 'Lock' AND query LIKE 'UPDATE session%SET epoch%' \
                         AND ($1 = ANY(pg_blocking_pids(pid)) OR EXISTS (SELECT FROM pg_stat_activity b \
                              WHERE b.pid = ANY(pg_blocking_pids(pg_stat_activity.pid)) \
                              AND $1 = ANY(pg_blocking_pids(b.pid))))";
            let found: Vec<i32> = sqlx::query_scalar(query).bind(pid).fetch_all(&mut observer).await.unwrap();
            (found.len() == 2).then_some(found)
        })
        .await;
        for pid in waiting {
            sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut observer).await.unwrap();
        }
        while let Some(ended) = claims.join_next().await {
            let error = ended.unwrap().expect_err("its connection was ended");
            assert!(matches!(error, PortError::Unavailable { .. }), "{}", error.chain());
        }
        hold.rollback().await.unwrap();
        let record =
            eventually("the store answers again", async || SessionStore::get(&store, &id).await.ok().flatten()).await;
        assert_eq!(record.epoch, Epoch(1), "a claim that was ended claimed nothing");
    })
    .await;
}
