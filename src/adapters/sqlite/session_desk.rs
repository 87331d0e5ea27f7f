//! The descriptions of sessions and pools.

use std::collections::BTreeMap;

use async_trait::async_trait;
use kurir_core::domain::{
    Labels, OwnLimits, PoolId, SessionId, SessionName, SessionNote, SessionRecord, SessionState, TenantId, Wanted,
};
use kurir_core::port::{Described, Description, PoolRecord, PoolRemoved, PortError, SessionDesk, SessionFilter};
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::database::SqliteStore;
use super::error::{corrupt, sql};
use super::sessions::Row;

/// Every wanted label must be among those of the row, with the same value.
const FIND: &str = "\
    SELECT * FROM session \
    WHERE (?1 IS NULL OR tenant = ?1) AND id > ?2 \
      AND (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR pool = ?5) AND (?6 IS NULL OR name = ?6) \
      AND NOT EXISTS (SELECT 1 FROM json_each(?7) AS wanted WHERE NOT EXISTS \
        (SELECT 1 FROM json_each(session.labels) AS own WHERE own.key = wanted.key AND own.value = wanted.value)) \
    ORDER BY id LIMIT ?3";

/// How many sessions belong to a pool of a tenant's.
const SESSIONS_OF: &str = "\
    SELECT (SELECT count(*) FROM session WHERE session.pool = pool.id) FROM pool WHERE id = ?1 AND tenant = ?2";

/// Labels, a change of them, or limits as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, PortError> {
    serde_json::to_string(value).map_err(|error| corrupt("what is said of a session", error))
}

/// Where the note of a session is sealed for.
fn place(id: &SessionId) -> String {
    format!("session/{id}/note")
}

/// Enters a tenant's default session; in the transaction of whoever knows that it is the tenant's.
pub(super) async fn set_default(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    session: &SessionId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO default_session (tenant, session) VALUES (?1, ?2) \
         ON CONFLICT (tenant) DO UPDATE SET session = excluded.session",
    )
    .bind(tenant.as_str())
    .bind(session.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

#[async_trait]
impl SessionDesk for SqliteStore {
    async fn find(
        &self,
        filter: &SessionFilter,
        after: Option<&SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(FIND)
            .bind(filter.tenant.as_ref().map(TenantId::as_str))
            // Every id is greater than the empty text.
            .bind(after.map_or("", SessionId::as_str))
            .bind(limit)
            .bind(filter.state.map(SessionState::as_str))
            .bind(filter.pool.as_ref().map(PoolId::as_str))
            .bind(filter.name.as_ref().map(SessionName::as_str))
            .bind(json(&filter.labels)?)
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("listing sessions", error))?;
        rows.into_iter().map(|row| self.db.session(row)).collect()
    }

    async fn describe(&self, id: &SessionId, change: &Description) -> Result<Described, PortError> {
        let (id, change) = (id.clone(), change.clone());
        self.db
            .writer
            .write("describing a session", move |connection| {
                Box::pin(async move {
                    let labels: Option<String> = sqlx::query_scalar("SELECT labels FROM session WHERE id = ?1")
                        .bind(id.as_str())
                        .fetch_optional(&mut *connection)
                        .await?;
                    let Some(labels) = labels else { return Ok(Described::Gone) };
                    let labels: Labels =
                        serde_json::from_str(&labels).map_err(|error| sqlx::Error::Decode(error.into()))?;
                    let Ok(labels) = labels.changed(&change.labels) else { return Ok(Described::TooManyLabels) };
                    let labels = serde_json::to_string(&labels).map_err(|error| sqlx::Error::Encode(error.into()))?;
                    sqlx::query(
                        "UPDATE session SET labels = ?2, name = CASE WHEN ?3 THEN ?4 ELSE name END WHERE id = ?1",
                    )
                    .bind(id.as_str())
                    .bind(labels)
                    .bind(change.name.is_some())
                    .bind(change.name.flatten().as_ref().map(SessionName::as_str))
                    .execute(connection)
                    .await?;
                    Ok(Described::Done)
                })
            })
            .await
    }

    async fn note(&self, id: &SessionId, note: &SessionNote) -> Result<bool, PortError> {
        let plain = serde_json::to_vec(note).map_err(|error| corrupt("a note to write", error))?;
        let (id, sealed) = (id.clone(), self.db.sealer.seal(&place(id), &plain));
        self.db
            .writer
            .write("noting something of a session", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO session_note (session, note) SELECT id, ?2 FROM session WHERE id = ?1 \
                         ON CONFLICT (session) DO UPDATE SET note = excluded.note",
                    )
                    .bind(id.as_str())
                    .bind(sealed)
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn notes(&self, ids: &[SessionId]) -> Result<BTreeMap<SessionId, SessionNote>, PortError> {
        let asked = serde_json::to_string(&ids.iter().map(SessionId::as_str).collect::<Vec<_>>())
            .map_err(|error| corrupt("ids to look for", error))?;
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT session, note FROM session_note WHERE session IN (SELECT value FROM json_each(?1))")
                .bind(asked)
                .fetch_all(&self.db.readers)
                .await
                .map_err(|error| sql("reading the notes of sessions", error))?;
        let note = |(id, sealed): (String, Vec<u8>)| {
            let what = format!("the note of session {id:?}");
            let id = SessionId::new(id).map_err(|error| corrupt(&*what, error))?;
            let plain = self.db.sealer.open(&place(&id), &sealed, || what.clone())?;
            // The error of a decoder may repeat what it read.
            let note = serde_json::from_slice(&plain).map_err(|_| corrupt(what, "it is none"))?;
            Ok((id, note))
        };
        rows.into_iter().map(note).collect()
    }

    async fn limit(&self, id: &SessionId, limits: &OwnLimits) -> Result<bool, PortError> {
        let (id, limits) = (id.clone(), json(limits)?);
        self.db
            .writer
            .write("limiting a session", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query("UPDATE session SET limits = ?2 WHERE id = ?1")
                        .bind(id.as_str())
                        .bind(limits)
                        .execute(connection)
                        .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn restart(&self, id: &SessionId) -> Result<bool, PortError> {
        let id = id.clone();
        self.db
            .writer
            .write("asking for a new connection", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE session SET wanted = ?2, restarts = restarts + 1 WHERE id = ?1 AND wanted <> ?3",
                    )
                    .bind(id.as_str())
                    .bind(Wanted::Running.as_str())
                    .bind(Wanted::Deleted.as_str())
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn default_of(&self, tenant: &TenantId) -> Result<Option<SessionId>, PortError> {
        let session: Option<String> = sqlx::query_scalar("SELECT session FROM default_session WHERE tenant = ?1")
            .bind(tenant.as_str())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("looking for a default session", error))?;
        session.map(SessionId::new).transpose().map_err(|error| corrupt("a default session", error))
    }

    async fn make_default(&self, tenant: &TenantId, session: Option<&SessionId>) -> Result<bool, PortError> {
        let (tenant, session) = (tenant.clone(), session.cloned());
        self.db
            .writer
            .write("naming a default session", move |connection| {
                Box::pin(async move {
                    let Some(session) = session else {
                        sqlx::query("DELETE FROM default_session WHERE tenant = ?1")
                            .bind(tenant.as_str())
                            .execute(connection)
                            .await?;
                        return Ok(true);
                    };
                    let own: bool =
                        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM session WHERE id = ?1 AND tenant = ?2)")
                            .bind(session.as_str())
                            .bind(tenant.as_str())
                            .fetch_one(&mut *connection)
                            .await?;
                    if own {
                        set_default(connection, &tenant, &session).await?;
                    }
                    Ok(own)
                })
            })
            .await
    }

    async fn pools(&self, tenant: &TenantId, after: Option<&PoolId>, limit: u32) -> Result<Vec<PoolRecord>, PortError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT id, (SELECT count(*) FROM session WHERE session.pool = pool.id) FROM pool \
             WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(after.map_or("", PoolId::as_str))
        .bind(limit)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("listing pools", error))?;
        let pool = |(id, sessions): (String, i64)| {
            let id = PoolId::new(id).map_err(|error| corrupt("a pool", error))?;
            Ok(PoolRecord { id, sessions: sessions.cast_unsigned() })
        };
        rows.into_iter().map(pool).collect()
    }

    async fn pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<Option<PoolRecord>, PortError> {
        let sessions: Option<i64> = sqlx::query_scalar(SESSIONS_OF)
            .bind(pool.as_str())
            .bind(tenant.as_str())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading a pool", error))?;
        Ok(sessions.map(|sessions| PoolRecord { id: pool.clone(), sessions: sessions.cast_unsigned() }))
    }

    async fn remove_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<PoolRemoved, PortError> {
        let (pool, tenant) = (pool.clone(), tenant.clone());
        self.db
            .writer
            .write("removing a pool", move |connection| {
                Box::pin(async move {
                    let sessions: Option<i64> = sqlx::query_scalar(SESSIONS_OF)
                        .bind(pool.as_str())
                        .bind(tenant.as_str())
                        .fetch_optional(&mut *connection)
                        .await?;
                    match sessions {
                        None => return Ok(PoolRemoved::Gone),
                        Some(1..) => return Ok(PoolRemoved::InUse),
                        Some(_) => {}
                    }
                    sqlx::query("DELETE FROM pool WHERE id = ?1").bind(pool.as_str()).execute(connection).await?;
                    Ok(PoolRemoved::Done)
                })
            })
            .await
    }
}
