//! The log of recent events. Publishing writes it, in the transaction of the live events.

use async_trait::async_trait;
use kurir_core::domain::{
    EventId, EventKind, LogFilter, LogPosition, LoggedEvent, OutboxEvent, SessionId, TenantId, Timestamp,
};
use kurir_core::port::{EventLog, LogPage, LogSpan, PortError};
use kurir_core::wire::without_credentials;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt, sql};
use super::outbox::SealedEvent;
use super::row::row;

fn place(id: EventId) -> String {
    format!("event_log/{id}")
}

/// Events as they enter the log.
pub(super) fn sealed(db: &Database, events: &[OutboxEvent]) -> Vec<SealedEvent> {
    events.iter().map(|event| SealedEvent::new(db, &without_credentials(event), &place(event.id))).collect()
}

/// Puts events at the log's end, but for those that are there. There is one writer, so positions appear in order.
pub(super) async fn insert(connection: &mut SqliteConnection, events: Vec<SealedEvent>) -> Result<(), sqlx::Error> {
    for event in events {
        sqlx::query(
            "INSERT INTO event_log (id, tenant, session, kind, at, logged_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(event.id.0.as_bytes().as_slice())
        .bind(event.tenant.as_str())
        .bind(event.session.as_ref().map(SessionId::as_str))
        .bind(event.kind.as_str())
        .bind(event.at)
        .bind(event.added_at)
        .bind(event.body)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

row! {
    struct Row {
        position: i64,
        id: Vec<u8>,
        tenant: String,
        session: Option<String>,
        kind: String,
        at: i64,
        logged_at: i64,
        body: Vec<u8>,
    }
}

fn position(place: i64) -> LogPosition {
    LogPosition(u64::try_from(place).unwrap_or_default())
}

fn number(position: LogPosition) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

impl Database {
    /// An entry; `None` for one of a kind that a later version has written.
    fn logged(&self, row: Row) -> Result<Option<LoggedEvent>, PortError> {
        let Some(kind) = EventKind::parse(&row.kind) else { return Ok(None) };
        let id = Uuid::from_slice(&row.id).map(EventId).map_err(|error| corrupt("an event's id", error))?;
        let what = || format!("event {id} of the log");
        let name = |error| corrupt(what(), error);
        let event = OutboxEvent {
            id,
            tenant: TenantId::new(&row.tenant).map_err(name)?,
            session: row.session.map(SessionId::new).transpose().map_err(name)?,
            kind,
            at: Timestamp::from_millis(row.at),
            body: self.sealer.open(&place(id), &row.body, what)?,
        };
        let logged_at = Timestamp::from_millis(row.logged_at);
        Ok(Some(LoggedEvent { position: position(row.position), logged_at, event }))
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    serde_json::json!(words.collect::<Vec<_>>()).to_string()
}

#[async_trait]
impl EventLog for SqliteStore {
    async fn append(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        if events.is_empty() {
            return Ok(());
        }
        let events = sealed(&self.db, events);
        self.db
            .writer
            .write("adding to the log of events", move |connection| {
                Box::pin(async move { insert(connection, events).await.map_err(Failure::Sql) })
            })
            .await
    }

    async fn read(&self, after: LogPosition, filter: &LogFilter, limit: u32) -> Result<LogPage, PortError> {
        const ACTION: &str = "reading the log of events";
        // Asked first: what comes in between belongs to the next page.
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(position) FROM event_log")
            .fetch_one(&self.db.readers)
            .await
            .map_err(|error| sql(ACTION, error))?;
        let newest = position(newest.unwrap_or(0)).max(after);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT position, id, tenant, session, kind, at, logged_at, body FROM event_log \
             WHERE position > ?1 AND position <= ?2 AND (?3 IS NULL OR tenant = ?3) \
             AND (?4 IS NULL OR session IN (SELECT value FROM json_each(?4))) \
             AND (?5 IS NULL OR kind IN (SELECT value FROM json_each(?5))) ORDER BY position LIMIT ?6",
        )
        .bind(number(after))
        .bind(number(newest))
        .bind(filter.tenant.as_ref().map(TenantId::as_str))
        .bind(filter.sessions.as_ref().map(|sessions| list(sessions.iter().map(SessionId::as_str))))
        .bind(filter.kinds.as_ref().map(|kinds| list(kinds.iter().map(|kind| kind.as_str()))))
        .bind(limit)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql(ACTION, error))?;
        let full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
        let to = rows.last().filter(|_| full).map_or(newest, |last| position(last.position));
        let events = rows.into_iter().filter_map(|row| self.db.logged(row).transpose()).collect::<Result<_, _>>()?;
        Ok(LogPage { events, to })
    }

    async fn at(&self, positions: &[LogPosition]) -> Result<Vec<Option<LoggedEvent>>, PortError> {
        let asked = serde_json::json!(positions.iter().map(|position| number(*position)).collect::<Vec<_>>());
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT position, id, tenant, session, kind, at, logged_at, body FROM event_log \
             WHERE position IN (SELECT value FROM json_each(?1))",
        )
        .bind(asked.to_string())
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading the log of events", error))?;
        let found = rows.into_iter().filter_map(|row| self.db.logged(row).transpose());
        let found = found.collect::<Result<Vec<_>, _>>()?;
        Ok(positions.iter().map(|place| found.iter().find(|entry| entry.position == *place).cloned()).collect())
    }

    async fn before(&self, moment: Timestamp) -> Result<LogPosition, PortError> {
        let last: Option<i64> = sqlx::query_scalar(
            "SELECT position FROM event_log WHERE logged_at < ?1 ORDER BY logged_at DESC, position DESC LIMIT 1",
        )
        .bind(moment.as_millis())
        .fetch_optional(&self.db.readers)
        .await
        .map_err(|error| sql("reading the log of events", error))?;
        Ok(position(last.unwrap_or(0)))
    }

    async fn span(&self) -> Result<Option<LogSpan>, PortError> {
        let ends: (Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT (SELECT min(position) FROM event_log), (SELECT max(position) FROM event_log)")
                .fetch_one(&self.db.readers)
                .await
                .map_err(|error| sql("reading the log of events", error))?;
        Ok(match ends {
            (Some(oldest), Some(newest)) => Some(LogSpan { oldest: position(oldest), newest: position(newest) }),
            _ => None,
        })
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        const OLD: &str = "\
            DELETE FROM event_log WHERE position IN \
            (SELECT position FROM event_log WHERE logged_at < ?1 ORDER BY logged_at, position LIMIT ?2)";
        self.db.forget("forgetting old events", OLD, before, limit).await
    }
}
