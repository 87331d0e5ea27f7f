//! Events that wait for whoever publishes them.

use async_trait::async_trait;
use kurir_core::domain::{EventId, EventKind, OutboxEvent, SessionId, TenantId, Timestamp};
use kurir_core::port::{Backlog, Outbox, PortError};
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt, sql};
use super::row::row;
use super::state::hexadecimal;

fn place(id: EventId) -> String {
    format!("outbox/{id}")
}

/// An event with its body sealed, ready to be written.
pub(super) struct SealedEvent {
    pub(super) id: EventId,
    pub(super) tenant: TenantId,
    pub(super) session: Option<SessionId>,
    pub(super) kind: EventKind,
    pub(super) at: i64,
    pub(super) body: Vec<u8>,
    pub(super) added_at: i64,
}

impl SealedEvent {
    /// Seals an event's body for a place.
    pub(super) fn new(db: &Database, event: &OutboxEvent, place: &str) -> Self {
        Self {
            id: event.id,
            tenant: event.tenant.clone(),
            session: event.session.clone(),
            kind: event.kind,
            at: event.at.as_millis(),
            body: db.sealer.seal(place, &event.body),
            added_at: db.clock.now().as_millis(),
        }
    }
}

/// Seals events for the outbox.
pub(super) fn sealed(db: &Database, events: &[OutboxEvent]) -> Vec<SealedEvent> {
    events.iter().map(|event| SealedEvent::new(db, event, &place(event.id))).collect()
}

/// Writes events into the outbox, in the transaction of the fact that they tell. One that is there already stays.
pub(super) async fn insert(connection: &mut SqliteConnection, events: Vec<SealedEvent>) -> Result<(), sqlx::Error> {
    for event in events {
        sqlx::query(
            "INSERT INTO outbox (id, tenant, session, kind, at, body, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(event.id.0.as_bytes().as_slice())
        .bind(event.tenant.as_str())
        .bind(event.session.as_ref().map(SessionId::as_str))
        .bind(event.kind.as_str())
        .bind(event.at)
        .bind(event.body)
        .bind(event.added_at)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

row! {
    struct Row {
        id: Vec<u8>,
        tenant: String,
        session: Option<String>,
        kind: String,
        at: i64,
        body: Vec<u8>,
    }
}

impl Database {
    fn outbox_event(&self, row: Row) -> Result<OutboxEvent, PortError> {
        let id = Uuid::from_slice(&row.id).map(EventId).map_err(|error| corrupt("an event's id", error))?;
        let what = || format!("event {id} of the outbox");
        let name = |error| corrupt(what(), error);
        Ok(OutboxEvent {
            id,
            tenant: TenantId::new(&row.tenant).map_err(name)?,
            session: row.session.map(SessionId::new).transpose().map_err(name)?,
            kind: EventKind::parse(&row.kind).ok_or_else(|| corrupt(what(), "its kind is none"))?,
            at: Timestamp::from_millis(row.at),
            body: self.sealer.open(&place(id), &row.body, what)?,
        })
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn pending(&self, before: Timestamp, limit: u32) -> Result<Vec<OutboxEvent>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, tenant, session, kind, at, body FROM outbox WHERE added_at < ?1 ORDER BY seq LIMIT ?2",
        )
        .bind(before.as_millis())
        .bind(limit)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading the outbox", error))?;
        rows.into_iter().map(|row| self.db.outbox_event(row)).collect()
    }

    async fn published(&self, ids: &[EventId]) -> Result<(), PortError> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = ids.iter().map(|id| hexadecimal(id.0.as_bytes())).collect();
        let ids = serde_json::to_string(&ids).map_err(|error| corrupt("a list of ids", error))?;
        self.db
            .writer
            .write("removing published events", move |connection| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM outbox WHERE id IN (SELECT unhex(value) FROM json_each(?1))")
                        .bind(ids)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn add(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        if events.is_empty() {
            return Ok(());
        }
        let events = sealed(&self.db, events);
        self.db
            .writer
            .write("adding events", move |connection| {
                Box::pin(async move { insert(connection, events).await.map_err(Failure::Sql) })
            })
            .await
    }

    async fn backlog(&self) -> Result<Backlog, PortError> {
        let (events, oldest): (i64, Option<i64>) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ?1)), \
             (SELECT added_at FROM outbox ORDER BY seq LIMIT 1)",
        )
        .bind(Backlog::MOST)
        .fetch_one(&self.db.readers)
        .await
        .map_err(|error| sql("counting the outbox", error))?;
        Ok(Backlog { events: u64::try_from(events).unwrap_or(0), oldest: oldest.map(Timestamp::from_millis) })
    }
}
