//! The register of sessions.

use async_trait::async_trait;
use kurir_core::domain::{
    Epoch, Fence, OutboxEvent, PoolId, SessionId, SessionName, SessionRecord, SessionStatus, TenantId, Timestamp,
    Wanted, WorkerName,
};
use kurir_core::port::{Created, NewSession, PortError, SessionStore, Written};
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{corrupt, sql};
use super::row::row;
use super::{outbox, session_desk, spending};

row! {
    /// A row of `session`.
    pub(super) struct Row {
        id: String,
        tenant: String,
        wanted: String,
        epoch: i64,
        owner: Option<String>,
        pace: i64,
        spent: Option<String>,
        status: Vec<u8>,
        created_at: i64,
        pool: Option<String>,
        name: Option<String>,
        labels: String,
        restarts: i64,
        limits: String,
    }
}

fn place(id: &str) -> String {
    format!("session/{id}/status")
}

impl Database {
    pub(super) fn sealed_status(&self, id: &SessionId, status: &SessionStatus) -> Result<Vec<u8>, PortError> {
        let json = serde_json::to_vec(status).map_err(|error| corrupt("a status to write", error))?;
        Ok(self.sealer.seal(&place(id.as_str()), &json))
    }

    pub(super) fn session(&self, row: Row) -> Result<SessionRecord, PortError> {
        let what = || format!("session {:?}", row.id);
        let status =
            self.sealer.open(&place(&row.id), &row.status, || format!("the status of session {:?}", row.id))?;
        // The error of a decoder may repeat what it read.
        let status = serde_json::from_slice(&status).map_err(|_| corrupt(what(), "its status is none"))?;
        let name = |error| corrupt(what(), error);
        Ok(SessionRecord {
            id: SessionId::new(&row.id).map_err(name)?,
            tenant: TenantId::new(&row.tenant).map_err(name)?,
            pool: row.pool.map(PoolId::new).transpose().map_err(name)?,
            name: row.name.map(SessionName::new).transpose().map_err(|_| corrupt(what(), "its name is none"))?,
            labels: serde_json::from_str(&row.labels).map_err(|_| corrupt(what(), "its labels are none"))?,
            restarts: row.restarts.cast_unsigned(),
            wanted: Wanted::parse(&row.wanted).ok_or_else(|| corrupt(what(), "its wish is none"))?,
            epoch: Epoch(row.epoch.cast_unsigned()),
            owner: row.owner.map(WorkerName::new).transpose().map_err(name)?,
            limits: serde_json::from_str(&row.limits).map_err(|_| corrupt(what(), "its limits are none"))?,
            pace: spending::read(&row.id, row.pace, row.spent.as_deref())?,
            status,
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

/// Whether a fence still holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    Holds,
    Fenced,
    /// There is no such session.
    Gone,
}

/// Looks at a fence; to be asked in the transaction of the write that it guards.
pub(super) async fn guard(connection: &mut SqliteConnection, fence: &Fence) -> Result<Guard, sqlx::Error> {
    let epoch: Option<i64> = sqlx::query_scalar("SELECT epoch FROM session WHERE id = ?1")
        .bind(fence.session.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(match epoch {
        None => Guard::Gone,
        Some(epoch) if epoch.cast_unsigned() == fence.epoch.0 => Guard::Holds,
        Some(_) => Guard::Fenced,
    })
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create(&self, session: NewSession) -> Result<Created, PortError> {
        let id = session.id.clone();
        let status = SessionStatus::created(session.at);
        let sealed = self.db.sealed_status(&session.id, &status)?;
        let events = outbox::sealed(&self.db, &session.events);
        let at = session.at.as_millis();
        let labels = session_desk::json(&session.labels)?;
        let row: Result<(), Row> = self
            .db
            .writer
            .write("creating a session", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO session \
                         (id, tenant, wanted, epoch, owner, pace, state, status, created_at, pool, name, labels) \
                         VALUES (?1, ?2, ?3, 0, NULL, 0, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
                    )
                    .bind(session.id.as_str())
                    .bind(session.tenant.as_str())
                    .bind(session.wanted.as_str())
                    .bind(status.state.as_str())
                    .bind(sealed)
                    .bind(at)
                    .bind(session.pool.as_ref().map(PoolId::as_str))
                    .bind(session.name.as_ref().map(SessionName::as_str))
                    .bind(labels)
                    .execute(&mut *connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        let row = sqlx::query_as("SELECT * FROM session WHERE id = ?1")
                            .bind(session.id.as_str())
                            .fetch_one(&mut *connection)
                            .await?;
                        return Ok(Err(row));
                    }
                    if session.default {
                        session_desk::set_default(connection, &session.tenant, &session.id).await?;
                    }
                    outbox::insert(connection, events).await?;
                    Ok(Ok(()))
                })
            })
            .await?;
        match row {
            Ok(()) => {
                let stored = self.get(&id).await?;
                stored.map(Created::New).ok_or_else(|| corrupt(format!("session {id}"), "it went away while created"))
            }
            Err(row) => self.db.session(row).map(Created::Exists),
        }
    }

    async fn get(&self, id: &SessionId) -> Result<Option<SessionRecord>, PortError> {
        let row: Option<Row> = sqlx::query_as("SELECT * FROM session WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading a session", error))?;
        row.map(|row| self.db.session(row)).transpose()
    }

    async fn claim(&self, id: &SessionId, owner: &WorkerName) -> Result<Option<SessionRecord>, PortError> {
        let (id, owner) = (id.clone(), owner.clone());
        let row: Option<Row> = self
            .db
            .writer
            .write("claiming a session", move |connection| {
                Box::pin(async move {
                    let row = sqlx::query_as(
                        "UPDATE session SET owner = ?2, epoch = 1 + max(epoch, coalesce( \
                         (SELECT retired.epoch FROM retired_session AS retired WHERE retired.id = ?1), 0)) \
                         WHERE id = ?1 RETURNING *",
                    )
                    .bind(id.as_str())
                    .bind(owner.as_str())
                    .fetch_optional(connection)
                    .await?;
                    Ok(row)
                })
            })
            .await?;
        row.map(|row| self.db.session(row)).transpose()
    }

    async fn update(
        &self,
        fence: &Fence,
        status: &SessionStatus,
        events: &[OutboxEvent],
    ) -> Result<Written, PortError> {
        let sealed = self.db.sealed_status(&fence.session, status)?;
        let events = outbox::sealed(&self.db, events);
        let (fence, state) = (fence.clone(), status.state);
        self.db
            .writer
            .write("writing a session's status", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query("UPDATE session SET state = ?3, status = ?4 WHERE id = ?1 AND epoch = ?2")
                        .bind(fence.session.as_str())
                        .bind(fence.epoch.0.cast_signed())
                        .bind(state.as_str())
                        .bind(sealed)
                        .execute(&mut *connection)
                        .await?;
                    if done.rows_affected() == 0 {
                        return Ok(Written::Fenced);
                    }
                    outbox::insert(connection, events).await?;
                    Ok(Written::Done)
                })
            })
            .await
    }

    async fn want(&self, id: &SessionId, wanted: Wanted) -> Result<bool, PortError> {
        let id = id.clone();
        self.db
            .writer
            .write("writing what is wanted of a session", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query("UPDATE session SET wanted = ?2 WHERE id = ?1")
                        .bind(id.as_str())
                        .bind(wanted.as_str())
                        .execute(connection)
                        .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn own_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<bool, PortError> {
        let (id, owner) = (pool.clone(), tenant.clone());
        self.db
            .writer
            .write("entering a pool", move |connection| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO pool (id, tenant) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING")
                        .bind(id.as_str())
                        .bind(owner.as_str())
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await?;
        Ok(self.pool_of(pool).await?.as_ref() == Some(tenant))
    }

    async fn pool_of(&self, pool: &PoolId) -> Result<Option<TenantId>, PortError> {
        let tenant: Option<String> = sqlx::query_scalar("SELECT tenant FROM pool WHERE id = ?1")
            .bind(pool.as_str())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("looking whose a pool is", error))?;
        tenant.map(TenantId::new).transpose().map_err(|error| corrupt(format!("the tenant of pool {pool}"), error))
    }

    async fn join(&self, id: &SessionId, pool: Option<&PoolId>) -> Result<bool, PortError> {
        let (id, pool) = (id.clone(), pool.cloned());
        self.db
            .writer
            .write("putting a session into a pool", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query("UPDATE session SET pool = ?2 WHERE id = ?1")
                        .bind(id.as_str())
                        .bind(pool.as_ref().map(PoolId::as_str))
                        .execute(connection)
                        .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn rest(&self, fence: &Fence, done: Wanted) -> Result<Written, PortError> {
        let fence = fence.clone();
        self.db
            .writer
            .write("letting a session rest", move |connection| {
                Box::pin(async move {
                    if guard(connection, &fence).await? != Guard::Holds {
                        return Ok(Written::Fenced);
                    }
                    let done = sqlx::query("UPDATE session SET wanted = ?2 WHERE id = ?1 AND wanted = ?3")
                        .bind(fence.session.as_str())
                        .bind(Wanted::Stopped.as_str())
                        .bind(done.as_str())
                        .execute(connection)
                        .await?;
                    Ok(if done.rows_affected() > 0 { Written::Done } else { Written::Conflict })
                })
            })
            .await
    }

    async fn let_go(&self, fence: &Fence) -> Result<(), PortError> {
        let fence = fence.clone();
        self.db
            .writer
            .write("letting go of a session", move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE session SET owner = NULL WHERE id = ?1 AND epoch = ?2 AND wanted <> ?3")
                        .bind(fence.session.as_str())
                        .bind(fence.epoch.0.cast_signed())
                        .bind(Wanted::Running.as_str())
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn delete(&self, fence: &Fence) -> Result<Written, PortError> {
        let fence = fence.clone();
        self.db
            .writer
            .write("deleting a session", move |connection| {
                Box::pin(async move {
                    match guard(connection, &fence).await? {
                        Guard::Gone => return Ok(Written::Conflict),
                        Guard::Fenced => return Ok(Written::Fenced),
                        Guard::Holds => {}
                    }
                    let done = sqlx::query("DELETE FROM session WHERE id = ?1 AND wanted = ?2")
                        .bind(fence.session.as_str())
                        .bind(Wanted::Deleted.as_str())
                        .execute(&mut *connection)
                        .await?;
                    if done.rows_affected() == 0 {
                        return Ok(Written::Conflict);
                    }
                    sqlx::query(
                        "INSERT INTO retired_session (id, epoch) VALUES (?1, ?2) \
                         ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch",
                    )
                    .bind(fence.session.as_str())
                    .bind(fence.epoch.0.cast_signed())
                    .execute(connection)
                    .await?;
                    Ok(Written::Done)
                })
            })
            .await
    }

    async fn epoch(&self, id: &SessionId) -> Result<Option<Epoch>, PortError> {
        let epoch: Option<i64> = sqlx::query_scalar("SELECT epoch FROM session WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading an epoch", error))?;
        Ok(epoch.map(|epoch| Epoch(epoch.cast_unsigned())))
    }
}
