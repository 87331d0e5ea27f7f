//! Webhooks and deliveries as the tables hold them.

use kurir_core::domain::{
    Delivery, DeliveryId, DeliveryState, DisabledReason, EventId, EventKind, LogPosition, TenantId, Timestamp, Webhook,
    WebhookHealth, WebhookId,
};
use kurir_core::port::PortError;
use uuid::Uuid;

use super::error::corrupt;
use super::sealing::{Place, Vault};

pub(super) const HEALTH: &str = "disabled, disabled_at, failures, failing_since, rest_until";

pub(super) const WEBHOOK: &str =
    "id, tenant, version, settings, disabled, disabled_at, failures, failing_since, rest_until, cursor, created_at";

pub(super) const DELIVERY: &str = "id, webhook, event, kind, position, created_at, state, due_at, ended_at, attempts";

pub(super) fn number(position: LogPosition) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

fn position(place: i64) -> LogPosition {
    LogPosition(u64::try_from(place).unwrap_or_default())
}

fn moment(at: Option<i64>) -> Option<Timestamp> {
    at.map(Timestamp::from_millis)
}

/// What a row has of a webhook's health, in the order of [`HEALTH`].
pub(super) type HealthColumns = (Option<String>, Option<i64>, i64, Option<i64>, Option<i64>);

pub(super) fn health_of(columns: HealthColumns) -> WebhookHealth {
    let (reason, at, failures, since, rest) = columns;
    // A word of a later version disables as well.
    let reason = reason.map(|reason| DisabledReason::parse(&reason).unwrap_or(DisabledReason::ByRequest));
    WebhookHealth {
        disabled: reason.map(|reason| (reason, Timestamp::from_millis(at.unwrap_or(0)))),
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        failing_since: moment(since),
        rest_until: moment(rest),
    }
}

/// Declares a row of these columns.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        pub(super) struct $name { $(pub(super) $field: $type),+ }

        impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: sqlx::Row::try_get(row, stringify!($field))?),+ })
            }
        }
    };
}

columns! {
    /// A webhook.
    WebhookRow {
        id: String,
        tenant: String,
        version: i64,
        settings: Vec<u8>,
        disabled: Option<String>,
        disabled_at: Option<i64>,
        failures: i64,
        failing_since: Option<i64>,
        rest_until: Option<i64>,
        cursor: i64,
        created_at: i64,
    }
}

columns! {
    /// A delivery.
    DeliveryRow {
        id: Uuid,
        webhook: String,
        event: Uuid,
        kind: String,
        position: Option<i64>,
        created_at: i64,
        state: String,
        due_at: Option<i64>,
        ended_at: Option<i64>,
        attempts: String,
    }
}

impl WebhookRow {
    pub(super) fn read(self, vault: &Vault) -> Result<Webhook, PortError> {
        let what = || format!("webhook {}", self.id);
        let id = WebhookId::new(&self.id).map_err(|error| corrupt(what(), error))?;
        Ok(Webhook {
            tenant: TenantId::new(&self.tenant).map_err(|error| corrupt(what(), error))?,
            version: self.version.cast_unsigned(),
            settings: vault.open_json(&Place::Webhook(&id), &self.settings)?,
            health: health_of((self.disabled, self.disabled_at, self.failures, self.failing_since, self.rest_until)),
            cursor: position(self.cursor),
            created_at: Timestamp::from_millis(self.created_at),
            id,
        })
    }
}

impl DeliveryRow {
    pub(super) fn of(delivery: &Delivery) -> Result<Self, PortError> {
        let attempts = serde_json::to_string(&delivery.attempts)
            .map_err(|error| corrupt("a delivery to write".to_owned(), error))?;
        Ok(Self {
            id: delivery.id.0,
            webhook: delivery.webhook.to_string(),
            event: delivery.event.0,
            kind: delivery.kind.as_str().to_owned(),
            position: delivery.position.map(number),
            created_at: delivery.created_at.as_millis(),
            state: delivery.state.as_str().to_owned(),
            due_at: delivery.due_at.map(Timestamp::as_millis),
            ended_at: delivery.ended_at.map(Timestamp::as_millis),
            attempts,
        })
    }

    pub(super) fn read(self) -> Result<Delivery, PortError> {
        let wrong = |what: &str| corrupt(format!("the {what} of delivery {}", self.id), "it is none");
        Ok(Delivery {
            id: DeliveryId(self.id),
            webhook: WebhookId::new(&self.webhook).map_err(|_| wrong("webhook"))?,
            event: EventId(self.event),
            kind: EventKind::parse(&self.kind).ok_or_else(|| wrong("kind"))?,
            position: self.position.map(position),
            created_at: Timestamp::from_millis(self.created_at),
            state: DeliveryState::parse(&self.state).ok_or_else(|| wrong("state"))?,
            due_at: moment(self.due_at),
            ended_at: moment(self.ended_at),
            attempts: serde_json::from_str(&self.attempts).map_err(|_| wrong("attempts"))?,
        })
    }
}
