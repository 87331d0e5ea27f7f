//! One subscription to a lane.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{Target, Timestamp};
use kurir_core::port::{Delivery, JobStream, PortError};
use tokio::sync::watch;

use super::database::Database;
use super::error::{corrupt, sql};
use super::lanes::{LaneKey, StreamId, Turn};
use super::queue::{place, read_headers};
use super::row::row;
use super::settle::SqliteSettle;

/// How many jobs are read at once at most; a body has up to 64 KiB.
const READ_AHEAD: usize = 64;

/// How long a stream waits without looking again. Wake-ups tell of everything that happens in this process, so this
/// is only about the wall clock: it may be set, and it goes on while timers stand still in a sleeping machine.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

row! {
    struct Row {
        seq: i64,
        id: Vec<u8>,
        headers: String,
        body: Vec<u8>,
    }
}

/// The jobs of one lane for one subscriber.
pub(super) struct SqliteStream {
    db: Arc<Database>,
    key: LaneKey,
    target: Target,
    id: StreamId,
    changed: watch::Receiver<()>,
    /// Read and claimed, not handed out.
    ahead: VecDeque<Row>,
    open: bool,
}

impl SqliteStream {
    /// Joins the lane. A window of 0 would never get anything and counts as 1.
    /// `priority` is that among those who share a pool.
    pub(super) fn new(db: Arc<Database>, key: LaneKey, target: Target, window: u16, priority: Option<u8>) -> Self {
        let (id, changed) = db.lanes.join(&key, usize::from(window.max(1)), priority);
        Self { db, key, target, id, changed, ahead: VecDeque::new(), open: true }
    }

    /// Reads jobs that are due and not claimed, the oldest first, and claims them.
    async fn read(&mut self, now: Timestamp, ahead: usize) -> Result<(), PortError> {
        let claimed = self.db.lanes.claimed(&self.key);
        let claimed = serde_json::to_string(&claimed).map_err(|error| corrupt("a list of jobs", error))?;
        // Two passes along the same index, ready and parked ones, so that a thousand parked jobs cost nothing.
        let rows: Vec<Row> = sqlx::query_as(
            "WITH claimed AS MATERIALIZED (SELECT value AS seq FROM json_each(?4)) \
             SELECT * FROM (SELECT seq, id, headers, body FROM job \
             WHERE target = ?1 AND lane = ?2 AND due_at IS NULL AND seq NOT IN (SELECT seq FROM claimed) \
             ORDER BY seq LIMIT ?5) \
             UNION ALL \
             SELECT * FROM (SELECT seq, id, headers, body FROM job \
             WHERE target = ?1 AND lane = ?2 AND due_at <= ?3 AND seq NOT IN (SELECT seq FROM claimed) \
             ORDER BY due_at, seq LIMIT ?5) \
             ORDER BY seq LIMIT ?5",
        )
        .bind(&*self.key.target)
        .bind(self.key.lane.as_str())
        .bind(now.as_millis())
        .bind(claimed)
        .bind(i64::try_from(ahead.min(READ_AHEAD)).unwrap_or(1))
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading jobs", error))?;
        // Nothing is awaited from here on: a dropped call claims all of them or none.
        self.ahead.extend(rows.into_iter().filter(|row| self.db.lanes.buffer(&self.key, self.id, row.seq)));
        Ok(())
    }

    /// How long until the next parked job is due.
    async fn idle(&self, now: Timestamp) -> Result<Duration, PortError> {
        let due: Option<i64> =
            sqlx::query_scalar("SELECT min(due_at) FROM job WHERE target = ?1 AND lane = ?2 AND due_at > ?3")
                .bind(&*self.key.target)
                .bind(self.key.lane.as_str())
                .bind(now.as_millis())
                .fetch_one(&self.db.readers)
                .await
                .map_err(|error| sql("looking for parked jobs", error))?;
        Ok(due.map_or(LOOK_AGAIN, |due| Timestamp::from_millis(due).since(now).min(LOOK_AGAIN)))
    }

    async fn wait(&mut self, at_most: Duration) {
        tokio::select! {
            // The sender stays as long as this stream is in the lane.
            _ = self.changed.changed() => {}
            () = tokio::time::sleep(at_most) => {}
            () = self.db.stop.cancelled() => {}
        }
    }

    fn hand_out(&mut self) -> Result<Option<Delivery>, PortError> {
        while let Some(row) = self.ahead.pop_front() {
            let Some(claim) = self.db.lanes.hand_out(&self.key, self.id, row.seq) else { continue };
            let lane = self.key.lane;
            let place = place(&row.id, &self.key.target, lane.as_str());
            let what = || format!("a job of queue {}.{lane}", self.key.target);
            let body = self.db.sealer.open(&place, &row.body, what)?;
            let headers = read_headers(&row.headers)?;
            let settle = Box::new(SqliteSettle { db: self.db.clone(), claim, enqueued_at: headers.enqueued_at });
            return Ok(Some(Delivery { target: self.target.clone(), lane, body, headers, settle }));
        }
        Ok(None)
    }

    fn end(&mut self) {
        self.open = false;
        self.ahead.clear();
        self.db.lanes.leave(&self.key, self.id);
    }
}

#[async_trait]
impl JobStream for SqliteStream {
    async fn next(&mut self) -> Result<Option<Delivery>, PortError> {
        let _asks = self.db.lanes.ask(&self.key, self.id);
        loop {
            if !self.open || self.db.stop.is_cancelled() {
                return Ok(None);
            }
            // Whatever changes after this moment ends the wait below.
            self.changed.mark_unchanged();
            let Turn::Take { ahead } = self.db.lanes.turn(&self.key, self.id) else {
                self.wait(LOOK_AGAIN).await;
                continue;
            };
            if let Some(delivery) = self.hand_out()? {
                return Ok(Some(delivery));
            }
            let now = self.db.clock.now();
            let looked = match self.read(now, ahead).await {
                Ok(()) if self.ahead.is_empty() => self.idle(now).await,
                Ok(()) => continue,
                Err(error) => Err(error),
            };
            match looked {
                Ok(idle) => self.wait(idle).await,
                // Closed while it looked.
                Err(PortError::Closed(_)) if self.db.stop.is_cancelled() => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    async fn close(&mut self) -> Result<(), PortError> {
        self.end();
        Ok(())
    }
}

impl Drop for SqliteStream {
    fn drop(&mut self) {
        self.end();
    }
}
