//! The events: a table that publishers append to and subscribers follow. What is published enters the log of recent events
//! in the same transaction, so nobody has to carry it there.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::domain::{EventId, EventKind, OutboxEvent, SessionId, TenantId};
use kurir_core::port::{EventFilter, EventSink, EventSource, EventStream, PortError, ReceivedEvent};
use sqlx::sqlite::SqliteConnection;
use tokio::sync::watch;
use uuid::Uuid;

use super::database::Database;
use super::error::{SYSTEM, corrupt, sql};
use super::event_log;
use super::outbox::SealedEvent;
use super::row::row;

/// How many events a subscriber reads at once.
const READ_AHEAD: usize = 128;

/// The number of the newest event, watched by those that follow.
pub(super) struct Tail {
    newest: watch::Sender<i64>,
}

impl Tail {
    /// As the file has it.
    pub(super) async fn read(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM event").fetch_one(connection).await?;
        Ok(Self { newest: watch::Sender::new(newest.unwrap_or(0)) })
    }

    fn advance(&self, newest: i64) {
        // Publishers hear of their commits in any order.
        self.newest.send_if_modified(|known| {
            let further = newest > *known;
            *known = newest.max(*known);
            further
        });
    }
}

fn place(id: EventId) -> String {
    format!("event/{id}")
}

/// The events on SQLite, within one process: published here, followed here.
#[derive(Clone)]
pub struct SqliteEvents {
    pub(super) db: Arc<Database>,
}

/// Tells the followers once the commit is over, whether or not the publisher still waits for it.
struct Told {
    db: Arc<Database>,
    newest: i64,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.db.tail.advance(self.newest);
    }
}

#[async_trait]
impl EventSink for SqliteEvents {
    async fn publish(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        if events.is_empty() {
            return Ok(());
        }
        let logged = event_log::sealed(&self.db, events);
        let events: Vec<_> = events.iter().map(|event| SealedEvent::new(&self.db, event, &place(event.id))).collect();
        let db = self.db.clone();
        let told = self
            .db
            .writer
            .write("publishing events", move |connection| {
                Box::pin(async move {
                    let mut newest = 0;
                    for event in events {
                        let done = sqlx::query(
                            "INSERT INTO event (id, tenant, session, kind, at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        )
                        .bind(event.id.0.as_bytes().as_slice())
                        .bind(event.tenant.as_str())
                        .bind(event.session.as_ref().map(SessionId::as_str))
                        .bind(event.kind.as_str())
                        .bind(event.at)
                        .bind(event.body)
                        .execute(&mut *connection)
                        .await?;
                        newest = done.last_insert_rowid();
                    }
                    sqlx::query("DELETE FROM event WHERE seq <= ?1")
                        .bind(newest - db.events_kept)
                        .execute(&mut *connection)
                        .await?;
                    event_log::insert(&mut *connection, logged).await?;
                    Ok(Told { db, newest })
                })
            })
            .await?;
        drop(told);
        Ok(())
    }
}

#[async_trait]
impl EventSource for SqliteEvents {
    async fn subscribe(&self, filter: EventFilter) -> Result<Box<dyn EventStream>, PortError> {
        if self.db.stop.is_cancelled() {
            return Err(PortError::Closed(SYSTEM));
        }
        let mut newest = self.db.tail.newest.subscribe();
        let seen = *newest.borrow_and_update();
        Ok(Box::new(Following { db: self.db.clone(), filter, newest, seen, ahead: VecDeque::new() }))
    }
}

row! {
    struct Row {
        seq: i64,
        id: Vec<u8>,
        tenant: String,
        session: Option<String>,
        kind: String,
        body: Vec<u8>,
    }
}

/// One subscription.
struct Following {
    db: Arc<Database>,
    filter: EventFilter,
    newest: watch::Receiver<i64>,
    /// The last event that was read or passed over.
    seen: i64,
    ahead: VecDeque<Row>,
}

impl Following {
    async fn read(&mut self, newest: i64) -> Result<(), PortError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT seq, id, tenant, session, kind, body FROM event WHERE seq > ?1 AND seq <= ?2 \
             AND (?3 IS NULL OR tenant = ?3) AND (?4 IS NULL OR session = ?4) AND (?5 IS NULL OR kind = ?5) \
             ORDER BY seq LIMIT ?6",
        )
        .bind(self.seen)
        .bind(newest)
        .bind(self.filter.tenant.as_ref().map(TenantId::as_str))
        .bind(self.filter.session.as_ref().map(SessionId::as_str))
        .bind(self.filter.kind.map(EventKind::as_str))
        .bind(i64::try_from(READ_AHEAD).unwrap_or(1))
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading events", error))?;
        // Nothing is awaited from here on, so a dropped call loses no event.
        self.seen = match rows.last() {
            Some(last) if rows.len() == READ_AHEAD => last.seq,
            _ => newest,
        };
        self.ahead.extend(rows);
        Ok(())
    }

    fn received(&self, row: &Row) -> Result<ReceivedEvent, PortError> {
        let id = Uuid::from_slice(&row.id).map(EventId).map_err(|error| corrupt("an event's id", error))?;
        let body = self.db.sealer.open(&place(id), &row.body, || format!("event {id}"))?;
        let session = row.session.as_deref().unwrap_or("-");
        Ok(ReceivedEvent { routing_key: format!("{}.{session}.{}", row.tenant, row.kind), body })
    }
}

#[async_trait]
impl EventStream for Following {
    async fn next(&mut self) -> Result<Option<ReceivedEvent>, PortError> {
        loop {
            if self.db.stop.is_cancelled() {
                return Ok(None);
            }
            if let Some(row) = self.ahead.pop_front() {
                return self.received(&row).map(Some);
            }
            let newest = *self.newest.borrow_and_update();
            if newest > self.seen {
                match self.read(newest).await {
                    Err(PortError::Closed(_)) if self.db.stop.is_cancelled() => return Ok(None),
                    read => read?,
                }
                continue;
            }
            tokio::select! {
                // The sender lives in the database that this subscription holds.
                _ = self.newest.changed() => {}
                () = self.db.stop.cancelled() => {}
            }
        }
    }
}
