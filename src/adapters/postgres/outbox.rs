//! Events that wait for the broker.

use async_trait::async_trait;
use kurir_core::domain::{EventId, OutboxEvent, Timestamp};
use kurir_core::port::{Backlog, Outbox, PortError};
use sqlx::postgres::PgExecutor;
use uuid::Uuid;

use super::PostgresStore;
use super::error::port_error;
use super::rows::{self, EventColumns};

const PENDING: &str = "\
SELECT id, tenant, session, kind, at, body FROM outbox WHERE added_at < $1 ORDER BY seq LIMIT $2";

// A worker and the relay may confirm the same events; both take the rows in one order.
const PUBLISHED: &str = "\
WITH gone AS MATERIALIZED (SELECT seq FROM outbox WHERE id = ANY($1) ORDER BY seq FOR UPDATE)
DELETE FROM outbox USING gone WHERE outbox.seq = gone.seq";

const ADD: &str = "\
INSERT INTO outbox (id, tenant, session, kind, at, body)
SELECT e.id, e.tenant, e.session, e.kind, e.at, e.body
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[]) WITH ORDINALITY
     AS e(id, tenant, session, kind, at, body, ord)
ORDER BY e.ord
ON CONFLICT (id) DO NOTHING";

const BACKLOG: &str = "\
SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT $1) AS some), (SELECT added_at FROM outbox ORDER BY seq LIMIT 1)";

/// Puts events into the outbox, in order.
pub(super) async fn add(executor: impl PgExecutor<'_>, events: &EventColumns<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(ADD)
        .bind(&events.ids)
        .bind(&events.tenants)
        .bind(&events.sessions)
        .bind(&events.kinds)
        .bind(&events.ats)
        .bind(&events.bodies)
        .execute(executor)
        .await
        .map(drop)
}

#[async_trait]
impl Outbox for PostgresStore {
    async fn pending(&self, before: Timestamp, limit: u32) -> Result<Vec<OutboxEvent>, PortError> {
        let rows = sqlx::query(PENDING)
            .bind(before.as_millis())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading the outbox", e))?;
        rows.iter().map(|row| rows::event(&self.vault, row)).collect()
    }

    async fn published(&self, ids: &[EventId]) -> Result<(), PortError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: &Vec<Uuid> = &ids.iter().map(|id| id.0).collect();
        self.retrying("removing published events", |_| async move {
            sqlx::query(PUBLISHED).bind(ids).execute(&self.pool).await.map(drop)
        })
        .await
    }

    async fn add(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        if events.is_empty() {
            return Ok(());
        }
        let columns = &EventColumns::of_one(&self.vault, events);
        self.retrying("adding to the outbox", |_| add(&self.pool, columns)).await
    }

    async fn backlog(&self) -> Result<Backlog, PortError> {
        let (events, oldest): (i64, Option<i64>) = sqlx::query_as(BACKLOG)
            .bind(i64::from(Backlog::MOST))
            .fetch_one(&self.pool)
            .await
            .map_err(|e| port_error("counting the outbox", e))?;
        Ok(Backlog { events: u64::try_from(events).unwrap_or(0), oldest: oldest.map(Timestamp::from_millis) })
    }
}
