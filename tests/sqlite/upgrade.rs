//! A file of an earlier version.

use kurir_core::domain::{PaceState, PhoneNumber, SenderPace};
use kurir_core::port::{Ledger as _, SessionStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

use super::{Place, owned, session};

#[tokio::test]
async fn a_file_of_before_budgets_keeps_its_pace() {
    let place = Place::new();
    let store = place.open().await;
    owned(&store).await;
    store.close().await;
    drop(store);
    let options = SqliteConnectOptions::new().filename(place.file());
    let mut outside = SqliteConnection::connect_with(&options).await.unwrap();
    outside
        .execute(
            "UPDATE session SET pace = -2; ALTER TABLE session DROP COLUMN spent; DROP TABLE met; \
             ALTER TABLE session DROP COLUMN pool; DROP TABLE pool; DROP TABLE api_key; DROP TABLE request; \
             DROP INDEX ledger_place; DROP INDEX ledger_recipient; DROP INDEX ledger_batch; ALTER TABLE ledger DROP COLUMN lane; ALTER TABLE ledger DROP COLUMN mark; \
             ALTER TABLE ledger DROP COLUMN batch; ALTER TABLE ledger DROP COLUMN enqueued_at; DROP TABLE verification; \
             DROP TABLE verification_count; DROP TABLE verification_prefix; DROP TABLE event_log; DROP TABLE webhook_delivery; \
             DROP TABLE webhook; DROP TABLE default_session; ALTER TABLE session DROP COLUMN name; \
             ALTER TABLE session DROP COLUMN labels; ALTER TABLE session DROP COLUMN restarts; \
             DROP TABLE template; DROP TABLE suppression; DROP TABLE suppression_change; DROP TABLE suppression_key; \
             DROP TABLE bulk_recipient; DROP TABLE ledger_metadata; DROP TABLE media_piece; DROP TABLE media; \
             PRAGMA user_version = 1",
        )
        .await
        .unwrap();
    outside.close().await.unwrap();

    let store = place.open().await;
    let record = SessionStore::get(&store, &session()).await.unwrap().unwrap();
    assert_eq!(record.pace, SenderPace { next: PaceState(u64::MAX - 1), ..SenderPace::default() });
    let somebody = PhoneNumber::from_digits("6281234567890".into()).unwrap();
    assert_eq!(store.met(&session(), &[somebody]).await.unwrap(), [false]);
}
