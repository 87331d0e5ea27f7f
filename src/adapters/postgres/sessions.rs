//! The register of sessions, and the mint of epochs.

use async_trait::async_trait;
use kurir_core::domain::{
    Epoch, Fence, OutboxEvent, OwnLimits, PoolId, SenderPace, SessionId, SessionName, SessionRecord, SessionStatus,
    TenantId, Timestamp, Wanted, WorkerName,
};
use kurir_core::port::{Created, NewSession, PortError, SessionStore, Written};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::error::{corrupt, port_error, refused};
use super::rows::{self, EventColumns, UnknownWord};
use super::sealing::{Place, Vault};
use super::{PostgresStore, session_desk, spending};

const CREATE: &str = "\
WITH new AS (
    INSERT INTO session (id, tenant, state, status, created_at, pool, name, labels, wanted)
    VALUES ($1, $2, $3, $4, $5, $12, $13, $14::text::jsonb, $15)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), preferred AS (
    INSERT INTO default_session (tenant, session) SELECT $2, id FROM new WHERE $16
    ON CONFLICT (tenant) DO UPDATE SET session = excluded.session
), told AS (
    INSERT INTO outbox (id, tenant, session, kind, at, body)
    SELECT e.id, e.tenant, e.session, e.kind, e.at, e.body
    FROM unnest($6::uuid[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bytea[]) WITH ORDINALITY
         AS e(id, tenant, session, kind, at, body, ord), new
    ORDER BY e.ord
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) > 0 FROM new";

pub(super) const GET: &str = "\
SELECT s.id, s.tenant, s.wanted, s.epoch, s.owner, s.status, s.created_at, s.pool, s.name, s.labels::text AS labels,
       s.restarts, s.limits::text AS limits, p.pace, p.spent
FROM session s LEFT JOIN session_pace p ON p.session = s.id
WHERE s.id = $1";

const CLAIM: &str = "\
UPDATE session
SET epoch = GREATEST(epoch, COALESCE((SELECT r.epoch FROM retired_session r WHERE r.id = $1), 0)) + 1, owner = $2
WHERE id = $1
RETURNING id, tenant, wanted, epoch, owner, status, created_at, pool, name, labels::text AS labels, restarts,
          limits::text AS limits, NULL::bigint AS pace, NULL::text AS spent";

const SPENT: &str = "SELECT pace, spent FROM session_pace WHERE session = $1";

const UPDATE: &str = "\
WITH changed AS (
    UPDATE session SET state = $3, status = $4 WHERE id = $1 AND epoch = $2
    RETURNING id
), told AS (
    INSERT INTO outbox (id, tenant, session, kind, at, body)
    SELECT e.id, e.tenant, e.session, e.kind, e.at, e.body
    FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bytea[]) WITH ORDINALITY
         AS e(id, tenant, session, kind, at, body, ord), changed
    ORDER BY e.ord
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) > 0 FROM changed";

const WANT: &str = "UPDATE session SET wanted = $2 WHERE id = $1";

// The row that is there is left as it is; the second look sees one that was entered meanwhile.
const OWN_POOL: &str = "INSERT INTO pool (id, tenant) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";

const POOL_OF: &str = "SELECT tenant FROM pool WHERE id = $1";

const JOIN: &str = "UPDATE session SET pool = $2 WHERE id = $1";

const REST: &str = "\
WITH held AS MATERIALIZED (
    SELECT id, wanted FROM session WHERE id = $1 AND epoch = $2 FOR UPDATE
), rested AS (
    UPDATE session s SET wanted = 'stopped' FROM held WHERE s.id = held.id AND held.wanted = $3
)
SELECT wanted = $3 AS rested FROM held";

const LET_GO: &str = "UPDATE session SET owner = NULL WHERE id = $1 AND epoch = $2 AND wanted <> 'running'";

// The state goes by the foreign key's cascade, which sees what was committed while this waited for the lock.
const DELETE: &str = "\
WITH held AS MATERIALIZED (
    SELECT id, epoch, wanted FROM session WHERE id = $1 FOR UPDATE
), gone AS (
    DELETE FROM session s USING held
    WHERE s.id = held.id AND held.epoch = $2 AND held.wanted = 'deleted'
), retired AS (
    INSERT INTO retired_session (id, epoch)
    SELECT id, epoch FROM held WHERE epoch = $2 AND wanted = 'deleted'
    ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch
)
SELECT epoch = $2 AS mine, wanted = 'deleted' AS unwanted FROM held";

const EPOCH: &str = "SELECT epoch FROM session WHERE id = $1";

/// How often creating a session looks again when it was neither new nor there: somebody creates and deletes it.
const LOOKS: u32 = 3;

pub(super) fn record(vault: &Vault, row: &PgRow) -> Result<SessionRecord, PortError> {
    const ACTION: &str = "reading a session";
    let failed = |e| port_error(ACTION, e);
    let id = SessionId::new(row.try_get::<&str, _>("id").map_err(failed)?)
        .map_err(|e| corrupt("a session's id".to_owned(), e))?;
    let wanted: String = row.try_get("wanted").map_err(failed)?;
    let owner: Option<&str> = row.try_get("owner").map_err(failed)?;
    let pace: Option<i64> = row.try_get("pace").map_err(failed)?;
    let spent: Option<&str> = row.try_get("spent").map_err(failed)?;
    let pool: Option<&str> = row.try_get("pool").map_err(failed)?;
    let name: Option<String> = row.try_get("name").map_err(failed)?;
    let labels: &str = row.try_get("labels").map_err(failed)?;
    let restarts: i64 = row.try_get("restarts").map_err(failed)?;
    let limits: &str = row.try_get("limits").map_err(failed)?;
    let status = vault.open_json(&Place::Status(&id), row.try_get("status").map_err(failed)?)?;
    Ok(SessionRecord {
        tenant: TenantId::new(row.try_get::<&str, _>("tenant").map_err(failed)?)
            .map_err(|e| corrupt(format!("the tenant of session {id}"), e))?,
        pool: pool.map(PoolId::new).transpose().map_err(|e| corrupt(format!("the pool of session {id}"), e))?,
        name: name.map(SessionName::new).transpose().map_err(|e| corrupt(format!("the name of session {id}"), e))?,
        labels: serde_json::from_str(labels)
            .map_err(|_| corrupt(format!("session {id}"), "its labels are no map of texts"))?,
        restarts: rows::to_count(restarts, || format!("the restarts of session {id}"))?,
        wanted: Wanted::parse(&wanted)
            .ok_or_else(|| corrupt(format!("session {id}"), UnknownWord { column: "wanted", found: wanted }))?,
        epoch: Epoch(rows::to_count(row.try_get("epoch").map_err(failed)?, || format!("the epoch of session {id}"))?),
        owner: owner.map(WorkerName::new).transpose().map_err(|e| corrupt(format!("the owner of session {id}"), e))?,
        limits: serde_json::from_str(limits).map_err(|_| corrupt(format!("session {id}"), "its limits are none"))?,
        pace: spending::read(&id, pace, spent)?,
        status,
        created_at: Timestamp::from_millis(row.try_get("created_at").map_err(failed)?),
        id,
    })
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn create(&self, session: NewSession) -> Result<Created, PortError> {
        const ACTION: &str = "creating a session";
        let status = SessionStatus::created(session.at);
        let sealed = &self.vault.seal_json(&Place::Status(&session.id), &status)?;
        let events = &EventColumns::of_one(&self.vault, &session.events);
        let (id, tenant, state) = (session.id.as_str(), session.tenant.as_str(), status.state.as_str());
        let pool = session.pool.as_ref().map(PoolId::as_str);
        let (name, labels) = (session.name.as_ref().map(SessionName::as_str), &session_desk::json(&session.labels)?);
        for _ in 0..LOOKS {
            let new: bool = self
                .retrying(ACTION, |_| async move {
                    sqlx::query_scalar(CREATE)
                        .bind(id)
                        .bind(tenant)
                        .bind(state)
                        .bind(sealed)
                        .bind(session.at.as_millis())
                        .bind(&events.ids)
                        .bind(&events.tenants)
                        .bind(&events.sessions)
                        .bind(&events.kinds)
                        .bind(&events.ats)
                        .bind(&events.bodies)
                        .bind(pool)
                        .bind(name)
                        .bind(labels)
                        .bind(session.wanted.as_str())
                        .bind(session.default)
                        .fetch_one(&self.pool)
                        .await
                })
                .await?;
            if new {
                return Ok(Created::New(SessionRecord {
                    id: session.id.clone(),
                    tenant: session.tenant.clone(),
                    pool: session.pool.clone(),
                    name: session.name.clone(),
                    labels: session.labels.clone(),
                    wanted: session.wanted,
                    restarts: 0,
                    epoch: Epoch(0),
                    owner: None,
                    limits: OwnLimits::default(),
                    pace: SenderPace::default(),
                    status,
                    created_at: session.at,
                }));
            }
            if let Some(there) = SessionStore::get(self, &session.id).await? {
                return Ok(Created::Exists(there));
            }
        }
        Err(refused(ACTION, "it is created and deleted by others at the same time"))
    }

    async fn get(&self, id: &SessionId) -> Result<Option<SessionRecord>, PortError> {
        let row = sqlx::query(GET)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading a session", e))?;
        row.map(|row| record(&self.vault, &row)).transpose()
    }

    async fn claim(&self, id: &SessionId, owner: &WorkerName) -> Result<Option<SessionRecord>, PortError> {
        const ACTION: &str = "claiming a session";
        let (session, owner) = (id.as_str(), owner.as_str());
        let row = self
            .retrying(ACTION, |_| async move {
                sqlx::query(CLAIM).bind(session).bind(owner).fetch_optional(&self.pool).await
            })
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut record = record(&self.vault, &row)?;
        // Read after the claim is committed, not in the same statement: that would show the pacer as it was before
        // the claim waited for the old owner's last writes. Now nobody else can change it.
        let saved: Option<(i64, Option<String>)> =
            sqlx::query_as(SPENT).bind(session).fetch_optional(&self.pool).await.map_err(|e| port_error(ACTION, e))?;
        if let Some((pace, spent)) = saved {
            record.pace = spending::read(id, Some(pace), spent.as_deref())?;
        }
        Ok(Some(record))
    }

    async fn update(
        &self,
        fence: &Fence,
        status: &SessionStatus,
        events: &[OutboxEvent],
    ) -> Result<Written, PortError> {
        let sealed = &self.vault.seal_json(&Place::Status(&fence.session), status)?;
        let events = &EventColumns::of_one(&self.vault, events);
        let changed: bool = self
            .retrying("updating a session", |_| async move {
                sqlx::query_scalar(UPDATE)
                    .bind(fence.session.as_str())
                    .bind(rows::epoch(fence.epoch))
                    .bind(status.state.as_str())
                    .bind(sealed)
                    .bind(&events.ids)
                    .bind(&events.tenants)
                    .bind(&events.sessions)
                    .bind(&events.kinds)
                    .bind(&events.ats)
                    .bind(&events.bodies)
                    .fetch_one(&self.pool)
                    .await
            })
            .await?;
        Ok(if changed { Written::Done } else { Written::Fenced })
    }

    async fn want(&self, id: &SessionId, wanted: Wanted) -> Result<bool, PortError> {
        let id = id.as_str();
        self.retrying("saying what is wanted of a session", |_| async move {
            let done = sqlx::query(WANT).bind(id).bind(wanted.as_str()).execute(&self.pool).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn own_pool(&self, pool: &PoolId, tenant: &TenantId) -> Result<bool, PortError> {
        let (id, owner) = (pool.as_str(), tenant.as_str());
        self.retrying("entering a pool", |_| async move {
            sqlx::query(OWN_POOL).bind(id).bind(owner).execute(&self.pool).await
        })
        .await?;
        Ok(self.pool_of(pool).await?.as_ref() == Some(tenant))
    }

    async fn pool_of(&self, pool: &PoolId) -> Result<Option<TenantId>, PortError> {
        let tenant: Option<String> = sqlx::query_scalar(POOL_OF)
            .bind(pool.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("looking whose a pool is", e))?;
        tenant.map(TenantId::new).transpose().map_err(|e| corrupt(format!("the tenant of pool {pool}"), e))
    }

    async fn join(&self, id: &SessionId, pool: Option<&PoolId>) -> Result<bool, PortError> {
        let (id, pool) = (id.as_str(), pool.map(PoolId::as_str));
        self.retrying("putting a session into a pool", |_| async move {
            let done = sqlx::query(JOIN).bind(id).bind(pool).execute(&self.pool).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn rest(&self, fence: &Fence, done: Wanted) -> Result<Written, PortError> {
        let rested: Option<bool> = self
            .retrying("letting a session rest", |_| async move {
                sqlx::query_scalar(REST)
                    .bind(fence.session.as_str())
                    .bind(rows::epoch(fence.epoch))
                    .bind(done.as_str())
                    .fetch_optional(&self.pool)
                    .await
            })
            .await?;
        Ok(match rested {
            None => Written::Fenced,
            Some(true) => Written::Done,
            Some(false) => Written::Conflict,
        })
    }

    async fn let_go(&self, fence: &Fence) -> Result<(), PortError> {
        self.retrying("letting go of a session", |_| async move {
            let query = sqlx::query(LET_GO).bind(fence.session.as_str()).bind(rows::epoch(fence.epoch));
            query.execute(&self.pool).await.map(drop)
        })
        .await
    }

    async fn delete(&self, fence: &Fence) -> Result<Written, PortError> {
        const ACTION: &str = "deleting a session";
        let row = self
            .retrying(ACTION, |_| async move {
                sqlx::query(DELETE)
                    .bind(fence.session.as_str())
                    .bind(rows::epoch(fence.epoch))
                    .fetch_optional(&self.pool)
                    .await
            })
            .await?;
        let Some(row) = row else { return Ok(Written::Conflict) };
        let failed = |e| port_error(ACTION, e);
        let (mine, unwanted): (bool, bool) =
            (row.try_get("mine").map_err(failed)?, row.try_get("unwanted").map_err(failed)?);
        Ok(match (mine, unwanted) {
            (true, true) => Written::Done,
            (true, false) => Written::Conflict,
            (false, _) => Written::Fenced,
        })
    }

    async fn epoch(&self, id: &SessionId) -> Result<Option<Epoch>, PortError> {
        let epoch: Option<i64> = sqlx::query_scalar(EPOCH)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading an epoch", e))?;
        epoch.map(|number| rows::to_count(number, || format!("the epoch of session {id}")).map(Epoch)).transpose()
    }
}
