//! The job queues.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::domain::{Lane, PoolId, SessionId, Target, Timestamp};
use kurir_core::port::{
    DeadLetter, Enqueued, JobHeaders, JobQueue, JobStream, PoolQueue, PortError, PublishJob, Share,
};
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::dead_letters::bury;
use super::error::{SYSTEM, corrupt, sql};
use super::lanes::{LaneKey, Wake};
use super::state::hexadecimal;
use super::stream::SqliteStream;

/// The job queues on SQLite, for the process that has the file.
#[derive(Clone)]
pub struct SqliteQueue {
    pub(super) db: Arc<Database>,
}

/// The name of a target in the tables: its routing keys without the lane.
pub(super) fn target_name(target: &Target) -> Arc<str> {
    match target {
        Target::Session(id) => format!("s.{id}").into(),
        Target::Pool(id) => format!("p.{id}").into(),
    }
}

/// The place that a job's body is bound to.
pub(super) fn place(id: &[u8], target: &str, lane: &str) -> String {
    format!("job/{target}.{lane}/{}", hexadecimal(id))
}

/// [`JobHeaders`] as they stand in the table.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StoredHeaders {
    kind: String,
    message_id: Option<String>,
    attempt: u32,
    hop: u32,
    not_before: Option<Timestamp>,
    traceparent: Option<String>,
    user: Option<String>,
    enqueued_at: Option<Timestamp>,
}

impl Default for StoredHeaders {
    fn default() -> Self {
        JobHeaders::default().into()
    }
}

impl From<JobHeaders> for StoredHeaders {
    fn from(headers: JobHeaders) -> Self {
        let JobHeaders { kind, message_id, attempt, hop, not_before, traceparent, user, enqueued_at } = headers;
        Self { kind, message_id, attempt, hop, not_before, traceparent, user, enqueued_at }
    }
}

impl From<StoredHeaders> for JobHeaders {
    fn from(stored: StoredHeaders) -> Self {
        let StoredHeaders { kind, message_id, attempt, hop, not_before, traceparent, user, enqueued_at } = stored;
        Self { kind, message_id, attempt, hop, not_before, traceparent, user, enqueued_at }
    }
}

/// Headers for the table.
pub(super) fn write_headers(headers: JobHeaders) -> Result<String, PortError> {
    serde_json::to_string(&StoredHeaders::from(headers)).map_err(|error| corrupt("a job's headers to write", error))
}

/// Headers from the table.
pub(super) fn read_headers(json: &str) -> Result<JobHeaders, PortError> {
    let stored: StoredHeaders = serde_json::from_str(json).map_err(|_| corrupt("a job's headers", "they are none"))?;
    Ok(stored.into())
}

/// A job with its body sealed.
struct Sealed {
    id: [u8; 16],
    key: LaneKey,
    headers: String,
    body: Vec<u8>,
}

impl Sealed {
    fn new(db: &Database, job: PublishJob) -> Result<Self, PortError> {
        let mut headers = job.headers;
        headers.enqueued_at.get_or_insert_with(|| db.clock.now());
        let (id, target) = (db.sealer.id(), target_name(&job.target));
        let body = db.sealer.seal(&place(&id, &target, job.lane.as_str()), &job.body);
        Ok(Self { id, key: LaneKey { target, lane: job.lane }, headers: write_headers(headers)?, body })
    }
}

impl SqliteQueue {
    async fn make(&self, target: Target) -> Result<(), PortError> {
        let target = target_name(&target);
        self.db
            .writer
            .write("declaring a queue", move |connection| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO queue (target) VALUES (?1) ON CONFLICT (target) DO NOTHING")
                        .bind(&*target)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Removes a queue. What is left in it goes with it, or, `buried`, becomes such a letter: RabbitMQ does that with jobs that come
    /// back from a delay and find no queue.
    async fn drop_queue(&self, target: Target, buried: Option<DeadLetter>) -> Result<(), PortError> {
        let target = target_name(&target);
        let (at, keep) = (self.db.clock.now().as_millis(), self.db.dead_letters_kept);
        let lanes = self.db.lanes.clone();
        let removed = target.clone();
        self.db
            .writer
            .write("removing a queue", move |connection| {
                Box::pin(async move {
                    if let Some(letter) = buried {
                        let left: Vec<i64> = sqlx::query_scalar("SELECT seq FROM job WHERE target = ?1 ORDER BY seq")
                            .bind(&*target)
                            .fetch_all(&mut *connection)
                            .await?;
                        for seq in left {
                            bury(connection, seq, &letter, at, keep).await?;
                        }
                    }
                    sqlx::query("DELETE FROM queue WHERE target = ?1").bind(&*target).execute(connection).await?;
                    Ok(())
                })
            })
            .await?;
        lanes.forget(&removed);
        Ok(())
    }

    async fn stream(
        &self,
        target: Target,
        lane: Lane,
        window: u16,
        priority: Option<u8>,
    ) -> Result<Box<dyn JobStream>, PortError> {
        let key = LaneKey { target: target_name(&target), lane };
        let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM queue WHERE target = ?1")
            .bind(&*key.target)
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("subscribing to a queue", error))?;
        if there.is_none() {
            let source = format!("there is no queue {}: declare it first", target.routing_key(lane)).into();
            return Err(PortError::Refused { system: SYSTEM, action: "subscribing to a queue", source });
        }
        Ok(Box::new(SqliteStream::new(self.db.clone(), key, target, window, priority)))
    }

    async fn count(&self, target: Target, lane: Lane) -> Result<u64, PortError> {
        let key = LaneKey { target: target_name(&target), lane };
        let claimed = serde_json::to_string(&self.db.lanes.claimed(&key)).unwrap_or_else(|_| "[]".into());
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM job WHERE target = ?1 AND lane = ?2 AND (due_at IS NULL OR due_at <= ?3) \
             AND seq NOT IN (SELECT value FROM json_each(?4))",
        )
        .bind(&*key.target)
        .bind(lane.as_str())
        .bind(self.db.clock.now().as_millis())
        .bind(claimed)
        .fetch_one(&self.db.readers)
        .await
        .map_err(|error| sql("counting jobs", error))?;
        Ok(count.cast_unsigned())
    }
}

#[async_trait]
impl JobQueue for SqliteQueue {
    async fn declare(&self, session: &SessionId) -> Result<(), PortError> {
        self.make(session.into()).await
    }

    async fn remove(&self, session: &SessionId) -> Result<(), PortError> {
        self.drop_queue(session.into(), None).await
    }

    async fn publish(&self, jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, PortError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let jobs: Vec<_> = jobs.into_iter().map(|job| Sealed::new(&self.db, job)).collect::<Result<_, _>>()?;
        let keys: HashSet<_> = jobs.iter().map(|job| job.key.clone()).collect();
        let wake = Wake { lanes: self.db.lanes.clone(), keys: keys.into_iter().collect() };
        let (answers, wake) = self
            .db
            .writer
            .write("enqueueing jobs", move |connection| {
                Box::pin(async move {
                    let mut answers = Vec::with_capacity(jobs.len());
                    for job in jobs {
                        let done = sqlx::query(
                            "INSERT INTO job (id, target, lane, due_at, headers, body) \
                             SELECT ?1, target, ?3, NULL, ?4, ?5 FROM queue WHERE target = ?2",
                        )
                        .bind(job.id.as_slice())
                        .bind(&*job.key.target)
                        .bind(job.key.lane.as_str())
                        .bind(job.headers)
                        .bind(job.body)
                        .execute(&mut *connection)
                        .await?;
                        answers.push(match done.rows_affected() {
                            0 => Enqueued::NoSuchTarget,
                            _ => Enqueued::Accepted,
                        });
                    }
                    Ok((answers, wake))
                })
            })
            .await?;
        drop(wake);
        Ok(answers)
    }

    async fn subscribe(&self, session: &SessionId, lane: Lane, window: u16) -> Result<Box<dyn JobStream>, PortError> {
        self.stream(session.into(), lane, window, None).await
    }

    async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError> {
        self.count(session.into(), lane).await
    }
}

#[async_trait]
impl PoolQueue for SqliteQueue {
    async fn declare_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        self.make(pool.into()).await
    }

    async fn remove_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        self.drop_queue(pool.into(), Some(DeadLetter::target_gone())).await
    }

    async fn subscribe_pool(&self, pool: &PoolId, lane: Lane, share: Share) -> Result<Box<dyn JobStream>, PortError> {
        self.stream(pool.into(), lane, share.window, Some(share.priority)).await
    }

    async fn pool_depth(&self, pool: &PoolId, lane: Lane) -> Result<u64, PortError> {
        self.count(pool.into(), lane).await
    }
}
