//! Webhooks and their deliveries. What is due is claimed by updating rows that nobody else is updating.

use async_trait::async_trait;
use kurir_core::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryId, DisabledReason, LogPosition, OutboxEvent, TenantId, Timestamp,
    Webhook, WebhookHealth, WebhookId,
};
use kurir_core::port::{DeliveryClaim, PortError, WebhookStore};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::PostgresStore;
use super::error::port_error;
use super::outbox;
use super::rows::EventColumns;
use super::sealing::Place;
use super::webhook_rows::{DELIVERY, DeliveryRow, HEALTH, HealthColumns, WEBHOOK, WebhookRow, health_of, number};

const ADD: &str = "\
INSERT INTO webhook (id, tenant, version, settings, disabled, disabled_at, failures, failing_since, rest_until, cursor, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING";

const CHANGE: &str = "\
UPDATE webhook SET version = version + 1, settings = $3, disabled = $4, disabled_at = $5, failures = $6, failing_since = $7,
  rest_until = $8, cursor = greatest(cursor, $9)
WHERE id = $1 AND version = $2";

const BEHIND: &str = "\
WHERE disabled IS NULL AND cursor < $1
  AND (SELECT count(*) FROM webhook_delivery d WHERE d.webhook = webhook.id AND d.due_at IS NOT NULL) < $2
ORDER BY cursor LIMIT $3";

const DUE: &str = "\
WHERE disabled IS NULL AND (rest_until IS NULL OR rest_until <= $1) AND EXISTS (
  SELECT 1 FROM webhook_delivery d
  WHERE d.webhook = webhook.id AND d.due_at <= $1 AND (d.claimed_until IS NULL OR d.claimed_until <= $1))
ORDER BY id LIMIT $2";

const INSERT: &str = "\
INSERT INTO webhook_delivery (id, webhook, event, kind, position, created_at, state, due_at, attempts)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[],
                     $9::text[])";

const CLAIM: &str = "\
UPDATE webhook_delivery SET claim = $3, claimed_until = $4 WHERE id IN (
  SELECT id FROM webhook_delivery
  WHERE webhook = $1 AND due_at <= $2 AND (claimed_until IS NULL OR claimed_until <= $2)
  ORDER BY due_at, id LIMIT $5 FOR UPDATE SKIP LOCKED)";

const SETTLE: &str = "\
UPDATE webhook_delivery SET state = $2, due_at = $3, ended_at = $4, attempts = $5, claim = NULL, claimed_until = NULL
WHERE id = $1";

const WELL: &str = "UPDATE webhook SET failures = 0, failing_since = NULL, rest_until = NULL WHERE id = $1";

const ILL: &str = "\
UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, $2), rest_until = greatest(rest_until, $3)
WHERE id = $1";

const DISABLE: &str = "\
UPDATE webhook SET disabled = $2, disabled_at = $3, version = version + 1 WHERE id = $1 AND disabled IS NULL";

const END_ALL: &str = "\
UPDATE webhook_delivery SET state = 'failed', due_at = NULL, ended_at = $2, claim = NULL, claimed_until = NULL
WHERE webhook = $1 AND due_at IS NOT NULL";

const FORGET: &str = "\
DELETE FROM webhook_delivery WHERE id IN (
  SELECT id FROM webhook_delivery WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

fn millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_millis)
}

async fn insert(connection: &mut PgConnection, rows: &[DeliveryRow]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT)
        .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.webhook.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.event).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.position).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.created_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.due_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.attempts.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}

fn rows(deliveries: &[Delivery]) -> Result<Vec<DeliveryRow>, PortError> {
    deliveries.iter().map(DeliveryRow::of).collect()
}

impl PostgresStore {
    fn sealed_settings(&self, webhook: &Webhook) -> Result<Vec<u8>, PortError> {
        self.vault.seal_json(&Place::Webhook(&webhook.id), &webhook.settings)
    }

    fn webhooks_of(&self, rows: Result<Vec<WebhookRow>, sqlx::Error>) -> Result<Vec<Webhook>, PortError> {
        let rows = rows.map_err(|e| port_error("reading webhooks", e))?;
        rows.into_iter().map(|row| row.read(&self.vault)).collect()
    }
}

fn select(rest: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {WEBHOOK} FROM webhook {rest}"))
}

#[async_trait]
impl WebhookStore for PostgresStore {
    async fn add_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        let settings = &self.sealed_settings(webhook)?;
        let health = &webhook.health;
        self.retrying("adding a webhook", |_| async move {
            let done = sqlx::query(ADD)
                .bind(webhook.id.as_str())
                .bind(webhook.tenant.as_str())
                .bind(webhook.version.cast_signed())
                .bind(settings)
                .bind(health.disabled.map(|(reason, _)| reason.as_str()))
                .bind(health.disabled.map(|(_, at)| at.as_millis()))
                .bind(i64::from(health.failures))
                .bind(millis(health.failing_since))
                .bind(millis(health.rest_until))
                .bind(number(webhook.cursor))
                .bind(webhook.created_at.as_millis())
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, PortError> {
        let rows = sqlx::query_as(select("WHERE id = $1")).bind(id.as_str()).fetch_all(&self.pool).await;
        Ok(self.webhooks_of(rows)?.pop())
    }

    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<Webhook>, PortError> {
        let rows =
            sqlx::query_as(select("WHERE tenant = $1 ORDER BY id")).bind(tenant.as_str()).fetch_all(&self.pool).await;
        self.webhooks_of(rows)
    }

    async fn change_webhook(&self, webhook: &Webhook) -> Result<bool, PortError> {
        let settings = &self.sealed_settings(webhook)?;
        let health = &webhook.health;
        self.retrying("changing a webhook", |_| async move {
            let done = sqlx::query(CHANGE)
                .bind(webhook.id.as_str())
                .bind(webhook.version.cast_signed())
                .bind(settings)
                .bind(health.disabled.map(|(reason, _)| reason.as_str()))
                .bind(health.disabled.map(|(_, at)| at.as_millis()))
                .bind(i64::from(health.failures))
                .bind(millis(health.failing_since))
                .bind(millis(health.rest_until))
                .bind(number(webhook.cursor))
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn remove_webhook(&self, id: &WebhookId) -> Result<bool, PortError> {
        self.retrying("removing a webhook", |_| async move {
            let done = sqlx::query("DELETE FROM webhook WHERE id = $1").bind(id.as_str()).execute(&self.pool).await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn behind(&self, newest: LogPosition, most: u32, limit: u32) -> Result<Vec<Webhook>, PortError> {
        let rows = sqlx::query_as(select(BEHIND))
            .bind(number(newest))
            .bind(i64::from(most))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await;
        self.webhooks_of(rows)
    }

    async fn enlist(
        &self,
        id: &WebhookId,
        from: LogPosition,
        to: LogPosition,
        deliveries: &[Delivery],
    ) -> Result<bool, PortError> {
        let rows = &rows(deliveries)?;
        self.retrying("adding deliveries", |_| async move {
            let mut transaction = self.pool.begin().await?;
            let moved = sqlx::query("UPDATE webhook SET cursor = $3 WHERE id = $1 AND cursor = $2")
                .bind(id.as_str())
                .bind(number(from))
                .bind(number(to))
                .execute(&mut *transaction)
                .await?;
            if moved.rows_affected() == 0 {
                return Ok(false);
            }
            insert(&mut transaction, rows).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn add_deliveries(&self, id: &WebhookId, deliveries: &[Delivery]) -> Result<bool, PortError> {
        let rows = &rows(deliveries)?;
        self.retrying("adding deliveries", |_| async move {
            let mut transaction = self.pool.begin().await?;
            let known: Option<i32> = sqlx::query_scalar("SELECT 1 FROM webhook WHERE id = $1 FOR KEY SHARE")
                .bind(id.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
            if known.is_none() {
                return Ok(false);
            }
            insert(&mut transaction, rows).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Webhook>, PortError> {
        let rows = sqlx::query_as(select(DUE)).bind(now.as_millis()).bind(i64::from(limit)).fetch_all(&self.pool).await;
        self.webhooks_of(rows)
    }

    async fn claim(&self, id: &WebhookId, claim: DeliveryClaim, limit: u32) -> Result<Vec<Delivery>, PortError> {
        let statement = &format!("{CLAIM} RETURNING {DELIVERY}");
        let rows: Vec<DeliveryRow> = self
            .retrying("claiming deliveries", |_| async move {
                sqlx::query_as(AssertSqlSafe(statement.clone()))
                    .bind(id.as_str())
                    .bind(claim.now.as_millis())
                    .bind(Uuid::from_u128(claim.token))
                    .bind(claim.until.as_millis())
                    .bind(i64::from(limit))
                    .fetch_all(&self.pool)
                    .await
            })
            .await?;
        let mut taken = rows.into_iter().map(DeliveryRow::read).collect::<Result<Vec<_>, _>>()?;
        taken.sort_by_key(|delivery| (delivery.due_at, delivery.id));
        Ok(taken)
    }

    async fn settle(
        &self,
        delivery: DeliveryId,
        claim: &DeliveryClaim,
        attempt: DeliveryAttempt,
        end: DeliveryEnd,
        rest_until: Option<Timestamp>,
    ) -> Result<Option<WebhookHealth>, PortError> {
        const ACTION: &str = "settling a delivery";
        let failed = |e| port_error(ACTION, e);
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        let statement = format!("SELECT {DELIVERY} FROM webhook_delivery WHERE id = $1 AND claim = $2 FOR UPDATE");
        let row: Option<DeliveryRow> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(delivery.0)
            .bind(Uuid::from_u128(claim.token))
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let mut found = row.read()?;
        // The end's moment is the program's, as the others of a delivery are.
        let ended = attempt.at.plus(std::time::Duration::from_millis(attempt.took_ms.into()));
        found.tried(attempt, end, ended);
        let written = DeliveryRow::of(&found)?;
        sqlx::query(SETTLE)
            .bind(written.id)
            .bind(written.state)
            .bind(written.due_at)
            .bind(written.ended_at)
            .bind(written.attempts)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        // The webhook's row comes after the delivery's wherever both are locked, but for disabling, which may be repeated.
        let health = if attempt.fault.is_none() {
            sqlx::query_as::<_, HealthColumns>(AssertSqlSafe(format!("{WELL} RETURNING {HEALTH}")))
                .bind(found.webhook.as_str())
        } else {
            sqlx::query_as::<_, HealthColumns>(AssertSqlSafe(format!("{ILL} RETURNING {HEALTH}")))
                .bind(found.webhook.as_str())
                .bind(attempt.at.as_millis())
                .bind(millis(rest_until))
        };
        let health = health.fetch_one(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(Some(health_of(health)))
    }

    async fn disable(
        &self,
        id: &WebhookId,
        reason: DisabledReason,
        at: Timestamp,
        events: &[OutboxEvent],
    ) -> Result<bool, PortError> {
        let columns = &EventColumns::of_one(&self.vault, events);
        self.retrying("disabling a webhook", |_| async move {
            let mut transaction = self.pool.begin().await?;
            sqlx::query(END_ALL).bind(id.as_str()).bind(at.as_millis()).execute(&mut *transaction).await?;
            let done = sqlx::query(DISABLE)
                .bind(id.as_str())
                .bind(reason.as_str())
                .bind(at.as_millis())
                .execute(&mut *transaction)
                .await?;
            if done.rows_affected() == 0 {
                return Ok(false);
            }
            outbox::add(&mut *transaction, columns).await?;
            transaction.commit().await?;
            Ok(true)
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
            "SELECT {DELIVERY} FROM webhook_delivery WHERE webhook = $1 AND ($2::uuid IS NULL OR id < $2) \
             ORDER BY id DESC LIMIT $3"
        );
        let found: Vec<DeliveryRow> = sqlx::query_as(AssertSqlSafe(statement))
            .bind(id.as_str())
            .bind(before.map(|before| before.0))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading deliveries", e))?;
        found.into_iter().map(DeliveryRow::read).collect()
    }

    async fn retry(&self, id: &WebhookId, delivery: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, PortError> {
        let statement = &format!(
            "UPDATE webhook_delivery SET state = 'pending', due_at = $3, ended_at = NULL WHERE id = $1 AND webhook = $2 \
             RETURNING {DELIVERY}"
        );
        let row: Option<DeliveryRow> = self
            .retrying("retrying a delivery", |_| async move {
                sqlx::query_as(AssertSqlSafe(statement.clone()))
                    .bind(delivery.0)
                    .bind(id.as_str())
                    .bind(now.as_millis())
                    .fetch_optional(&self.pool)
                    .await
            })
            .await?;
        row.map(DeliveryRow::read).transpose()
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.retrying("forgetting deliveries", |_| async move {
            let done = sqlx::query(FORGET).bind(before.as_millis()).bind(i64::from(limit)).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
