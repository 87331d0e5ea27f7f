//! The tables, and how a file comes to have them.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::open::OpenError;

/// `kuri` in ASCII: marks the file as kurir's (`file` and the SQLite shell show it).
const APPLICATION: i64 = 0x6b75_7269;

/// One script for each version of the schema; `PRAGMA user_version` says how many a file has seen. Scripts are only
/// ever appended.
const VERSIONS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
    include_str!("schema/0008.sql"),
    include_str!("schema/0009.sql"),
    include_str!("schema/0010.sql"),
    include_str!("schema/0011.sql"),
    include_str!("schema/0012.sql"),
    include_str!("schema/0013.sql"),
    include_str!("schema/0014.sql"),
    include_str!("schema/0016.sql"),
    include_str!("schema/0017.sql"),
    include_str!("schema/0018.sql"),
];

/// Checks that the file has the newest version, for who may not change it.
pub(super) async fn check(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found = version(connection, path).await?;
    let known = VERSIONS.len();
    if found < known {
        let found = i64::try_from(found).unwrap_or_default();
        return Err(OpenError::TooOld { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// The version of a file of ours that is not newer than this program.
async fn version(connection: &mut SqliteConnection, path: &Path) -> Result<usize, OpenError> {
    let sql = |source| OpenError::Sql { path: path.to_owned(), source };
    let (application, found): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), user_version FROM pragma_user_version",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(sql)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await.map_err(sql)?;
    if tables > 0 && application != APPLICATION {
        return Err(OpenError::NotKurir { path: path.to_owned() });
    }
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > VERSIONS.len() {
        return Err(OpenError::TooNew { path: path.to_owned(), found, known: VERSIONS.len() });
    }
    Ok(done)
}

/// Brings the file to the newest version, each step in a transaction of its own.
pub(super) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let sql = |source| OpenError::Sql { path: path.to_owned(), source };
    let done = version(connection, path).await?;
    for (at, script) in VERSIONS.iter().enumerate().skip(done) {
        let mut step = connection.begin_with("BEGIN IMMEDIATE").await.map_err(sql)?;
        sqlx::raw_sql(*script).execute(&mut *step).await.map_err(sql)?;
        // A pragma takes no parameters; both are numbers of ours.
        let mark = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}", at + 1);
        sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut *step).await.map_err(sql)?;
        step.commit().await.map_err(sql)?;
    }
    Ok(())
}
