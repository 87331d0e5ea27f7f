//! Requests that may be repeated, with their answers.

use async_trait::async_trait;
use kurir_core::domain::{RecordedAnswer, RequestKey, RequestSeed, Timestamp};
use kurir_core::port::{Begun, NewRun, PortError, RequestLog, RunEnd};
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt};
use super::row::row;
use super::state::hexadecimal;

fn place(key: &RequestKey) -> String {
    format!("request/{}/{}", key.tenant, hexadecimal(&key.name))
}

row! {
    struct Row {
        request: Vec<u8>,
        lease: i64,
        answer: Option<Vec<u8>>,
    }
}

/// Enters the run if the request is unknown, forgotten, or the same one whose run has died.
const BEGIN: &str = "\
INSERT INTO request (tenant, name, request, runner, seed, lease, keep) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
ON CONFLICT (tenant, name) DO UPDATE SET request = excluded.request, runner = excluded.runner, lease = excluded.lease, \
    seed = CASE WHEN request.keep < ?8 THEN excluded.seed ELSE request.seed END, keep = excluded.keep, answer = NULL \
WHERE request.keep < ?8 OR (request.answer IS NULL AND request.lease <= ?8 AND request.request = excluded.request) \
RETURNING seed";

/// What a call found, before anything is opened.
enum Found {
    Run(Vec<u8>),
    Known(Row),
}

async fn begin(connection: &mut SqliteConnection, run: NewRun, mark: [u8; 16]) -> Result<Found, Failure> {
    let seed: Option<Vec<u8>> = sqlx::query_scalar(BEGIN)
        .bind(run.key.tenant.as_str())
        .bind(run.key.name.as_slice())
        .bind(mark.as_slice())
        .bind(run.runner.to_be_bytes().as_slice())
        .bind(run.seed.0.as_slice())
        .bind(run.lease.as_millis())
        .bind(run.keep.as_millis())
        .bind(run.at.as_millis())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(seed) = seed {
        return Ok(Found::Run(seed));
    }
    // Nobody else writes in between, so it is there.
    let row = sqlx::query_as("SELECT request, lease, answer FROM request WHERE tenant = ?1 AND name = ?2")
        .bind(run.key.tenant.as_str())
        .bind(run.key.name.as_slice())
        .fetch_one(connection)
        .await?;
    Ok(Found::Known(row))
}

impl Database {
    /// The mark of what a request asks for. Its hash alone would betray a short body, one with a code, to whoever tries all.
    fn mark_of(&self, run: &NewRun) -> [u8; 16] {
        self.sealer.fingerprint(&format!("request/{}", run.key.tenant), run.request)
    }

    fn answer(&self, key: &RequestKey, sealed: &[u8]) -> Result<RecordedAnswer, PortError> {
        let what = || format!("the answer to a request of {}", key.tenant);
        let bytes = self.sealer.open(&place(key), sealed, what)?;
        RecordedAnswer::from_bytes(&bytes).ok_or_else(|| corrupt(what(), "it is none"))
    }
}

#[async_trait]
impl RequestLog for SqliteStore {
    async fn begin(&self, run: &NewRun) -> Result<Begun, PortError> {
        let (new, mark) = (run.clone(), self.db.mark_of(run));
        let found = self
            .db
            .writer
            .write("entering a request", move |connection| Box::pin(begin(connection, new, mark)))
            .await?;
        match found {
            Found::Run(seed) => {
                let seed = seed.as_slice().try_into().map_err(|error| corrupt("a request's seed", error))?;
                Ok(Begun::Run(RequestSeed(seed)))
            }
            Found::Known(row) if row.request != mark => Ok(Begun::Reused),
            Found::Known(Row { answer: Some(sealed), .. }) => Ok(Begun::Answered(self.db.answer(&run.key, &sealed)?)),
            Found::Known(row) => Ok(Begun::Running(Timestamp::from_millis(row.lease))),
        }
    }

    async fn end(&self, key: &RequestKey, runner: u128, end: &RunEnd) -> Result<bool, PortError> {
        let (statement, answer) = match end {
            RunEnd::Answered(answer) => {
                let sealed = self.db.sealer.seal(&place(key), &answer.to_bytes());
                (
                    "UPDATE request SET answer = ?4 WHERE tenant = ?1 AND name = ?2 AND runner = ?3 AND answer IS NULL",
                    Some(sealed),
                )
            }
            RunEnd::Unknown => (
                "UPDATE request SET lease = 0 WHERE tenant = ?1 AND name = ?2 AND runner = ?3 AND answer IS NULL",
                None,
            ),
            RunEnd::Nothing => {
                ("DELETE FROM request WHERE tenant = ?1 AND name = ?2 AND runner = ?3 AND answer IS NULL", None)
            }
        };
        let key = key.clone();
        self.db
            .writer
            .write("ending a request", move |connection| {
                Box::pin(async move {
                    let query = sqlx::query(statement)
                        .bind(key.tenant.as_str())
                        .bind(key.name.as_slice())
                        .bind(runner.to_be_bytes().to_vec());
                    let query = match answer {
                        Some(sealed) => query.bind(sealed),
                        None => query,
                    };
                    Ok(query.execute(connection).await?.rows_affected() > 0)
                })
            })
            .await
    }

    async fn forget_requests(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        const OLD: &str = "\
            DELETE FROM request WHERE rowid IN \
            (SELECT rowid FROM request WHERE keep < ?1 ORDER BY keep LIMIT ?2)";
        self.db.forget("forgetting old requests", OLD, before, limit).await
    }
}
