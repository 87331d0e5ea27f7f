//! The log of recent events. Whoever appends holds a lock until its commit, so that positions become visible in their order
//! and a reader never goes past one that is still to come.

use async_trait::async_trait;
use kurir_core::domain::{
    EventId, EventKind, LogFilter, LogPosition, LoggedEvent, OutboxEvent, SessionId, TenantId, Timestamp,
};
use kurir_core::port::{EventLog, LogPage, LogSpan, PortError};
use kurir_core::wire::without_credentials;
use uuid::Uuid;

use super::PostgresStore;
use super::error::{corrupt, port_error};
use super::sealing::Place;

/// The lock of this schema's log. A key of two halves: those of one belong to the vigil.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1802859378, hashtext(current_schema()))";

// A statement of its own, after the lock was granted: its snapshot has what the holder before committed.
const APPEND: &str = "\
INSERT INTO event_log (id, tenant, session, kind, at, body)
SELECT e.id, e.tenant, e.session, e.kind, e.at, e.body
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[]) WITH ORDINALITY
     AS e(id, tenant, session, kind, at, body, ord)
ORDER BY e.ord
ON CONFLICT (id) DO NOTHING";

// The end and the rows are of one snapshot. Without rows there is one row of NULLs beside the end.
const READ: &str = "\
WITH newest AS MATERIALIZED (SELECT coalesce(max(position), 0) AS position FROM event_log)
SELECT newest.position, e.position, e.id, e.tenant, e.session, e.kind, e.at, e.logged_at, e.body
FROM newest LEFT JOIN LATERAL (
    SELECT * FROM event_log
    WHERE position > $1 AND ($2::text IS NULL OR tenant = $2)
      AND ($3::text[] IS NULL OR session = ANY($3)) AND ($4::text[] IS NULL OR kind = ANY($4))
    ORDER BY position LIMIT $5
) AS e ON true
ORDER BY e.position";

const AT: &str = "\
SELECT position, id, tenant, session, kind, at, logged_at, body FROM event_log WHERE position = ANY($1)";

const BEFORE: &str = "\
SELECT position FROM event_log WHERE logged_at < $1 ORDER BY logged_at DESC, position DESC LIMIT 1";

const SPAN: &str = "SELECT (SELECT min(position) FROM event_log), (SELECT max(position) FROM event_log)";

// Several relays may forget at once; each takes what no other one is taking.
const FORGET: &str = "\
WITH old AS MATERIALIZED (
    SELECT position FROM event_log WHERE logged_at < $1 ORDER BY logged_at, position LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM event_log USING old WHERE event_log.position = old.position";

/// An entry's columns.
type Row = (i64, Uuid, String, Option<String>, String, i64, i64, Vec<u8>);

/// The same where there may be none, behind the log's end.
type MaybeRow = (
    i64,
    Option<i64>,
    Option<Uuid>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
);

fn place(position: i64) -> LogPosition {
    LogPosition(u64::try_from(position).unwrap_or_default())
}

fn number(position: LogPosition) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

impl PostgresStore {
    /// An entry; `None` for one of a kind that a later version has written.
    fn logged(&self, row: Row) -> Result<Option<LoggedEvent>, PortError> {
        let (position, id, tenant, session, kind, at, logged_at, body) = row;
        let Some(kind) = EventKind::parse(&kind) else { return Ok(None) };
        let id = EventId(id);
        let name = |error| corrupt(format!("a name of event {id} in the log"), error);
        let event = OutboxEvent {
            id,
            tenant: TenantId::new(&tenant).map_err(name)?,
            session: session.map(SessionId::new).transpose().map_err(name)?,
            kind,
            at: Timestamp::from_millis(at),
            body: self.vault.open(&Place::Logged(id), &body)?,
        };
        let logged_at = Timestamp::from_millis(logged_at);
        Ok(Some(LoggedEvent { position: place(position), logged_at, event }))
    }
}

#[async_trait]
impl EventLog for PostgresStore {
    async fn append(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        if events.is_empty() {
            return Ok(());
        }
        let kept: Vec<_> = events.iter().map(without_credentials).collect();
        let ids: &Vec<Uuid> = &kept.iter().map(|event| event.id.0).collect();
        let tenants: &Vec<&str> = &kept.iter().map(|event| event.tenant.as_str()).collect();
        let sessions: &Vec<Option<&str>> =
            &kept.iter().map(|event| event.session.as_ref().map(SessionId::as_str)).collect();
        let kinds: &Vec<&str> = &kept.iter().map(|event| event.kind.as_str()).collect();
        let ats: &Vec<i64> = &kept.iter().map(|event| event.at.as_millis()).collect();
        let bodies: &Vec<Vec<u8>> =
            &kept.iter().map(|event| self.vault.seal(&Place::Logged(event.id), &event.body)).collect();
        self.retrying("adding to the log of events", |_| async move {
            let mut transaction = self.pool.begin().await?;
            sqlx::query(LOCK).execute(&mut *transaction).await?;
            sqlx::query(APPEND)
                .bind(ids)
                .bind(tenants)
                .bind(sessions)
                .bind(kinds)
                .bind(ats)
                .bind(bodies)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        })
        .await
    }

    async fn read(&self, after: LogPosition, filter: &LogFilter, limit: u32) -> Result<LogPage, PortError> {
        let sessions: Option<Vec<&str>> =
            filter.sessions.as_ref().map(|sessions| sessions.iter().map(SessionId::as_str).collect());
        let kinds: Option<Vec<&str>> =
            filter.kinds.as_ref().map(|kinds| kinds.iter().map(|kind| kind.as_str()).collect());
        let rows: Vec<MaybeRow> = sqlx::query_as(READ)
            .bind(number(after))
            .bind(filter.tenant.as_ref().map(TenantId::as_str))
            .bind(sessions)
            .bind(kinds)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading the log of events", e))?;
        let newest = rows.first().map_or(0, |row| row.0);
        let entry = |row: MaybeRow| {
            let (_, position, id, tenant, session, kind, at, logged_at, body) = row;
            Some((position?, id?, tenant?, session, kind?, at?, logged_at?, body?))
        };
        let rows: Vec<Row> = rows.into_iter().filter_map(entry).collect();
        let full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
        let to = rows.last().filter(|_| full).map_or(newest, |last| last.0);
        let events = rows.into_iter().filter_map(|row| self.logged(row).transpose()).collect::<Result<_, _>>()?;
        Ok(LogPage { events, to: place(to).max(after) })
    }

    async fn at(&self, positions: &[LogPosition]) -> Result<Vec<Option<LoggedEvent>>, PortError> {
        let asked: Vec<i64> = positions.iter().map(|position| number(*position)).collect();
        let rows: Vec<Row> = sqlx::query_as(AT)
            .bind(asked)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading the log of events", e))?;
        let found = rows.into_iter().filter_map(|row| self.logged(row).transpose());
        let found = found.collect::<Result<Vec<_>, _>>()?;
        Ok(positions.iter().map(|place| found.iter().find(|entry| entry.position == *place).cloned()).collect())
    }

    async fn before(&self, moment: Timestamp) -> Result<LogPosition, PortError> {
        let last: Option<i64> = sqlx::query_scalar(BEFORE)
            .bind(moment.as_millis())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading the log of events", e))?;
        Ok(place(last.unwrap_or(0)))
    }

    async fn span(&self) -> Result<Option<LogSpan>, PortError> {
        let ends: (Option<i64>, Option<i64>) =
            sqlx::query_as(SPAN).fetch_one(&self.pool).await.map_err(|e| port_error("reading the log of events", e))?;
        Ok(match ends {
            (Some(oldest), Some(newest)) => Some(LogSpan { oldest: place(oldest), newest: place(newest) }),
            _ => None,
        })
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.retrying("forgetting old events", |_| async move {
            let done = sqlx::query(FORGET).bind(before.as_millis()).bind(i64::from(limit)).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
