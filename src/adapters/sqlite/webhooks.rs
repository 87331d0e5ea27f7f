//! Webhooks and their deliveries.

use async_trait::async_trait;
use kurir_core::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryId, DisabledReason, LogPosition, OutboxEvent, TenantId, Timestamp,
    Webhook, WebhookHealth, WebhookId,
};
use kurir_core::port::{DeliveryClaim, PortError, WebhookStore};
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt, sql};
use super::outbox;
use super::webhook_rows::{self, DELIVERY, DeliveryRow, WEBHOOK, WebhookRow, number};

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

impl Database {
    fn sealed_settings(&self, webhook: &Webhook) -> Result<Vec<u8>, PortError> {
        let json = serde_json::to_vec(&webhook.settings).map_err(|_| corrupt("a webhook to write", "it is no JSON"))?;
        Ok(self.sealer.seal(&webhook_rows::place(&webhook.id), &json))
    }

    fn webhooks_by(&self, rows: Result<Vec<WebhookRow>, sqlx::Error>) -> Result<Vec<Webhook>, PortError> {
        let rows = rows.map_err(|error| sql("reading webhooks", error))?;
        rows.into_iter().map(|row| row.read(&self.sealer)).collect()
    }
}

async fn insert(connection: &mut SqliteConnection, deliveries: Vec<DeliveryRow>) -> Result<(), sqlx::Error> {
    for row in deliveries {
        sqlx::query(
            "INSERT INTO webhook_delivery (id, webhook, event, kind, position, created_at, state, due_at, attempts) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .bind(row.id)
        .bind(row.webhook)
        .bind(row.event)
        .bind(row.kind)
        .bind(row.position)
        .bind(row.created_at)
        .bind(row.state)
        .bind(row.due_at)
        .bind(row.attempts)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

fn rows(deliveries: &[Delivery]) -> Result<Vec<DeliveryRow>, PortError> {
    deliveries.iter().map(DeliveryRow::of).collect()
}

#[async_trait]
impl WebhookStore for SqliteStore {
    async fn add_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        let (settings, webhook) = (self.db.sealed_settings(webhook)?, webhook.clone());
        self.db
            .writer
            .write("adding a webhook", move |connection| {
                Box::pin(async move {
                    let health = &webhook.health;
                    let done = sqlx::query(
                        "INSERT INTO webhook (id, tenant, version, settings, disabled, disabled_at, failures, \
                         failing_since, rest_until, cursor, created_at) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
                    )
                    .bind(webhook.id.as_str())
                    .bind(webhook.tenant.as_str())
                    .bind(webhook.version.cast_signed())
                    .bind(settings)
                    .bind(health.disabled.map(|(reason, _)| reason.as_str()))
                    .bind(health.disabled.map(|(_, at)| at.as_millis()))
                    .bind(health.failures)
                    .bind(millis(health.failing_since))
                    .bind(millis(health.rest_until))
                    .bind(number(webhook.cursor))
                    .bind(webhook.created_at.as_millis())
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, PortError> {
        let row: Result<Option<WebhookRow>, _> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {WEBHOOK} FROM webhook WHERE id = ?1")))
                .bind(id.as_str())
                .fetch_optional(&self.db.readers)
                .await;
        let row = row.map_err(|error| sql("reading a webhook", error))?;
        row.map(|row| row.read(&self.db.sealer)).transpose()
    }

    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<Webhook>, PortError> {
        let statement = format!("SELECT {WEBHOOK} FROM webhook WHERE tenant = ?1 ORDER BY id");
        let rows =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(tenant.as_str()).fetch_all(&self.db.readers).await;
        self.db.webhooks_by(rows)
    }

    async fn change_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        let (settings, webhook) = (self.db.sealed_settings(webhook)?, webhook.clone());
        self.db
            .writer
            .write("changing a webhook", move |connection| {
                Box::pin(async move {
                    let health = &webhook.health;
                    let done = sqlx::query(
                        "UPDATE webhook SET version = version + 1, settings = ?3, disabled = ?4, disabled_at = ?5, \
                         failures = ?6, failing_since = ?7, rest_until = ?8, cursor = max(cursor, ?9) \
                         WHERE id = ?1 AND version = ?2",
                    )
                    .bind(webhook.id.as_str())
                    .bind(webhook.version.cast_signed())
                    .bind(settings)
                    .bind(health.disabled.map(|(reason, _)| reason.as_str()))
                    .bind(health.disabled.map(|(_, at)| at.as_millis()))
                    .bind(health.failures)
                    .bind(millis(health.failing_since))
                    .bind(millis(health.rest_until))
                    .bind(number(webhook.cursor))
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn remove_webhook(&self, id: &WebhookId) -> Result<bool, PortError> {
        let id = id.clone();
        self.db
            .writer
            .write("removing a webhook", move |connection| {
                Box::pin(async move {
                    let done =
                        sqlx::query("DELETE FROM webhook WHERE id = ?1").bind(id.as_str()).execute(connection).await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn behind(&self, newest: LogPosition, most: u32, limit: u32) -> Result<Vec<Webhook>, PortError> {
        let statement = format!(
            "SELECT {WEBHOOK} FROM webhook WHERE disabled IS NULL AND cursor < ?1 AND (SELECT count(*) FROM \
             webhook_delivery AS d WHERE d.webhook = webhook.id AND d.due_at IS NOT NULL) < ?2 ORDER BY cursor LIMIT ?3"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(number(newest))
            .bind(most)
            .bind(limit)
            .fetch_all(&self.db.readers)
            .await;
        self.db.webhooks_by(rows)
    }

    async fn enlist(
        &self,
        id: &WebhookId,
        from: LogPosition,
        to: LogPosition,
        deliveries: &[Delivery],
    ) -> Result<bool, PortError> {
        let (id, deliveries) = (id.clone(), rows(deliveries)?);
        self.db
            .writer
            .write("adding deliveries", move |connection| {
                Box::pin(async move {
                    let moved = sqlx::query("UPDATE webhook SET cursor = ?3 WHERE id = ?1 AND cursor = ?2")
                        .bind(id.as_str())
                        .bind(number(from))
                        .bind(number(to))
                        .execute(&mut *connection)
                        .await?;
                    let moved = moved.rows_affected() > 0;
                    if moved {
                        insert(connection, deliveries).await?;
                    }
                    Ok(moved)
                })
            })
            .await
    }

    async fn add_deliveries(&self, id: &WebhookId, deliveries: &[Delivery]) -> Result<bool, PortError> {
        let (id, deliveries) = (id.clone(), rows(deliveries)?);
        self.db
            .writer
            .write("adding deliveries", move |connection| {
                Box::pin(async move {
                    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM webhook WHERE id = ?1")
                        .bind(id.as_str())
                        .fetch_optional(&mut *connection)
                        .await?;
                    if known.is_some() {
                        insert(connection, deliveries).await?;
                    }
                    Ok(known.is_some())
                })
            })
            .await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Webhook>, PortError> {
        let statement = format!(
            "SELECT {WEBHOOK} FROM webhook WHERE disabled IS NULL AND (rest_until IS NULL OR rest_until <= ?1) \
             AND EXISTS (SELECT 1 FROM webhook_delivery AS d WHERE d.webhook = webhook.id AND d.due_at <= ?1 \
             AND (d.claimed_until IS NULL OR d.claimed_until <= ?1)) ORDER BY id LIMIT ?2"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(now.as_millis())
            .bind(limit)
            .fetch_all(&self.db.readers)
            .await;
        self.db.webhooks_by(rows)
    }

    async fn claim(&self, id: &WebhookId, claim: DeliveryClaim, limit: u32) -> Result<Vec<Delivery>, PortError> {
        let id = id.clone();
        let taken: Vec<DeliveryRow> = self
            .db
            .writer
            .write("claiming deliveries", move |connection| {
                Box::pin(async move {
                    let statement = format!(
                        "SELECT {DELIVERY} FROM webhook_delivery WHERE webhook = ?1 AND due_at <= ?2 \
                         AND (claimed_until IS NULL OR claimed_until <= ?2) ORDER BY due_at, id LIMIT ?3"
                    );
                    let taken: Vec<DeliveryRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                        .bind(id.as_str())
                        .bind(claim.now.as_millis())
                        .bind(limit)
                        .fetch_all(&mut *connection)
                        .await?;
                    for row in &taken {
                        sqlx::query("UPDATE webhook_delivery SET claim = ?2, claimed_until = ?3 WHERE id = ?1")
                            .bind(row.id.as_slice())
                            .bind(claim.token.to_be_bytes().as_slice())
                            .bind(claim.until.as_millis())
                            .execute(&mut *connection)
                            .await?;
                    }
                    Ok(taken)
                })
            })
            .await?;
        taken.into_iter().map(DeliveryRow::read).collect()
    }

    async fn settle(
        &self,
        delivery: DeliveryId,
        claim: &DeliveryClaim,
        attempt: DeliveryAttempt,
        end: DeliveryEnd,
        rest_until: Option<Timestamp>,
    ) -> Result<Option<WebhookHealth>, PortError> {
        let (token, now) = (claim.token, self.db.clock.now());
        self.db
            .writer
            .write("settling a delivery", move |connection| {
                Box::pin(async move {
                    let statement = format!("SELECT {DELIVERY} FROM webhook_delivery WHERE id = ?1 AND claim = ?2");
                    let row: Option<DeliveryRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                        .bind(delivery.0.as_bytes().as_slice())
                        .bind(token.to_be_bytes().as_slice())
                        .fetch_optional(&mut *connection)
                        .await?;
                    let Some(row) = row else { return Ok(None) };
                    let mut found = row.read()?;
                    found.tried(attempt, end, now);
                    let written = DeliveryRow::of(&found)?;
                    sqlx::query(
                        "UPDATE webhook_delivery SET state = ?2, due_at = ?3, ended_at = ?4, attempts = ?5, \
                         claim = NULL, claimed_until = NULL WHERE id = ?1",
                    )
                    .bind(written.id)
                    .bind(written.state)
                    .bind(written.due_at)
                    .bind(written.ended_at)
                    .bind(written.attempts)
                    .execute(&mut *connection)
                    .await?;
                    let health = if attempt.fault.is_none() {
                        sqlx::query(
                            "UPDATE webhook SET failures = 0, failing_since = NULL, rest_until = NULL WHERE id = ?1",
                        )
                        .bind(found.webhook.as_str())
                    } else {
                        sqlx::query(
                            "UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, ?2), \
                             rest_until = nullif(max(coalesce(rest_until, 0), coalesce(?3, 0)), 0) WHERE id = ?1",
                        )
                        .bind(found.webhook.as_str())
                        .bind(attempt.at.as_millis())
                        .bind(millis(rest_until))
                    };
                    health.execute(&mut *connection).await?;
                    webhook_rows::health(connection, &found.webhook).await.map(Some)
                })
            })
            .await
    }

    async fn disable(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
        at: Timestamp,
        events: &[OutboxEvent],
    ) -> Result<bool, PortError> {
        let (id, events) = (id.clone(), outbox::sealed(&self.db, events));
        self.db
            .writer
            .write("disabling a webhook", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE webhook SET disabled = ?2, disabled_at = ?3, version = version + 1 \
                         WHERE id = ?1 AND disabled IS NULL",
                    )
                    .bind(id.as_str())
                    .bind(reason.as_str())
                    .bind(at.as_millis())
                    .execute(&mut *connection)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Ok(false);
                    }
                    sqlx::query(
                        "UPDATE webhook_delivery SET state = 'failed', due_at = NULL, ended_at = ?2, claim = NULL, \
                         claimed_until = NULL WHERE webhook = ?1 AND due_at IS NOT NULL",
                    )
                    .bind(id.as_str())
                    .bind(at.as_millis())
                    .execute(&mut *connection)
                    .await?;
                    outbox::insert(connection, events).await.map_err(Failure::Sql)?;
                    Ok(true)
                })
            })
            .await
    }

    async fn deliveries(
        &self,
        id: &WebhookId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<Delivery>, PortError> {
        let statement = format!(
            "SELECT {DELIVERY} FROM webhook_delivery WHERE webhook = ?1 AND (?2 IS NULL OR id < ?2) \
             ORDER BY id DESC LIMIT ?3"
        );
        let found: Vec<DeliveryRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(id.as_str())
            .bind(before.map(|before| before.0.as_bytes().to_vec()))
            .bind(limit)
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("reading deliveries", error))?;
        found.into_iter().map(DeliveryRow::read).collect()
    }

    async fn retry(&self, id: &WebhookId, delivery: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, PortError> {
        let id = id.clone();
        self.db
            .writer
            .write("retrying a delivery", move |connection| {
                Box::pin(async move {
                    let statement = format!(
                        "UPDATE webhook_delivery SET state = 'pending', due_at = ?3, ended_at = NULL \
                         WHERE id = ?1 AND webhook = ?2 RETURNING {DELIVERY}"
                    );
                    let row: Option<DeliveryRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                        .bind(delivery.0.as_bytes().as_slice())
                        .bind(id.as_str())
                        .bind(now.as_millis())
                        .fetch_optional(connection)
                        .await?;
                    Ok(row.map(DeliveryRow::read).transpose()?)
                })
            })
            .await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        const OLD: &str = "\
            DELETE FROM webhook_delivery WHERE id IN \
            (SELECT id FROM webhook_delivery WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)";
        self.db.forget("forgetting deliveries", OLD, before, limit).await
    }
}
