//! The descriptions of sessions and pools.

use std::collections::BTreeMap;

use async_trait::async_trait;
use kurir_core::domain::{
    LabelChange, Labels, OwnLimits, PoolId, SessionId, SessionName, SessionNote, SessionRecord, SessionState, TenantId,
};
use kurir_core::port::{Described, Description, PoolRecord, PoolRemoved, PortError, SessionDesk, SessionFilter};
use serde::Serialize;

use super::error::{corrupt, port_error, refused};
use super::sealing::Place;
use super::sessions::record;
use super::{PostgresStore, rows};

const FIND: &str = "\
SELECT s.id, s.tenant, s.wanted, s.epoch, s.owner, s.status, s.created_at, s.pool, s.name, s.labels::text AS labels,
       s.restarts, s.limits::text AS limits, p.pace, p.spent
FROM session s LEFT JOIN session_pace p ON p.session = s.id
WHERE ($1::text IS NULL OR s.tenant = $1) AND s.id > $2
  AND ($4::text IS NULL OR s.state = $4)
  AND ($5::text IS NULL OR s.pool = $5)
  AND ($6::text IS NULL OR s.name = $6)
  AND s.labels @> $7::text::jsonb
ORDER BY s.id LIMIT $3";

// What is null in the change is removed: no label itself is null.
const DESCRIBE: &str = "\
WITH old AS MATERIALIZED (
    SELECT id, jsonb_strip_nulls(labels || $2::text::jsonb) AS labels FROM session WHERE id = $1 FOR UPDATE
), changed AS (
    UPDATE session s SET labels = old.labels, name = CASE WHEN $3 THEN $4 ELSE s.name END
    FROM old
    WHERE s.id = old.id AND (SELECT count(*) FROM jsonb_object_keys(old.labels)) <= $5
    RETURNING s.id
)
SELECT (SELECT count(*) FROM changed) > 0 FROM old";

const NOTE: &str = "\
INSERT INTO session_note (session, note) SELECT id, $2 FROM session WHERE id = $1
ON CONFLICT (session) DO UPDATE SET note = excluded.note";

const NOTES: &str = "SELECT session, note FROM session_note WHERE session = ANY($1)";

const LIMIT: &str = "UPDATE session SET limits = $2::text::jsonb WHERE id = $1";

const RESTART: &str =
    "UPDATE session SET wanted = 'running', restarts = restarts + 1 WHERE id = $1 AND wanted <> 'deleted'";

const DEFAULT_OF: &str = "SELECT session FROM default_session WHERE tenant = $1";

const MAKE_DEFAULT: &str = "\
INSERT INTO default_session (tenant, session)
SELECT tenant, id FROM session WHERE id = $2 AND tenant = $1
ON CONFLICT (tenant) DO UPDATE SET session = excluded.session";

const NO_DEFAULT: &str = "DELETE FROM default_session WHERE tenant = $1";

const POOLS: &str = "\
SELECT p.id, (SELECT count(*) FROM session s WHERE s.pool = p.id)
FROM pool p WHERE p.tenant = $1 AND p.id > $2
ORDER BY p.id LIMIT $3";

const POOL: &str = "\
SELECT (SELECT count(*) FROM session s WHERE s.pool = p.id) FROM pool p WHERE p.id = $1 AND p.tenant = $2";

// A session that joins meanwhile holds the pool's row by its foreign key, and this waits for it, then is refused by it.
const REMOVE_POOL: &str = "\
DELETE FROM pool p WHERE p.id = $1 AND p.tenant = $2 AND NOT EXISTS (SELECT 1 FROM session s WHERE s.pool = p.id)";

/// Labels, a change of them, or limits as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, PortError> {
    serde_json::to_string(value).map_err(|error| refused("writing what is said of a session", error))
}

/// Whether a statement was refused because something refers to what it removes.
fn is_referred_to(error: &PortError) -> bool {
    let PortError::Refused { source, .. } = error else { return false };
    let error = source.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    error.is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

#[async_trait]
impl SessionDesk for PostgresStore {
    async fn find(
        &self,
        filter: &SessionFilter,
        after: Option<&SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, PortError> {
        let rows = sqlx::query(FIND)
            .bind(filter.tenant.as_ref().map(TenantId::as_str))
            // Every id is greater than the empty text.
            .bind(after.map_or("", SessionId::as_str))
            .bind(i64::from(limit))
            .bind(filter.state.map(SessionState::as_str))
            .bind(filter.pool.as_ref().map(PoolId::as_str))
            .bind(filter.name.as_ref().map(SessionName::as_str))
            .bind(json(&filter.labels)?)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing sessions", e))?;
        rows.iter().map(|row| record(&self.vault, row)).collect()
    }

    async fn describe(&self, id: &SessionId, change: &Description) -> Result<Described, PortError> {
        let labels = &json::<LabelChange>(&change.labels)?;
        let name = change.name.as_ref().and_then(Option::as_ref).map(SessionName::as_str);
        let most = i64::try_from(Labels::MOST).unwrap_or(i64::MAX);
        let changed: Option<bool> = self
            .retrying("describing a session", |_| async move {
                sqlx::query_scalar(DESCRIBE)
                    .bind(id.as_str())
                    .bind(labels)
                    .bind(change.name.is_some())
                    .bind(name)
                    .bind(most)
                    .fetch_optional(&self.pool)
                    .await
            })
            .await?;
        Ok(match changed {
            Some(true) => Described::Done,
            Some(false) => Described::TooManyLabels,
            None => Described::Gone,
        })
    }

    async fn note(&self, id: &SessionId, note: &SessionNote) -> Result<bool, PortError> {
        let sealed = &self.vault.seal_json(&Place::Note(id), note)?;
        self.retrying("noting something of a session", |_| async move {
            let done = sqlx::query(NOTE).bind(id.as_str()).bind(sealed).execute(&self.pool).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn notes(&self, ids: &[SessionId]) -> Result<BTreeMap<SessionId, SessionNote>, PortError> {
        let asked: Vec<&str> = ids.iter().map(SessionId::as_str).collect();
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(NOTES)
            .bind(asked)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading the notes of sessions", e))?;
        let note = |(id, sealed): (String, Vec<u8>)| {
            let id = SessionId::new(&id).map_err(|e| corrupt(format!("the note of session {id:?}"), e))?;
            let note = self.vault.open_json(&Place::Note(&id), &sealed)?;
            Ok((id, note))
        };
        rows.into_iter().map(note).collect()
    }

    async fn limit(&self, id: &SessionId, limits: &OwnLimits) -> Result<bool, PortError> {
        let limits = &json(limits)?;
        self.retrying("limiting a session", |_| async move {
            let done = sqlx::query(LIMIT).bind(id.as_str()).bind(limits).execute(&self.pool).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn restart(&self, id: &SessionId) -> Result<bool, PortError> {
        self.retrying("asking for a new connection", |_| async move {
            let done = sqlx::query(RESTART).bind(id.as_str()).execute(&self.pool).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn default_of(&self, tenant: &TenantId) -> Result<Option<SessionId>, PortError> {
        let session: Option<String> = sqlx::query_scalar(DEFAULT_OF)
            .bind(tenant.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("looking for a default session", e))?;
        session.map(SessionId::new).transpose().map_err(|e| corrupt(format!("the default session of {tenant}"), e))
    }

    async fn make_default(&self, tenant: &TenantId, session: Option<&SessionId>) -> Result<bool, PortError> {
        self.retrying("naming a default session", |_| async move {
            let Some(session) = session else {
                sqlx::query(NO_DEFAULT).bind(tenant.as_str()).execute(&self.pool).await?;
                return Ok(true);
            };
            let done =
                sqlx::query(MAKE_DEFAULT).bind(tenant.as_str()).bind(session.as_str()).execute(&self.pool).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn pools(&self, tenant: &TenantId, after: Option<&PoolId>, limit: u32) -> Result<Vec<PoolRecord>, PortError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(POOLS)
            .bind(tenant.as_str())
            .bind(after.map_or("", PoolId::as_str))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing pools", e))?;
        let pool = |(id, sessions): (String, i64)| {
            let id = PoolId::new(&id).map_err(|e| corrupt(format!("pool {id:?}"), e))?;
            let sessions = rows::to_count(sessions, || format!("the sessions of pool {id}"))?;
            Ok(PoolRecord { id, sessions })
        };
        rows.into_iter().map(pool).collect()
    }

    async fn pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<Option<PoolRecord>, PortError> {
        let sessions: Option<i64> = sqlx::query_scalar(POOL)
            .bind(pool.as_str())
            .bind(tenant.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading a pool", e))?;
        let Some(sessions) = sessions else { return Ok(None) };
        let sessions = rows::to_count(sessions, || format!("the sessions of pool {pool}"))?;
        Ok(Some(PoolRecord { id: pool.clone(), sessions }))
    }

    async fn remove_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<PoolRemoved, PortError> {
        let removed = self
            .retrying("removing a pool", |_| async move {
                let done =
                    sqlx::query(REMOVE_POOL).bind(pool.as_str()).bind(tenant.as_str()).execute(&self.pool).await?;
                Ok(done.rows_affected() > 0)
            })
            .await;
        match removed {
            Ok(true) => return Ok(PoolRemoved::Done),
            Ok(false) => {}
            Err(error) if is_referred_to(&error) => return Ok(PoolRemoved::InUse),
            Err(error) => return Err(error),
        }
        let there = SessionDesk::pool(self, pool, tenant).await?;
        Ok(if there.is_some() { PoolRemoved::InUse } else { PoolRemoved::Gone })
    }
}
