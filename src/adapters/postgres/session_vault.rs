//! Sessions as a whole: copies, entries, another id. Transactions of several statements, for tools: each locks the rows of the
//! sessions concerned first, so a worker's guarded write waits for it, or it for the write.

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{
    Epoch, Fence, JobId, JobKey, PhoneNumber, PoolId, SessionId, SessionName, TenantId, Timestamp, Wanted,
};
use kurir_core::port::{
    Acquaintance, Planted, PortError, SessionCopy, SessionEntry, SessionVault, StateValue, Written,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::{corrupt, port_error, refused};
use super::rows::{self, EventColumns};
use super::sealing::Place;
use super::{PostgresStore, outbox, session_desk, sessions, spending};

/// Rows written by one statement: each has a limit of time.
const ROWS_AT_ONCE: usize = 1000;

const HELD: &str = "SELECT epoch, wanted FROM session WHERE id = $1 FOR UPDATE";

const INSERT: &str = "\
INSERT INTO session (id, tenant, wanted, epoch, state, status, created_at, pool, name, labels, limits)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11::text::jsonb)
ON CONFLICT (id) DO NOTHING";

const PACE: &str = "INSERT INTO session_pace (session, pace, turn, spent) VALUES ($1, $2, $3, $4)";

const STATE: &str = "\
INSERT INTO state (session, area, key, value, expires_at)
SELECT $1, p.area, p.key, p.value, p.expires_at
FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bigint[]) AS p(area, key, value, expires_at)";

const DEFAULT: &str = "\
INSERT INTO default_session (tenant, session) VALUES ($1, $2)
ON CONFLICT (tenant) DO UPDATE SET session = excluded.session";

const REMOVE: &str = "DELETE FROM session WHERE id = $1";

const RETIRE: &str = "\
INSERT INTO retired_session (id, epoch) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch";

/// What names a session by its id, with the new one in the place of the old; the ledger's entries are sealed, see
/// [`PostgresStore::jobs_follow`].
const FOLLOW: [&str; 3] = [
    "UPDATE media SET session = $2 WHERE session = $1",
    "UPDATE default_session SET session = $2 WHERE session = $1",
    "UPDATE api_key SET sessions = array_replace(sessions, $1, $2) WHERE $1 = ANY(sessions)",
];

const JOBS: &str = "\
SELECT tenant, job, version, entry FROM job WHERE session = $1
ORDER BY tenant, job LIMIT $2 FOR UPDATE";

// Versions grow, so that nobody writes an entry as it was read before.
const JOBS_FOLLOW: &str = "\
UPDATE job j SET session = $1, version = a.version, entry = a.entry
FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::bytea[]) AS a(tenant, job, version, entry)
WHERE j.tenant = a.tenant AND j.job = a.job";

/// What is read of the state in one go.
type StateRow = (String, Vec<u8>, Vec<u8>, Option<i64>);

/// Why a transaction was not committed: an error, or an answer that changes nothing.
enum Undone<T> {
    Failed(PortError),
    Answer(T),
}

impl<T> From<PortError> for Undone<T> {
    fn from(error: PortError) -> Self {
        Self::Failed(error)
    }
}

/// How the row of a fence stands, locked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Stopped,
    Wanted,
    Fenced,
    Gone,
}

async fn held(connection: &mut PgConnection, fence: &Fence, action: &'static str) -> Result<Held, PortError> {
    let row: Option<(i64, String)> = sqlx::query_as(HELD)
        .bind(fence.session.as_str())
        .fetch_optional(connection)
        .await
        .map_err(|e| port_error(action, e))?;
    let Some((epoch, wanted)) = row else { return Ok(Held::Gone) };
    let epoch = Epoch(rows::to_count(epoch, || format!("the epoch of session {}", fence.session))?);
    Ok(match (epoch == fence.epoch, wanted == Wanted::Stopped.as_str()) {
        (true, true) => Held::Stopped,
        (true, false) => Held::Wanted,
        (false, _) => Held::Fenced,
    })
}

/// Removes the record with what hangs on it; the id's next session goes on from its epoch.
async fn remove(connection: &mut PgConnection, fence: &Fence, action: &'static str) -> Result<(), PortError> {
    let failed = |e| port_error(action, e);
    sqlx::query(REMOVE).bind(fence.session.as_str()).execute(&mut *connection).await.map_err(failed)?;
    let retired = sqlx::query(RETIRE).bind(fence.session.as_str()).bind(rows::epoch(fence.epoch));
    retired.execute(connection).await.map_err(failed)?;
    Ok(())
}

impl PostgresStore {
    /// Writes all of an entry; false when there is a session of this id. Its claims go on from `epoch`.
    async fn insert_entry(
        &self,
        connection: &mut PgConnection,
        entry: &SessionEntry,
        epoch: Epoch,
        action: &'static str,
    ) -> Result<bool, PortError> {
        let failed = |e| port_error(action, e);
        let id = &entry.id;
        let done = sqlx::query(INSERT)
            .bind(id.as_str())
            .bind(entry.tenant.as_str())
            .bind(entry.wanted.as_str())
            .bind(rows::epoch(epoch))
            .bind(entry.status.state.as_str())
            .bind(self.vault.seal_json(&Place::Status(id), &entry.status)?)
            .bind(entry.created_at.as_millis())
            .bind(entry.pool.as_ref().map(PoolId::as_str))
            .bind(entry.name.as_ref().map(SessionName::as_str))
            .bind(session_desk::json(&entry.labels)?)
            .bind(session_desk::json(&entry.limits)?)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(PACE)
            .bind(id.as_str())
            .bind(entry.pace.next.0.cast_signed())
            .bind(entry.pace.turn.cast_signed())
            .bind(serde_json::to_string(&entry.pace).map_err(|e| refused("writing a sender's state as JSON", e))?)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        for values in entry.state.chunks(ROWS_AT_ONCE) {
            let sealed = values.iter().map(|value| {
                let place = Place::State { session: id, area: &value.area, key: &value.key };
                self.vault.seal(&place, &value.value)
            });
            sqlx::query(STATE)
                .bind(id.as_str())
                .bind(values.iter().map(|value| value.area.as_str()).collect::<Vec<_>>())
                .bind(values.iter().map(|value| value.key.as_bytes()).collect::<Vec<_>>())
                .bind(sealed.collect::<Vec<_>>())
                .bind(values.iter().map(|value| value.expires_at.map(Timestamp::as_millis)).collect::<Vec<_>>())
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
        spending::acquaint(&self.vault, connection, id, &entry.known).await.map_err(failed)?;
        if entry.default {
            let query = sqlx::query(DEFAULT).bind(entry.tenant.as_str()).bind(id.as_str());
            query.execute(&mut *connection).await.map_err(failed)?;
        }
        let events = EventColumns::of_one(&self.vault, &entry.events);
        outbox::add(connection, &events).await.map_err(failed)?;
        Ok(true)
    }

    /// Has the ledger's entries of a session name another one.
    async fn jobs_follow(
        &self,
        connection: &mut PgConnection,
        (old, new): (&SessionId, &SessionId),
        action: &'static str,
    ) -> Result<(), PortError> {
        let failed = |e| port_error(action, e);
        loop {
            let found: Vec<(String, Uuid, i64, Vec<u8>)> = sqlx::query_as(JOBS)
                .bind(old.as_str())
                .bind(i64::try_from(ROWS_AT_ONCE).unwrap_or(1))
                .fetch_all(&mut *connection)
                .await
                .map_err(failed)?;
            if found.is_empty() {
                return Ok(());
            }
            let mut sealed = Vec::with_capacity(found.len());
            for (tenant, job, version, entry) in &found {
                let tenant = TenantId::new(tenant).map_err(|e| corrupt(format!("the tenant of job {job}"), e))?;
                let key = JobKey { tenant, job: JobId::new(*job) };
                let mut entry = self.entry(&key, entry)?;
                entry.session = Some(new.clone());
                entry.version = rows::to_count(*version, || format!("the version of job {job}"))? + 1;
                sealed.push(self.vault.seal_json(&Place::Job(&key), &entry)?);
            }
            sqlx::query(JOBS_FOLLOW)
                .bind(new.as_str())
                .bind(found.iter().map(|row| row.0.as_str()).collect::<Vec<_>>())
                .bind(found.iter().map(|row| row.1).collect::<Vec<_>>())
                .bind(found.iter().map(|row| row.2 + 1).collect::<Vec<_>>())
                .bind(sealed)
                .execute(&mut *connection)
                .await
                .map_err(failed)?;
        }
    }

    async fn try_plant(&self, entry: &SessionEntry, replaces: Option<&Fence>) -> Result<Planted, Undone<Planted>> {
        const ACTION: &str = "entering a session";
        let failed = |e| Undone::Failed(port_error(ACTION, e));
        let mut all = self.pool.begin().await.map_err(failed)?;
        let mut epoch = Epoch(0);
        if let Some(fence) = replaces {
            if held(&mut all, fence, ACTION).await? != Held::Stopped {
                return Err(Undone::Answer(Planted::Fenced));
            }
            remove(&mut all, fence, ACTION).await?;
            epoch = fence.epoch;
        }
        if !self.insert_entry(&mut all, entry, epoch, ACTION).await? {
            return Err(Undone::Answer(Planted::Exists));
        }
        all.commit().await.map_err(failed)?;
        Ok(Planted::Done)
    }

    async fn try_change_id(&self, fence: &Fence, entry: &SessionEntry) -> Result<Planted, Undone<Planted>> {
        const ACTION: &str = "changing a session's id";
        let failed = |e| Undone::Failed(port_error(ACTION, e));
        let mut all = self.pool.begin().await.map_err(failed)?;
        if held(&mut all, fence, ACTION).await? != Held::Stopped {
            return Err(Undone::Answer(Planted::Fenced));
        }
        if !self.insert_entry(&mut all, entry, Epoch(0), ACTION).await? {
            return Err(Undone::Answer(Planted::Exists));
        }
        let (old, new) = (&fence.session, &entry.id);
        self.jobs_follow(&mut all, (old, new), ACTION).await?;
        for statement in FOLLOW {
            let query = sqlx::query(statement).bind(old.as_str()).bind(new.as_str());
            query.execute(&mut *all).await.map_err(failed)?;
        }
        remove(&mut all, fence, ACTION).await?;
        all.commit().await.map_err(failed)?;
        Ok(Planted::Done)
    }
}

/// An answer is one, whether something was changed or not. What was not committed is undone when its transaction is dropped.
fn answered<T>(done: Result<T, Undone<T>>) -> Result<T, PortError> {
    match done {
        Ok(answer) | Err(Undone::Answer(answer)) => Ok(answer),
        Err(Undone::Failed(error)) => Err(error),
    }
}

#[async_trait]
impl SessionVault for PostgresStore {
    async fn copy(&self, id: &SessionId) -> Result<Option<SessionCopy>, PortError> {
        const ACTION: &str = "copying a session";
        let failed = |e| port_error(ACTION, e);
        let mut moment = self.pool.begin().await.map_err(failed)?;
        // All that is read below is of one moment.
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *moment)
            .await
            .map_err(failed)?;
        let row = sqlx::query(sessions::GET).bind(id.as_str()).fetch_optional(&mut *moment).await.map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let default: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM default_session WHERE session = $1)")
            .bind(id.as_str())
            .fetch_one(&mut *moment)
            .await
            .map_err(failed)?;
        let rows: Vec<StateRow> =
            sqlx::query_as("SELECT area, key, value, expires_at FROM state WHERE session = $1 ORDER BY area, key")
                .bind(id.as_str())
                .fetch_all(&mut *moment)
                .await
                .map_err(failed)?;
        moment.commit().await.map_err(failed)?;
        let value = |(area, key, sealed, expires_at): StateRow| {
            let key = String::from_utf8(key)
                .map_err(|e| corrupt(format!("a key of area {area} of session {id}"), e.utf8_error()))?;
            let opened = self.vault.open(&Place::State { session: id, area: &area, key: &key }, &sealed)?;
            Ok(StateValue { value: Bytes::from(opened), expires_at: expires_at.map(Timestamp::from_millis), area, key })
        };
        let state = rows.into_iter().map(value).collect::<Result<_, PortError>>()?;
        Ok(Some(SessionCopy { record: sessions::record(&self.vault, &row)?, default, state }))
    }

    async fn acquainted(&self, id: &SessionId, numbers: &[PhoneNumber]) -> Result<Vec<Acquaintance>, PortError> {
        let met = self.who_was_met(&self.pool, id, numbers).await?;
        let bulk = self.who_got_bulk(&self.pool, id, numbers).await?;
        Ok(met.into_iter().zip(bulk).map(|(met, bulk)| Acquaintance { met, bulk }).collect())
    }

    async fn plant(&self, entry: &SessionEntry, replaces: Option<&Fence>) -> Result<Planted, PortError> {
        answered(self.try_plant(entry, replaces).await)
    }

    async fn take_out(&self, fence: &Fence) -> Result<Written, PortError> {
        const ACTION: &str = "taking a session out";
        let failed = |e| port_error(ACTION, e);
        let mut all = self.pool.begin().await.map_err(failed)?;
        match held(&mut all, fence, ACTION).await? {
            Held::Gone | Held::Wanted => return Ok(Written::Conflict),
            Held::Fenced => return Ok(Written::Fenced),
            Held::Stopped => {}
        }
        remove(&mut all, fence, ACTION).await?;
        all.commit().await.map_err(failed)?;
        Ok(Written::Done)
    }

    async fn change_id(&self, fence: &Fence, entry: &SessionEntry) -> Result<Planted, PortError> {
        answered(self.try_change_id(fence, entry).await)
    }
}
