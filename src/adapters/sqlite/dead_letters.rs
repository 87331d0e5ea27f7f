//! Jobs that could not be processed, kept for a look.

use kurir_core::domain::{FailReason, Lane, Timestamp};
use kurir_core::port::{DeadLetter, JobHeaders, PortError};
use sqlx::sqlite::SqliteConnection;

use super::error::{corrupt, sql};
use super::queue::{SqliteQueue, place, read_headers};
use super::row::row;

/// A job among the dead letters.
#[derive(Clone)]
pub struct DeadJob {
    /// The queue it stood in, as in its routing key: `s.{session}` or `p.{pool}`.
    pub target: String,
    /// Its lane.
    pub lane: Lane,
    /// The body as it came; never logged.
    pub body: Vec<u8>,
    /// What came beside it.
    pub headers: JobHeaders,
    /// Why it could not be processed.
    pub letter: DeadLetter,
    /// When it was given up.
    pub at: Timestamp,
}

impl std::fmt::Debug for DeadJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeadJob({}.{} {}: {} bytes)", self.target, self.lane, self.letter.reason, self.body.len())
    }
}

row! {
    struct Row {
        id: Vec<u8>,
        target: String,
        lane: String,
        headers: String,
        body: Vec<u8>,
        reason: String,
        detail: String,
        at: i64,
    }
}

/// Copies a job to the dead letters and removes the oldest of them past `keep`.
pub(super) async fn bury(
    connection: &mut SqliteConnection,
    seq: i64,
    letter: &DeadLetter,
    at: i64,
    keep: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO dead_job (id, target, lane, headers, body, reason, detail, at) \
         SELECT id, target, lane, headers, body, ?2, ?3, ?4 FROM job WHERE seq = ?1",
    )
    .bind(seq)
    .bind(letter.reason.as_str())
    .bind(letter.detail.as_str())
    .bind(at)
    .execute(&mut *connection)
    .await?;
    // Numbers are given without gaps here, so the difference of numbers is the count.
    sqlx::query("DELETE FROM dead_job WHERE seq <= (SELECT max(seq) FROM dead_job) - ?1")
        .bind(keep)
        .execute(connection)
        .await?;
    Ok(())
}

impl SqliteQueue {
    /// The newest dead letters, the newest first, at most `limit`.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadJob>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, target, lane, headers, body, reason, detail, at FROM dead_job ORDER BY seq DESC LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading the dead letters", error))?;
        rows.into_iter().map(|row| self.dead_job(row)).collect()
    }

    fn dead_job(&self, row: Row) -> Result<DeadJob, PortError> {
        let what = || format!("a dead letter of queue {}.{}", row.target, row.lane);
        let lane = Lane::ALL.into_iter().find(|lane| lane.as_str() == row.lane);
        Ok(DeadJob {
            lane: lane.ok_or_else(|| corrupt(what(), "its lane is none"))?,
            body: self.db.sealer.open(&place(&row.id, &row.target, &row.lane), &row.body, what)?,
            headers: read_headers(&row.headers)?,
            letter: DeadLetter {
                reason: FailReason::parse(&row.reason).ok_or_else(|| corrupt(what(), "its reason is none"))?,
                detail: row.detail,
            },
            at: Timestamp::from_millis(row.at),
            target: row.target,
        })
    }
}
