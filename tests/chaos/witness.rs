//! Who writes for a session, told by the database and not by kurir: each start of a worker signs its connections with a
//! name of its own, and triggers note who claimed a session last and whether whoever writes for it is that one.
//!
//! It can't tell apart two ownerships of one session by one process, because these have one signature. An entry of the
//! ledger that names no session, before and after, is nobody's and is not judged.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::world::variable;

/// What a fleet can't do its work without: a witness that saw no write there was blind.
const ALWAYS_WRITTEN: [&str; 3] = ["job", "session", "state"];

/// The witness in a fleet's schema.
pub struct Witness {
    schema: String,
}

/// What the witness has seen.
pub struct Testimony {
    /// Rows that were written for sessions, by table.
    pub rows: BTreeMap<String, i64>,
    /// Those whose writer did not own the session when they were committed.
    pub late: Vec<String>,
}

/// A URL whose connections are those of `writer`.
pub fn signed(url: &str, writer: &str) -> String {
    format!("{url}?options[chaos.writer]={writer}")
}

impl Witness {
    /// Installs it in a schema of kurir before the first worker starts.
    pub async fn install(fleet: &str) -> Self {
        let schema = format!("witness_{fleet}");
        let script = include_str!("witness.sql").replace("{fleet}", fleet).replace("{witness}", &schema);
        let mut connection = connect().await;
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.unwrap();
        Self { schema }
    }

    pub async fn testimony(&self) -> Testimony {
        let mut connection = connect().await;
        let rows = format!("SELECT what, count(*) FROM {}.written GROUP BY what", self.schema);
        let late = format!(
            "SELECT format('%s of %s by %s, owned by %s under epoch %s, at %s', what, session, writer, owner, epoch, at)
            FROM {}.written WHERE late ORDER BY at",
            self.schema
        );
        Testimony {
            rows: sqlx::query_as(AssertSqlSafe(rows)).fetch_all(&mut connection).await.unwrap().into_iter().collect(),
            late: sqlx::query_scalar(AssertSqlSafe(late)).fetch_all(&mut connection).await.unwrap(),
        }
    }
}

impl Testimony {
    /// The tables of which it ought to have seen something, and has not.
    pub fn blind(&self) -> Vec<String> {
        let unseen = ALWAYS_WRITTEN.into_iter().filter(|table| !self.rows.contains_key(*table));
        unseen.map(|table| format!("no write of {table} was seen")).collect()
    }

    /// How many rows it has seen.
    pub fn seen(&self) -> i64 {
        self.rows.values().sum()
    }
}

async fn connect() -> PgConnection {
    PgConnection::connect(&variable("KURIR_TEST_POSTGRES_URL")).await.unwrap()
}
