//! The job ledger.

use std::collections::HashMap;

use async_trait::async_trait;
use kurir_core::domain::{Fence, JobKey, LedgerEntry, MessageId, PhoneNumber, SenderPace, SessionId, Timestamp};
use kurir_core::port::{Ledger, LedgerWrite, PortError, Written};
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt, sql};
use super::index;
use super::outbox::{self, SealedEvent};
use super::sessions::{Guard, guard};
use super::spending::{self, Addressed, Together};
use super::state::hexadecimal;

/// A write with everything made ready for the transaction.
struct Prepared {
    fence: Option<Fence>,
    /// The entry as it will stand there.
    entry: LedgerEntry,
    json: String,
    /// The sender's state, and as it will stand there.
    spent: Option<(SenderPace, String)>,
    addressed: Addressed,
    mark: Option<[u8; 16]>,
    events: Vec<SealedEvent>,
    at: i64,
}

impl Prepared {
    fn new(db: &Database, write: LedgerWrite) -> Result<Self, PortError> {
        let entry = write.entry.as_written();
        // Only the first write knows the number.
        let mark = write.entry.to.as_ref().map(|to| index::mark(db, &entry.key.tenant, to));
        let json = serde_json::to_string(&entry).map_err(|error| corrupt("a ledger entry to write", error))?;
        let events = outbox::sealed(db, &write.events);
        let (mut spent, mut addressed) = (None, Addressed::default());
        // What is spent is the owner's, so only an owner writes it.
        if let (Some(fence), Some(of)) = (&write.fence, write.spent) {
            let json = serde_json::to_string(&of.pace).map_err(|error| corrupt("a sender's state to write", error))?;
            spent = Some((of.pace, json));
            addressed = Addressed {
                met: of.met.map(|recipient| spending::fingerprint(db, &fence.session, &recipient)),
                bulk: of.bulk.map(|recipient| spending::bulk_fingerprint(db, &fence.session, &recipient)),
            };
        }
        let at = db.clock.now().as_millis();
        Ok(Self { fence: write.fence, entry, json, spent, addressed, mark, events, at })
    }

    /// Writes the entry; false when another write came first.
    async fn store(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        // An entry of version 1 is the first one and must not be there; any other follows one.
        let statement = if self.entry.version == 1 {
            "INSERT INTO ledger (tenant, job, version, session, message_id, state, open, entry, updated_at, sent_at, \
             delivered_at, read_at, ended_at, lane, mark, batch, enqueued_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, \
             ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) ON CONFLICT (tenant, job) DO NOTHING"
        } else {
            "UPDATE ledger SET version = ?3, session = ?4, message_id = ?5, state = ?6, open = ?7, entry = ?8, \
             updated_at = ?9, sent_at = ?10, delivered_at = ?11, read_at = ?12, ended_at = ?13 WHERE tenant = ?1 AND job = ?2 AND version = ?3 - 1"
        };
        let query = sqlx::query(statement)
            .bind(self.entry.key.tenant.as_str())
            .bind(self.entry.key.job.as_uuid().as_bytes().as_slice())
            .bind(self.entry.version.cast_signed())
            .bind(self.entry.session.as_ref().map(SessionId::as_str))
            .bind(self.entry.message_id.as_str())
            .bind(self.entry.state.as_str())
            .bind(self.entry.state.is_open())
            .bind(self.json.as_str())
            .bind(self.at)
            .bind(self.entry.sent_at.map(Timestamp::as_millis))
            .bind(self.entry.delivered_at.map(Timestamp::as_millis))
            .bind(self.entry.read_at.map(Timestamp::as_millis))
            .bind(self.entry.ended_at.map(Timestamp::as_millis));
        // What it is found by stays as the first write says it.
        let query = if self.entry.version == 1 {
            query
                .bind(self.entry.lane.as_str())
                .bind(self.mark.as_ref().map(<[u8; 16]>::as_slice))
                .bind(self.entry.batch.map(|batch| batch.as_uuid().as_bytes().to_vec()))
                .bind(self.entry.enqueued_at.as_millis())
        } else {
            query
        };
        let stored = query.execute(&mut *connection).await?.rows_affected() > 0;
        let words = self.entry.metadata.iter().filter(|_| stored && self.entry.version == 1);
        for (key, value) in words {
            sqlx::query("INSERT INTO ledger_metadata (tenant, job, key, value) VALUES (?1, ?2, ?3, ?4)")
                .bind(self.entry.key.tenant.as_str())
                .bind(self.entry.key.job.as_uuid().as_bytes().as_slice())
                .bind(key.as_str())
                .bind(value.as_str())
                .execute(&mut *connection)
                .await?;
        }
        Ok(stored)
    }
}

/// Carries out all writes of a call, in one transaction.
async fn carry_out(connection: &mut SqliteConnection, writes: Vec<Prepared>) -> Result<Vec<Written>, Failure> {
    let mut answers = Vec::with_capacity(writes.len());
    // Nobody else writes in between, so each fence is asked for once.
    let mut fences: HashMap<Fence, Guard> = HashMap::new();
    let mut spent: HashMap<SessionId, Together> = HashMap::new();
    for write in writes {
        if let Some(fence) = &write.fence {
            let held = if let Some(held) = fences.get(fence) {
                *held
            } else {
                let held = guard(connection, fence).await?;
                fences.insert(fence.clone(), held);
                held
            };
            if held != Guard::Holds {
                answers.push(Written::Fenced);
                continue;
            }
        }
        if !write.store(connection).await? {
            answers.push(Written::Conflict);
            continue;
        }
        outbox::insert(connection, write.events).await?;
        if let (Some(fence), Some((state, json))) = (write.fence, write.spent) {
            spent.entry(fence.session).or_default().add(state, json, write.addressed);
        }
        answers.push(Written::Done);
    }
    for (session, together) in spent {
        together.save(connection, &session).await?;
    }
    Ok(answers)
}

pub(super) fn entry(json: &str) -> Result<LedgerEntry, PortError> {
    serde_json::from_str(json).map_err(|_| corrupt("a ledger entry", "it is none"))
}

#[async_trait]
impl Ledger for SqliteStore {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let writes: Vec<_> =
            writes.into_iter().map(|write| Prepared::new(&self.db, write)).collect::<Result<_, _>>()?;
        self.db.writer.write("writing the ledger", move |connection| Box::pin(carry_out(connection, writes))).await
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<_> =
            keys.iter().map(|key| (key.tenant.as_str(), hexadecimal(key.job.as_uuid().as_bytes()))).collect();
        let asked = serde_json::to_string(&asked).map_err(|error| corrupt("a list of jobs", error))?;
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT ledger.entry FROM json_each(?1) AS asked CROSS JOIN ledger \
             ON ledger.tenant = asked.value ->> 0 AND ledger.job = unhex(asked.value ->> 1)",
        )
        .bind(asked)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading the ledger", error))?;
        let mut found = HashMap::with_capacity(rows.len());
        for (json,) in rows {
            let entry = entry(&json)?;
            found.insert(entry.key.clone(), entry);
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<_> = ids.iter().map(MessageId::as_str).collect();
        let asked = serde_json::to_string(&asked).map_err(|error| corrupt("a list of messages", error))?;
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT ledger.entry FROM json_each(?2) AS asked CROSS JOIN ledger \
             ON ledger.session = ?1 AND ledger.message_id = asked.value",
        )
        .bind(session.as_str())
        .bind(asked)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading the ledger by message", error))?;
        let mut found = HashMap::with_capacity(rows.len());
        for (json,) in rows {
            let entry = entry(&json)?;
            found.insert(entry.message_id.clone(), entry);
        }
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError> {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT entry FROM ledger WHERE session = ?1 AND open = 1 LIMIT ?2")
            .bind(session.as_str())
            .bind(limit)
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("reading a session's open jobs", error))?;
        rows.iter().map(|(json,)| entry(json)).collect()
    }

    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError> {
        if recipients.is_empty() {
            return Ok(Vec::new());
        }
        spending::met(&self.db, session, recipients).await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        const OLD: &str = "\
            DELETE FROM ledger WHERE rowid IN \
            (SELECT rowid FROM ledger WHERE open = 0 AND updated_at < ?1 ORDER BY updated_at LIMIT ?2)";
        self.db.forget("forgetting old ledger entries", OLD, before, limit).await
    }
}
