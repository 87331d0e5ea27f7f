//! Jobs that could not be processed, kept for a look.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::domain::{Lane, Timestamp};
use kurir_core::port::{DeadFilter, DeadId, DeadJob, DeadLetter, DeadLetters, JobHeaders, PortError, Retried};
use sqlx::sqlite::SqliteConnection;

use super::error::{corrupt, sql};
use super::lanes::{LaneKey, Wake};
use super::queue::{SqliteQueue, place, read_headers, write_headers};
use super::row::row;

/// Letters read at once.
const PAGE: u32 = 500;

row! {
    struct Row {
        seq: i64,
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

/// Moves a job to the dead letters and removes the oldest of them past `keep`; tells whether the job was still there.
pub(super) async fn bury(
    connection: &mut SqliteConnection,
    seq: i64,
    letter: &DeadLetter,
    at: i64,
    keep: i64,
) -> Result<bool, sqlx::Error> {
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
    // Numbers follow each other and leave a gap only where a letter was taken out, so at most `keep` are left.
    sqlx::query("DELETE FROM dead_job WHERE seq <= (SELECT max(seq) FROM dead_job) - ?1")
        .bind(keep)
        .execute(&mut *connection)
        .await?;
    let done = sqlx::query("DELETE FROM job WHERE seq = ?1").bind(seq).execute(connection).await?;
    Ok(done.rows_affected() > 0)
}

/// A letter's name is its number in the table.
fn seq_of(id: &DeadId) -> Option<i64> {
    id.0.parse().ok()
}

/// A letter on its way back into its queue.
struct Returning {
    seq: i64,
    id: DeadId,
    key: LaneKey,
    headers: String,
}

impl Returning {
    fn new(letter: DeadJob, target: Arc<str>, lane: Lane) -> Result<Self, PortError> {
        let seq = seq_of(&letter.id).ok_or_else(|| corrupt("a dead letter's number", "it is none"))?;
        let headers = write_headers(JobHeaders { hop: 0, not_before: None, ..letter.headers })?;
        Ok(Self { seq, id: letter.id, key: LaneKey { target, lane }, headers })
    }

    /// Moves it; `None` when somebody else took it away meanwhile.
    async fn carry_out(&self, connection: &mut SqliteConnection) -> Result<Option<Retried>, sqlx::Error> {
        let there: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_job WHERE seq = ?1")
            .bind(self.seq)
            .fetch_one(&mut *connection)
            .await?;
        if there == 0 {
            return Ok(None);
        }
        // The body stays sealed: the place that it is bound to is the same.
        let done = sqlx::query(
            "INSERT INTO job (id, target, lane, due_at, headers, body) \
             SELECT dead_job.id, queue.target, dead_job.lane, NULL, ?2, dead_job.body \
             FROM dead_job JOIN queue ON queue.target = dead_job.target WHERE dead_job.seq = ?1",
        )
        .bind(self.seq)
        .bind(self.headers.as_str())
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(Some(Retried::NoSuchTarget));
        }
        sqlx::query("DELETE FROM dead_job WHERE seq = ?1").bind(self.seq).execute(connection).await?;
        Ok(Some(Retried::Enqueued))
    }
}

impl SqliteQueue {
    /// The letters that are meant, behind the one numbered `after`.
    async fn meant(&self, which: &DeadFilter, mut after: i64, limit: usize) -> Result<Vec<DeadJob>, PortError> {
        let mut found = Vec::new();
        loop {
            let rows: Vec<Row> = sqlx::query_as(
                "SELECT seq, id, target, lane, headers, body, reason, detail, at FROM dead_job \
                 WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )
            .bind(after)
            .bind(PAGE)
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("reading the dead letters", error))?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = last.seq;
            for row in rows {
                let letter = self.dead_job(row)?;
                if which.means(&letter) {
                    found.push(letter);
                }
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
    }

    fn dead_job(&self, row: Row) -> Result<DeadJob, PortError> {
        let what = || format!("a dead letter of queue {}.{}", row.target, row.lane);
        Ok(DeadJob {
            id: DeadId(row.seq.to_string()),
            key: format!("{}.{}", row.target, row.lane),
            body: self.db.sealer.open(&place(&row.id, &row.target, &row.lane), &row.body, what)?,
            headers: read_headers(&row.headers)?,
            reason: row.reason,
            detail: row.detail,
            at: Some(Timestamp::from_millis(row.at)),
        })
    }
}

#[async_trait]
impl DeadLetters for SqliteQueue {
    async fn list(&self, which: &DeadFilter, after: Option<&DeadId>, limit: u32) -> Result<Vec<DeadJob>, PortError> {
        let after = after.map_or(0, |id| seq_of(id).unwrap_or(i64::MAX));
        self.meant(which, after, usize::try_from(limit).unwrap_or(usize::MAX)).await
    }

    async fn retry(&self, which: &DeadFilter) -> Result<Vec<(DeadId, Retried)>, PortError> {
        let mut returning = Vec::new();
        let mut answers = Vec::new();
        for letter in self.meant(which, 0, usize::MAX).await? {
            match letter.key.rsplit_once('.').zip(letter.place()) {
                Some(((target, _), (_, lane))) => {
                    let target = Arc::from(target);
                    returning.push(Returning::new(letter, target, lane)?);
                }
                None => answers.push((letter.id, Retried::NoSuchTarget)),
            }
        }
        let keys: HashSet<_> = returning.iter().map(|letter| letter.key.clone()).collect();
        let wake = Wake { lanes: self.db.lanes.clone(), keys: keys.into_iter().collect() };
        let (done, wake) = self
            .db
            .writer
            .write("putting dead letters back into their queues", move |connection| {
                Box::pin(async move {
                    let mut done = Vec::with_capacity(returning.len());
                    for letter in returning {
                        if let Some(retried) = letter.carry_out(connection).await? {
                            done.push((letter.id, retried));
                        }
                    }
                    Ok((done, wake))
                })
            })
            .await?;
        drop(wake);
        answers.extend(done);
        Ok(answers)
    }

    async fn discard(&self, which: &DeadFilter) -> Result<Vec<DeadId>, PortError> {
        let meant: Vec<_> = self.meant(which, 0, usize::MAX).await?.into_iter().map(|letter| letter.id).collect();
        self.db
            .writer
            .write("discarding dead letters", move |connection| {
                Box::pin(async move {
                    let mut gone = Vec::with_capacity(meant.len());
                    for id in meant {
                        let done = sqlx::query("DELETE FROM dead_job WHERE seq = ?1")
                            .bind(seq_of(&id))
                            .execute(&mut *connection)
                            .await?;
                        if done.rows_affected() > 0 {
                            gone.push(id);
                        }
                    }
                    Ok(gone)
                })
            })
            .await
    }
}
