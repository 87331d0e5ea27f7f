//! What becomes of a job that was handed out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{Target, Timestamp};
use kurir_core::port::{DeadLetter, JobHeaders, PortError, Settle, Settled};
use sqlx::sqlite::SqliteConnection;

use super::database::Database;
use super::dead_letters;
use super::error::Failure;
use super::lanes::{Claim, LaneKey, Wake};
use super::queue::{place, target_name, write_headers};

/// The clock's milliseconds are cut off, and so are those of the delay: a job must not come back earlier than asked.
const CUT_OFF: Duration = Duration::from_millis(2);

/// Settles one delivery.
pub(super) struct SqliteSettle {
    pub(super) db: Arc<Database>,
    pub(super) claim: Claim,
    /// When the queue took the job; kept over parking.
    pub(super) enqueued_at: Option<Timestamp>,
}

/// What to write.
enum Settlement {
    Ack,
    Park { due_at: i64, headers: String },
    Pass(Passing),
    Dead { letter: DeadLetter, at: i64, keep: i64 },
}

/// A job on its way to another queue.
struct Passing {
    db: Arc<Database>,
    from: LaneKey,
    to: LaneKey,
    due_at: i64,
    headers: String,
    at: i64,
}

impl Passing {
    async fn carry_out(self, connection: &mut SqliteConnection, seq: i64) -> Result<bool, Failure> {
        let lane = self.to.lane.as_str();
        let row: Option<(Vec<u8>, Vec<u8>, bool)> =
            sqlx::query_as("SELECT id, body, EXISTS (SELECT 1 FROM queue WHERE target = ?2) FROM job WHERE seq = ?1")
                .bind(seq)
                .bind(&*self.to.target)
                .fetch_optional(&mut *connection)
                .await?;
        let Some((id, body, known)) = row else { return Ok(false) };
        if !known {
            let letter = DeadLetter::target_gone();
            return Ok(dead_letters::bury(connection, seq, &letter, self.at, self.db.dead_letters_kept).await?);
        }
        // A sealed body is bound to its place.
        let (from, to) = (place(&id, &self.from.target, lane), place(&id, &self.to.target, lane));
        let body = self.db.sealer.open(&from, &body, || format!("a job of queue {}.{lane}", self.from.target))?;
        sqlx::query("UPDATE job SET target = ?2, due_at = ?3, headers = ?4, body = ?5 WHERE seq = ?1")
            .bind(seq)
            .bind(&*self.to.target)
            .bind(self.due_at)
            .bind(self.headers)
            .bind(self.db.sealer.seal(&to, &body))
            .execute(connection)
            .await?;
        Ok(true)
    }
}

impl Settlement {
    const fn action(&self) -> &'static str {
        match self {
            Self::Ack => "acknowledging a job",
            Self::Park { .. } => "parking a job",
            Self::Pass(_) => "passing a job on",
            Self::Dead { .. } => "moving a job to the dead letters",
        }
    }

    /// Writes it; tells whether the job was still there.
    async fn carry_out(self, connection: &mut SqliteConnection, seq: i64) -> Result<bool, Failure> {
        let done = match self {
            Self::Ack => sqlx::query("DELETE FROM job WHERE seq = ?1").bind(seq).execute(connection).await?,
            Self::Park { due_at, headers } => {
                sqlx::query("UPDATE job SET due_at = ?2, headers = ?3 WHERE seq = ?1")
                    .bind(seq)
                    .bind(due_at)
                    .bind(headers)
                    .execute(connection)
                    .await?
            }
            Self::Pass(passing) => return passing.carry_out(connection, seq).await,
            Self::Dead { letter, at, keep } => {
                return Ok(dead_letters::bury(connection, seq, &letter, at, keep).await?);
            }
        };
        Ok(done.rows_affected() > 0)
    }
}

impl SqliteSettle {
    async fn settle(self, settlement: Settlement) -> Result<Settled, PortError> {
        let mut claim = self.claim;
        // The claim goes along and ends with the commit, even if nobody waits for that any more.
        let (there, claim) = self
            .db
            .writer
            .write(settlement.action(), move |connection| {
                Box::pin(async move {
                    claim.settled();
                    let there = settlement.carry_out(connection, claim.seq).await?;
                    Ok((there, claim))
                })
            })
            .await?;
        drop(claim);
        Ok(if there { Settled::Yes } else { Settled::Stale })
    }
}

#[async_trait]
impl Settle for SqliteSettle {
    async fn ack(self: Box<Self>) -> Result<Settled, PortError> {
        self.settle(Settlement::Ack).await
    }

    async fn park(self: Box<Self>, delay: Duration, mut headers: JobHeaders) -> Result<Settled, PortError> {
        let due_at = self.db.clock.now().plus(delay.saturating_add(CUT_OFF)).as_millis();
        headers.enqueued_at = headers.enqueued_at.or(self.enqueued_at);
        let headers = write_headers(headers)?;
        self.settle(Settlement::Park { due_at, headers }).await
    }

    async fn pass(
        self: Box<Self>,
        to: &Target,
        delay: Duration,
        mut headers: JobHeaders,
    ) -> Result<Settled, PortError> {
        let now = self.db.clock.now();
        headers.enqueued_at = headers.enqueued_at.or(self.enqueued_at);
        let to = LaneKey { target: target_name(to), lane: self.claim.key.lane };
        let wake = Wake { lanes: self.db.lanes.clone(), keys: vec![to.clone()] };
        let passing = Passing {
            db: self.db.clone(),
            from: self.claim.key.clone(),
            to,
            due_at: now.plus(if delay.is_zero() { delay } else { delay.saturating_add(CUT_OFF) }).as_millis(),
            headers: write_headers(headers)?,
            at: now.as_millis(),
        };
        let settled = self.settle(Settlement::Pass(passing)).await;
        drop(wake);
        settled
    }

    async fn dead(self: Box<Self>, letter: DeadLetter) -> Result<Settled, PortError> {
        let (at, keep) = (self.db.clock.now().as_millis(), self.db.dead_letters_kept);
        self.settle(Settlement::Dead { letter, at, keep }).await
    }

    async fn release(mut self: Box<Self>) -> Result<Settled, PortError> {
        // It never left its place in the table.
        self.claim.settled();
        Ok(Settled::Yes)
    }
}
