//! The file: who may open it, and what it is like.

use std::time::Duration;

use kurir::adapters::sqlite::{Access, Durability, OpenError, SqliteOptions};
use kurir_core::domain::Wanted;
use kurir_core::port::{PortError, SessionStore as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

use super::{KEY, Place, owned, session};

#[tokio::test]
async fn a_commit_is_on_the_disk_when_it_returns() {
    let place = Place::new();
    let store = place.open().await;
    let expected = Durability { journal_mode: "wal".into(), synchronous: 2, foreign_keys: true };
    assert_eq!(store.durability().await.unwrap(), expected);
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_closed() {
    let place = Place::new();
    let store = place.open().await;
    let refused = place.try_open(SqliteOptions::new(place.file()), KEY).await.err().expect("it is in use");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains(place.file().to_str().unwrap()) && text.contains("stop that process"), "{text}");
    owned(&store).await;
    store.close().await;
    store.close().await;
    let answer = store.epoch(&session()).await;
    assert!(matches!(answer, Err(PortError::Closed(_))), "{answer:?}");
    let answer = store.want(&session(), Wanted::Stopped).await;
    assert!(matches!(answer, Err(PortError::Closed(_))), "{answer:?}");
    let again = place.open().await;
    assert!(again.epoch(&session()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_tool_works_beside_whoever_has_it_and_changes_no_tables() {
    let place = Place::new();
    let store = place.open().await;
    owned(&store).await;
    let beside = || SqliteOptions { access: Access::Beside, ..SqliteOptions::new(place.file()) };
    let tool = place.try_open(beside(), KEY).await.unwrap();
    assert!(tool.is_beside() && !store.is_beside());
    assert!(tool.want(&session(), Wanted::Stopped).await.unwrap());
    assert_eq!(store.get(&session()).await.unwrap().unwrap().wanted, Wanted::Stopped);
    assert!(store.want(&session(), Wanted::Running).await.unwrap());
    assert_eq!(tool.get(&session()).await.unwrap().unwrap().wanted, Wanted::Running);
    tool.close().await;
    let mut connection = outside(&place).await;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.unwrap();
    connection.execute("PRAGMA user_version = 3").await.unwrap();
    let refused = place.try_open(beside(), KEY).await.err().expect("it is of an older kurir");
    assert!(matches!(refused, OpenError::TooOld { found: 3, .. }), "{refused}");
    connection.execute(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"))).await.unwrap();
    connection.close().await.unwrap();
    store.close().await;
    let alone = place.try_open(beside(), KEY).await.unwrap();
    assert!(!alone.is_beside(), "nobody has it, so it is the tool's");
    let refused = place.try_open(SqliteOptions::new(place.file()), KEY).await.err().expect("the tool has it");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new();
    let store = place.open().await;
    owned(&store).await;
    let folder = place.file().parent().unwrap().to_owned();
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert_eq!(seen, 4, "database, log, shared memory and lock");
}

async fn outside(place: &Place) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(place.file()).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let place = Place::new();
    std::fs::create_dir_all(place.file().parent().unwrap()).unwrap();
    let mut other = outside(&place).await;
    other.execute("CREATE TABLE theirs (x)").await.unwrap();
    let refused = place.try_open(SqliteOptions::new(place.file()), KEY).await.err().unwrap();
    assert!(matches!(refused, OpenError::NotKurir { .. }), "{refused}");
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema").fetch_all(&mut other).await.unwrap();
    assert_eq!(tables, ["theirs"]);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = Place::new();
    place.open().await.close().await;
    outside(&place).await.execute("PRAGMA user_version = 9000").await.unwrap();
    let refused = place.try_open(SqliteOptions::new(place.file()), KEY).await.err().unwrap();
    assert!(matches!(refused, OpenError::TooNew { found: 9000, .. }), "{refused}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    let file = place.folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let refused = place.try_open(SqliteOptions::new(file.join("kurir.db")), KEY).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Io { path, .. } if *path == file), "{refused}");
}

#[tokio::test]
async fn a_file_locked_from_outside_is_an_error_that_passes() {
    let place = Place::new();
    let options = SqliteOptions { busy_timeout: Duration::from_millis(20), ..SqliteOptions::new(place.file()) };
    let store = place.try_open(options, KEY).await.unwrap();
    owned(&store).await;
    let mut other = outside(&place).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = store.want(&session(), Wanted::Stopped).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable { system: "SQLite", .. }) && error.is_transient(), "{error:?}");
    assert!(store.epoch(&session()).await.unwrap().is_some(), "reading goes on");
    other.execute("ROLLBACK").await.unwrap();
    assert!(store.want(&session(), Wanted::Stopped).await.unwrap());
}
