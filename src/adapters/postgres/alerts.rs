//! Which alerts stand.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kurir_core::domain::{OutboxEvent, TenantId};
use kurir_core::port::{AlertBook, PortError};

use super::PostgresStore;
use super::error::{corrupt, port_error};
use super::rows::EventColumns;

const STANDING: &str = "SELECT tenant FROM alert";

// Whoever comes second waits for the row, then finds that it is there, or gone, already.
const RAISE: &str = "\
WITH turned AS (
    INSERT INTO alert (tenant) VALUES ($1) ON CONFLICT (tenant) DO NOTHING RETURNING tenant
), told AS (
    INSERT INTO outbox (id, tenant, session, kind, at, body)
    SELECT e.id, e.tenant, e.session, e.kind, e.at, e.body
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[])
         AS e(id, tenant, session, kind, at, body), turned
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) > 0 FROM turned";

const RESOLVE: &str = "\
WITH turned AS (
    DELETE FROM alert WHERE tenant = $1 RETURNING tenant
), told AS (
    INSERT INTO outbox (id, tenant, session, kind, at, body)
    SELECT e.id, e.tenant, e.session, e.kind, e.at, e.body
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[])
         AS e(id, tenant, session, kind, at, body), turned
    ON CONFLICT (id) DO NOTHING
)
SELECT count(*) > 0 FROM turned";

#[async_trait]
impl AlertBook for PostgresStore {
    async fn standing(&self) -> Result<BTreeSet<TenantId>, PortError> {
        let rows: Vec<String> = sqlx::query_scalar(STANDING)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading which alerts stand", e))?;
        rows.into_iter().map(|name| TenantId::new(name).map_err(|e| corrupt("an alert".to_owned(), e))).collect()
    }

    async fn turn_alert(&self, tenant: &TenantId, stands: bool, event: &OutboxEvent) -> Result<bool, PortError> {
        let events = &EventColumns::of_one(&self.vault, std::slice::from_ref(event));
        let turn = if stands { RAISE } else { RESOLVE };
        self.retrying("turning an alert", |_| async move {
            sqlx::query_scalar(turn)
                .bind(tenant.as_str())
                .bind(&events.ids)
                .bind(&events.tenants)
                .bind(&events.sessions)
                .bind(&events.kinds)
                .bind(&events.ats)
                .bind(&events.bodies)
                .fetch_one(&self.pool)
                .await
        })
        .await
    }
}
