//! A file of an earlier version.

use std::path::Path;

use bytes::Bytes;
use kurir_core::domain::{
    Keyring, MediaDetail, MediaId, MediaRecord, MediaState, PaceState, PhoneNumber, SenderPace, SessionStatus,
};
use kurir_core::port::{Clock as _, Ledger as _, MediaStore as _, PiecePut, SessionStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use super::{KEY, Place, WallClock, session, tenant};

/// What marks a file as kurir's.
const APPLICATION: u32 = 0x6b75_7269;

/// A file as this version of the schema left it, open to be filled.
async fn file_of_version(place: &Place, version: u32) -> SqliteConnection {
    std::fs::create_dir_all(place.file().parent().unwrap()).unwrap();
    let options = SqliteConnectOptions::new().filename(place.file()).create_if_missing(true);
    let mut file = SqliteConnection::connect_with(&options).await.unwrap();
    for step in 1..=version {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/adapters/sqlite/schema/{step:04}.sql"));
        let script = AssertSqlSafe(std::fs::read_to_string(script).unwrap());
        sqlx::raw_sql(script).execute(&mut file).await.unwrap();
    }
    let mark = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}");
    sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut file).await.unwrap();
    file
}

#[tokio::test]
async fn a_file_of_the_first_version_keeps_its_sessions_and_their_pace() {
    let place = Place::new();
    let mut file = file_of_version(&place, 1).await;
    let status = SessionStatus::created(WallClock.now());
    let sealed_place = format!("session/{}/status", session());
    let json = serde_json::to_vec(&status).unwrap();
    sqlx::query("INSERT INTO session VALUES (?1, ?2, 'running', 3, NULL, -2, 'created', ?3, 5)")
        .bind(session().as_str())
        .bind(tenant().as_str())
        .bind(Keyring::parse(KEY).unwrap().seal(sealed_place.as_bytes(), &json, [7; 12]))
        .execute(&mut file)
        .await
        .unwrap();
    file.close().await.unwrap();

    let store = place.open().await;
    let record = SessionStore::get(&store, &session()).await.unwrap().unwrap();
    assert_eq!(record.pace, SenderPace { next: PaceState(u64::MAX - 1), ..SenderPace::default() });
    assert_eq!((record.epoch.0, record.status), (3, status));
    let somebody = PhoneNumber::from_digits("6281234567890".into()).unwrap();
    assert_eq!(store.met(&session(), &[somebody]).await.unwrap(), [false]);
}

#[tokio::test]
async fn files_that_were_kept_before_they_were_counted_are_counted() {
    let place = Place::new();
    let mut file = file_of_version(&place, 10).await;
    for (n, state, size) in [(1_u128, "ready", 60), (2, "filling", 0), (3, "ready", 40), (4, "awaited", 1000)] {
        sqlx::query("INSERT INTO media VALUES (?1, ?2, NULL, ?3, ?4, 1, 1, x'00')")
            .bind(Uuid::from_u128(n).as_bytes().as_slice())
            .bind(tenant().as_str())
            .bind(state)
            .bind(size)
            .execute(&mut file)
            .await
            .unwrap();
    }
    file.close().await.unwrap();

    let store = place.open().await;
    let now = WallClock.now();
    let new = MediaRecord {
        id: MediaId::new(Uuid::from_u128(5)),
        tenant: tenant(),
        session: None,
        state: MediaState::Filling,
        size: 0,
        created_at: now,
        expires_at: now,
        detail: MediaDetail { mime_type: "text/plain".into(), filename: None, sha256: [0; 32], source: None },
    };
    assert!(store.enter_media(&new).await.unwrap());
    let put = async |bytes: &'static [u8]| store.put_piece(new.id, 0, Bytes::from_static(bytes), 105).await.unwrap();
    assert_eq!(put(b"123456").await, PiecePut::Full { used: 100 });
    assert_eq!(put(b"12345").await, PiecePut::Done);
}
