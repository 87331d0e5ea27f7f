//! Sessions as a whole: copies, entries, another id.

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{Fence, PhoneNumber, PoolId, SessionId, SessionName, Timestamp, Wanted};
use kurir_core::port::{
    Acquaintance, Planted, PortError, SessionCopy, SessionEntry, SessionVault, StateValue, Written,
};
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt, sql};
use super::outbox::{self, SealedEvent};
use super::sessions::{Guard, Row, guard};
use super::{session_desk, spending, state};

/// What is read of the state in one go.
type StateRow = (String, Vec<u8>, Vec<u8>, Option<i64>);

/// An entry with everything sealed for its place.
struct Sealed {
    entry: SessionEntry,
    status: Vec<u8>,
    labels: String,
    limits: String,
    spent: String,
    state: Vec<(String, String, Vec<u8>, Option<i64>)>,
    met: Vec<[u8; 16]>,
    bulk: Vec<[u8; 16]>,
    events: Vec<SealedEvent>,
}

impl Sealed {
    fn new(db: &Database, entry: &SessionEntry) -> Result<Self, PortError> {
        let id = &entry.id;
        let state = entry.state.iter().map(|value| {
            let sealed = db.sealer.seal(&state::place(id, &value.area, &value.key), &value.value);
            (value.area.clone(), value.key.clone(), sealed, value.expires_at.map(Timestamp::as_millis))
        });
        Ok(Self {
            status: db.sealed_status(id, &entry.status)?,
            labels: session_desk::json(&entry.labels)?,
            limits: session_desk::json(&entry.limits)?,
            spent: serde_json::to_string(&entry.pace).map_err(|error| corrupt("a sender's state to write", error))?,
            state: state.collect(),
            met: entry.known.met.iter().map(|number| spending::fingerprint(db, id, number)).collect(),
            bulk: entry.known.bulk.iter().map(|number| spending::bulk_fingerprint(db, id, number)).collect(),
            events: outbox::sealed(db, &entry.events),
            // What is sealed above needs not be carried along a second time.
            entry: SessionEntry { state: Vec::new(), events: Vec::new(), ..entry.clone() },
        })
    }

    /// Writes all of it; false when there is a session of this id. Its claims go on from `epoch`.
    async fn insert(self, connection: &mut SqliteConnection, epoch: u64) -> Result<bool, sqlx::Error> {
        let Self { entry, status, labels, limits, spent, state, met, bulk, events } = self;
        let id = entry.id.as_str();
        let done = sqlx::query(
            "INSERT INTO session \
             (id, tenant, wanted, epoch, owner, pace, state, status, created_at, pool, name, labels, spent, limits) \
             VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(entry.tenant.as_str())
        .bind(entry.wanted.as_str())
        .bind(epoch.cast_signed())
        .bind(entry.pace.next.0.cast_signed())
        .bind(entry.status.state.as_str())
        .bind(status)
        .bind(entry.created_at.as_millis())
        .bind(entry.pool.as_ref().map(PoolId::as_str))
        .bind(entry.name.as_ref().map(SessionName::as_str))
        .bind(labels)
        .bind(spent)
        .bind(limits)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        for (area, key, value, expires_at) in state {
            sqlx::query("INSERT INTO state (session, area, key, value, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)")
                .bind(id)
                .bind(area)
                .bind(key.into_bytes())
                .bind(value)
                .bind(expires_at)
                .execute(&mut *connection)
                .await?;
        }
        for (statement, marks) in [(spending::MEET, met), (spending::BULK, bulk)] {
            for mark in marks {
                sqlx::query(statement).bind(id).bind(mark.as_slice()).execute(&mut *connection).await?;
            }
        }
        if entry.default {
            session_desk::set_default(connection, &entry.tenant, &entry.id).await?;
        }
        outbox::insert(connection, events).await?;
        Ok(true)
    }
}

/// Whether the session is this owner's and stopped.
async fn stopped(connection: &mut SqliteConnection, fence: &Fence) -> Result<Guard, sqlx::Error> {
    let held = guard(connection, fence).await?;
    if held != Guard::Holds {
        return Ok(held);
    }
    let wanted: String = sqlx::query_scalar("SELECT wanted FROM session WHERE id = ?1")
        .bind(fence.session.as_str())
        .fetch_one(connection)
        .await?;
    Ok(if wanted == Wanted::Stopped.as_str() { Guard::Holds } else { Guard::Fenced })
}

/// Removes the record with what hangs on it; the id's next session goes on from its epoch.
async fn remove(connection: &mut SqliteConnection, fence: &Fence) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM session WHERE id = ?1").bind(fence.session.as_str()).execute(&mut *connection).await?;
    sqlx::query(
        "INSERT INTO retired_session (id, epoch) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch",
    )
    .bind(fence.session.as_str())
    .bind(fence.epoch.0.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

/// What names a session by its id, with the new one in the place of the old. Versions grow, so that nobody writes an entry as
/// it was read before.
const FOLLOW: [&str; 4] = [
    "UPDATE ledger SET session = ?2, version = version + 1, \
     entry = json_set(entry, '$.session', ?2, '$.version', version + 1) WHERE session = ?1",
    "UPDATE media SET session = ?2 WHERE session = ?1",
    "UPDATE default_session SET session = ?2 WHERE session = ?1",
    "UPDATE api_key SET sessions = (SELECT json_group_array(CASE one.value WHEN ?1 THEN ?2 ELSE one.value END) \
     FROM json_each(api_key.sessions) AS one) \
     WHERE EXISTS (SELECT 1 FROM json_each(api_key.sessions) AS own WHERE own.value = ?1)",
];

#[async_trait]
impl SessionVault for SqliteStore {
    async fn copy(&self, id: &SessionId) -> Result<Option<SessionCopy>, PortError> {
        let failed = |error| sql("copying a session", error);
        // In WAL mode a transaction of a reader sees one moment, whatever is written meanwhile.
        let mut moment = self.db.readers.begin().await.map_err(failed)?;
        let row: Option<Row> = sqlx::query_as("SELECT * FROM session WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(&mut *moment)
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let default: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM default_session WHERE session = ?1)")
            .bind(id.as_str())
            .fetch_one(&mut *moment)
            .await
            .map_err(failed)?;
        let rows: Vec<StateRow> =
            sqlx::query_as("SELECT area, key, value, expires_at FROM state WHERE session = ?1 ORDER BY area, key")
                .bind(id.as_str())
                .fetch_all(&mut *moment)
                .await
                .map_err(failed)?;
        moment.commit().await.map_err(failed)?;
        let value = |(area, key, sealed, expires_at): StateRow| {
            let what = || format!("a key of area {area:?} of session {id}");
            let key = String::from_utf8(key).map_err(|_| corrupt(what(), "it is no text"))?;
            let value: Bytes = self.db.value(id, &area, &key, &sealed)?;
            Ok(StateValue { area, key, value, expires_at: expires_at.map(Timestamp::from_millis) })
        };
        let state = rows.into_iter().map(value).collect::<Result<_, PortError>>()?;
        Ok(Some(SessionCopy { record: self.db.session(row)?, default, state }))
    }

    async fn acquainted(&self, id: &SessionId, numbers: &[PhoneNumber]) -> Result<Vec<Acquaintance>, PortError> {
        let met = spending::met(&self.db, id, numbers).await?;
        let mut known = Vec::with_capacity(numbers.len());
        for (number, met) in numbers.iter().zip(met) {
            let mark = spending::bulk_fingerprint(&self.db, id, number);
            let bulk = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM bulk_recipient WHERE session = ?1 AND recipient = ?2)",
            )
            .bind(id.as_str())
            .bind(mark.as_slice())
            .fetch_one(&self.db.readers)
            .await
            .map_err(|error| sql("looking up whom a session has written to", error))?;
            known.push(Acquaintance { met, bulk });
        }
        Ok(known)
    }

    async fn plant(&self, entry: &SessionEntry, replaces: Option<&Fence>) -> Result<Planted, PortError> {
        let sealed = Sealed::new(&self.db, entry)?;
        let replaces = replaces.cloned();
        self.db
            .writer
            .write("entering a session", move |connection| {
                Box::pin(async move {
                    let epoch = replaces.as_ref().map_or(0, |fence| fence.epoch.0);
                    if let Some(fence) = &replaces {
                        if stopped(connection, fence).await? != Guard::Holds {
                            return Ok(Planted::Fenced);
                        }
                        remove(connection, fence).await?;
                    }
                    Ok(if sealed.insert(connection, epoch).await? { Planted::Done } else { Planted::Exists })
                })
            })
            .await
    }

    async fn take_out(&self, fence: &Fence) -> Result<Written, PortError> {
        let fence = fence.clone();
        self.db
            .writer
            .write("taking a session out", move |connection| {
                Box::pin(async move {
                    match guard(connection, &fence).await? {
                        Guard::Gone => return Ok(Written::Conflict),
                        Guard::Fenced => return Ok(Written::Fenced),
                        Guard::Holds => {}
                    }
                    if stopped(connection, &fence).await? != Guard::Holds {
                        return Ok(Written::Conflict);
                    }
                    remove(connection, &fence).await?;
                    Ok(Written::Done)
                })
            })
            .await
    }

    async fn change_id(&self, fence: &Fence, entry: &SessionEntry) -> Result<Planted, PortError> {
        let sealed = Sealed::new(&self.db, entry)?;
        let (fence, new) = (fence.clone(), entry.id.clone());
        self.db
            .writer
            .write("changing a session's id", move |connection| {
                Box::pin(async move {
                    if stopped(connection, &fence).await? != Guard::Holds {
                        return Ok(Planted::Fenced);
                    }
                    if !sealed.insert(connection, 0).await? {
                        return Ok(Planted::Exists);
                    }
                    for statement in FOLLOW {
                        sqlx::query(statement)
                            .bind(fence.session.as_str())
                            .bind(new.as_str())
                            .execute(&mut *connection)
                            .await?;
                    }
                    remove(connection, &fence).await?;
                    Ok::<_, Failure>(Planted::Done)
                })
            })
            .await
    }
}
