//! Requests that may be repeated, with their answers.

use async_trait::async_trait;
use kurir_core::domain::{RecordedAnswer, RequestKey, RequestSeed, Timestamp};
use kurir_core::port::{Begun, NewRun, PortError, RequestLog, RunEnd};
use uuid::Uuid;

use super::PostgresStore;
use super::error::{corrupt, port_error};
use super::sealing::Place;

// Enters the run if the request is unknown, forgotten, or the same one whose run has died. The row's lock lets one of many
// through; those who waited for it see what that one wrote.
const BEGIN: &str = "\
INSERT INTO request AS r (tenant, name, request, runner, seed, lease, keep) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant, name) DO UPDATE SET request = excluded.request, runner = excluded.runner, lease = excluded.lease,
    seed = CASE WHEN r.keep < $8 THEN excluded.seed ELSE r.seed END, keep = excluded.keep, answer = NULL
WHERE r.keep < $8 OR (r.answer IS NULL AND r.lease <= $8 AND r.request = excluded.request)
RETURNING seed";

const KNOWN: &str = "SELECT request, lease, answer FROM request WHERE tenant = $1 AND name = $2";

const ANSWER: &str = "\
UPDATE request SET answer = $4 WHERE tenant = $1 AND name = $2 AND runner = $3 AND answer IS NULL";

const LEAVE: &str = "\
UPDATE request SET lease = 0 WHERE tenant = $1 AND name = $2 AND runner = $3 AND answer IS NULL";

const DROP: &str = "DELETE FROM request WHERE tenant = $1 AND name = $2 AND runner = $3 AND answer IS NULL";

const FORGET: &str = "\
WITH old AS MATERIALIZED (
    SELECT tenant, name FROM request WHERE keep < $1 ORDER BY keep LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM request r USING old WHERE r.tenant = old.tenant AND r.name = old.name";

/// How often a request that is forgotten between the two looks at it is entered anew.
const TRIES: usize = 5;

/// What stands there, if the run was not entered.
type Known = (Vec<u8>, i64, Option<Vec<u8>>);

impl PostgresStore {
    /// The mark of what a request asks for. Its hash alone would betray a short body, one with a code, to whoever tries all.
    fn mark_of(&self, run: &NewRun) -> [u8; 16] {
        self.vault.fingerprint(&format!("request/{}", run.key.tenant), run.request)
    }

    async fn entered(&self, run: &NewRun, mark: [u8; 16]) -> Result<Option<Uuid>, PortError> {
        self.retrying("entering a request", |_| async move {
            sqlx::query_scalar(BEGIN)
                .bind(run.key.tenant.as_str())
                .bind(run.key.name.as_slice())
                .bind(mark.as_slice())
                .bind(Uuid::from_u128(run.runner))
                .bind(Uuid::from_bytes(run.seed.0))
                .bind(run.lease.as_millis())
                .bind(run.keep.as_millis())
                .bind(run.at.as_millis())
                .fetch_optional(&self.pool)
                .await
        })
        .await
    }

    fn answer(&self, key: &RequestKey, sealed: &[u8]) -> Result<RecordedAnswer, PortError> {
        let place = Place::Answer(key);
        let bytes = self.vault.open(&place, sealed)?;
        RecordedAnswer::from_bytes(&bytes).ok_or_else(|| corrupt(place.to_string(), "it is none"))
    }
}

#[async_trait]
impl RequestLog for PostgresStore {
    async fn begin(&self, run: &NewRun) -> Result<Begun, PortError> {
        const ACTION: &str = "looking at a request";
        let mark = self.mark_of(run);
        for _ in 0..TRIES {
            if let Some(seed) = self.entered(run, mark).await? {
                return Ok(Begun::Run(RequestSeed(*seed.as_bytes())));
            }
            let known: Option<Known> = sqlx::query_as(KNOWN)
                .bind(run.key.tenant.as_str())
                .bind(run.key.name.as_slice())
                .fetch_optional(&self.pool)
                .await
                .map_err(|e| port_error(ACTION, e))?;
            match known {
                Some((request, ..)) if request != mark => return Ok(Begun::Reused),
                Some((_, _, Some(sealed))) => return Ok(Begun::Answered(self.answer(&run.key, &sealed)?)),
                Some((_, lease, None)) if lease > run.at.as_millis() => {
                    return Ok(Begun::Running(Timestamp::from_millis(lease)));
                }
                // It was left in this moment, or nobody runs it.
                Some(_) | None => {}
            }
        }
        // Others begin and leave it all the time.
        Ok(Begun::Running(run.at))
    }

    async fn end(&self, key: &RequestKey, runner: u128, end: &RunEnd) -> Result<bool, PortError> {
        let (statement, answer) = match end {
            RunEnd::Answered(answer) => (ANSWER, Some(self.vault.seal(&Place::Answer(key), &answer.to_bytes()))),
            RunEnd::Unknown => (LEAVE, None),
            RunEnd::Nothing => (DROP, None),
        };
        let answer = &answer;
        self.retrying("ending a request", |_| async move {
            let query = sqlx::query(statement)
                .bind(key.tenant.as_str())
                .bind(key.name.as_slice())
                .bind(Uuid::from_u128(runner));
            let query = match answer {
                Some(sealed) => query.bind(sealed),
                None => query,
            };
            Ok(query.execute(&self.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn forget_requests(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.retrying("forgetting old requests", |_| async move {
            let done = sqlx::query(FORGET).bind(before.as_millis()).bind(i64::from(limit)).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
