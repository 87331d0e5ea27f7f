//! The promise behind every epoch: a write is either durable before the claim, or refused.

use bytes::Bytes;
use kurir_core::domain::{Epoch, Fence, SenderPace, SessionId};
use kurir_core::port::{
    Ledger, LedgerWrite, PortError, SessionStore, StateBatch, StateKey, StatePut, StateStore, Written,
};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

use crate::database::{claim, entry, eventually, owned, session_id, with_database, worker};

fn put(text: &'static str) -> StateBatch {
    let put =
        StatePut { at: StateKey::new("identity", "k"), value: Bytes::from_static(text.as_bytes()), expires_at: None };
    StateBatch { puts: vec![put], deletes: vec![] }
}

async fn value(store: &impl StateStore, session: &SessionId) -> Option<Bytes> {
    store.get(session, &[StateKey::new("identity", "k")]).await.unwrap().remove(0)
}

async fn pid(connection: &mut PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await.unwrap()
}

/// Waits until somebody waits for `blocker`, and tells who.
async fn waiter(observer: &mut PgConnection, blocker: i32) -> i32 {
    eventually("somebody waits for the lock", async || {
        sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))")
            .bind(blocker)
            .fetch_optional(&mut *observer)
            .await
            .unwrap()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_waits_for_a_write_that_was_allowed() {
    with_database(async |database| {
        let (old, schema) = database.store().await;
        let new = database.open(&schema, 1).await;
        let id = session_id("s");
        let fence = owned(&old, &id).await;
        assert_eq!(old.apply(vec![(fence.clone(), put("first"))]).await.unwrap(), [Written::Done]);

        // The write is held up after its check of the epoch.
        let (mut holder, mut observer) = (database.connection(Some(&schema)).await, database.connection(None).await);
        let holder_pid = pid(&mut holder).await;
        let mut hold = holder.begin().await.unwrap();
        hold.execute("SELECT * FROM state FOR UPDATE").await.unwrap();
        let write = tokio::spawn({
            let (old, fence) = (old.clone(), fence.clone());
            async move { old.apply(vec![(fence, put("second"))]).await.unwrap() }
        });
        let writer_pid = waiter(&mut observer, holder_pid).await;
        let claimed = tokio::spawn({
            let (new, id) = (new.clone(), id.clone());
            async move {
                let fence = claim(&new, &id).await;
                (fence, value(&new, &id).await)
            }
        });
        waiter(&mut observer, writer_pid).await;
        assert!(!claimed.is_finished() && !write.is_finished());
        hold.rollback().await.unwrap();

        assert_eq!(write.await.unwrap(), [Written::Done]);
        let (next, seen) = claimed.await.unwrap();
        assert_eq!(next.epoch, Epoch(fence.epoch.0 + 1));
        assert_eq!(seen.unwrap(), "second", "what was allowed is durable before the claim returns");
        assert_eq!(old.apply(vec![(fence, put("late"))]).await.unwrap(), [Written::Fenced]);
        assert_eq!(value(&new, &id).await.unwrap(), "second");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_waits_for_an_intent_and_sees_its_pace() {
    with_database(async |database| {
        let (old, schema) = database.store().await;
        let new = database.open(&schema, 1).await;
        let id = session_id("s");
        let fence = owned(&old, &id).await;
        let first = entry(&id);
        let write = |entry, turn| LedgerWrite {
            fence: Some(fence.clone()),
            entry,
            spent: Some(SenderPace { turn, ..SenderPace::default() }.into()),
            events: vec![],
        };
        assert_eq!(old.write(vec![write(first.clone(), 1)]).await.unwrap(), [Written::Done]);

        let (mut holder, mut observer) = (database.connection(Some(&schema)).await, database.connection(None).await);
        let holder_pid = pid(&mut holder).await;
        let mut hold = holder.begin().await.unwrap();
        hold.execute("SELECT * FROM job FOR UPDATE").await.unwrap();
        let intent = write(kurir_core::domain::LedgerEntry { version: 1, ..first.clone() }, 7);
        let written = tokio::spawn({
            let old = old.clone();
            async move { old.write(vec![intent]).await.unwrap() }
        });
        let writer_pid = waiter(&mut observer, holder_pid).await;
        let claimed = tokio::spawn({
            let (new, id) = (new.clone(), id.clone());
            async move { new.claim(&id, &worker("next")).await.unwrap().unwrap() }
        });
        waiter(&mut observer, writer_pid).await;
        hold.rollback().await.unwrap();

        assert_eq!(written.await.unwrap(), [Written::Done]);
        assert_eq!(claimed.await.unwrap().pace.turn, 7, "the last owner's last intent counts");
        let late = write(kurir_core::domain::LedgerEntry { version: 2, ..first }, 3);
        assert_eq!(old.write(vec![late]).await.unwrap(), [Written::Fenced]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_waits_for_a_claim_is_refused() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        let id = session_id("s");
        let fence = owned(&store, &id).await;

        // A claim under way: its row is changed, and not committed.
        let (mut holder, mut observer) = (database.connection(Some(&schema)).await, database.connection(None).await);
        let holder_pid = pid(&mut holder).await;
        let mut hold = holder.begin().await.unwrap();
        hold.execute("UPDATE session SET epoch = epoch + 1").await.unwrap();
        let job = entry(&id);
        let state = tokio::spawn({
            let (store, fence) = (store.clone(), fence.clone());
            async move { store.apply(vec![(fence, put("late"))]).await.unwrap() }
        });
        waiter(&mut observer, holder_pid).await;
        hold.commit().await.unwrap();
        assert_eq!(state.await.unwrap(), [Written::Fenced]);
        assert_eq!(value(&store, &id).await, None);

        let mut hold = holder.begin().await.unwrap();
        hold.execute("UPDATE session SET epoch = epoch + 1").await.unwrap();
        let fence = Fence { session: id.clone(), epoch: Epoch(fence.epoch.0 + 1) };
        let ledger = tokio::spawn({
            let (store, fence, job) = (store.clone(), fence.clone(), job.clone());
            async move {
                let write = LedgerWrite {
                    fence: Some(fence),
                    entry: job,
                    spent: Some(SenderPace { turn: 5, ..SenderPace::default() }.into()),
                    events: vec![],
                };
                store.write(vec![write]).await.unwrap()
            }
        });
        waiter(&mut observer, holder_pid).await;
        hold.commit().await.unwrap();
        assert_eq!(ledger.await.unwrap(), [Written::Fenced]);
        assert_eq!(Ledger::get(&store, &[job.key]).await.unwrap(), [None]);
        assert_eq!(SessionStore::get(&store, &id).await.unwrap().unwrap().pace, SenderPace::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_lock_holder_delays_a_claim_no_longer_than_a_statement_may_run() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        let id = session_id("s");
        owned(&store, &id).await;
        let mut options = database.options(&schema);
        options.statement_timeout = std::time::Duration::from_secs(1);
        let hasty = crate::database::connect(options, 1).await.unwrap();
        let mut holder = database.connection(Some(&schema)).await;
        let mut hold = holder.begin().await.unwrap();
        hold.execute("SELECT * FROM session FOR SHARE").await.unwrap();
        let refused = hasty.claim(&id, &worker("w")).await.unwrap_err();
        assert!(matches!(refused, PortError::Unavailable { .. }) && refused.is_transient(), "{}", refused.chain());
        hold.rollback().await.unwrap();
        assert_eq!(hasty.claim(&id, &worker("w")).await.unwrap().unwrap().epoch, Epoch(2));
    })
    .await;
}
