//! Which alerts stand.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kurir_core::domain::{OutboxEvent, TenantId};
use kurir_core::port::{AlertBook, PortError};

use super::database::SqliteStore;
use super::error::{corrupt, sql};
use super::outbox;

#[async_trait]
impl AlertBook for SqliteStore {
    async fn standing(&self) -> Result<BTreeSet<TenantId>, PortError> {
        let rows: Vec<String> = sqlx::query_scalar("SELECT tenant FROM alert")
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("reading which alerts stand", error))?;
        rows.into_iter().map(|name| TenantId::new(name).map_err(|error| corrupt("an alert", error))).collect()
    }

    async fn turn_alert(&self, tenant: &TenantId, stands: bool, event: &OutboxEvent) -> Result<bool, PortError> {
        let (tenant, event) = (tenant.clone(), outbox::sealed(&self.db, std::slice::from_ref(event)));
        self.db
            .writer
            .write("turning an alert", move |connection| {
                Box::pin(async move {
                    let turn = if stands {
                        "INSERT INTO alert (tenant) VALUES (?1) ON CONFLICT (tenant) DO NOTHING"
                    } else {
                        "DELETE FROM alert WHERE tenant = ?1"
                    };
                    let done = sqlx::query(turn).bind(tenant.as_str()).execute(&mut *connection).await?;
                    let turned = done.rows_affected() > 0;
                    if turned {
                        outbox::insert(connection, event).await?;
                    }
                    Ok(turned)
                })
            })
            .await
    }
}
