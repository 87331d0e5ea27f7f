//! Signal state.

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{Fence, SessionId, Timestamp};
use kurir_core::port::{PortError, StateBatch, StateKey, StateStore, Written};
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{corrupt, sql};
use super::sessions::{Guard, guard};

pub(super) fn place(session: &SessionId, area: &str, key: &str) -> String {
    format!("state/{session}/{area}/{key}")
}

/// A batch with its values sealed.
struct Sealed {
    fence: Fence,
    puts: Vec<(StateKey, Vec<u8>, Option<i64>)>,
    deletes: Vec<StateKey>,
}

impl Sealed {
    fn new(db: &Database, fence: Fence, batch: StateBatch) -> Self {
        let puts = batch.puts.into_iter().map(|put| {
            let sealed = db.sealer.seal(&place(&fence.session, put.at.area, &put.at.key), &put.value);
            (put.at, sealed, put.expires_at.map(Timestamp::as_millis))
        });
        let puts = puts.collect();
        Self { fence, puts, deletes: batch.deletes }
    }

    async fn apply(self, connection: &mut SqliteConnection) -> Result<Written, sqlx::Error> {
        if guard(connection, &self.fence).await? != Guard::Holds {
            return Ok(Written::Fenced);
        }
        let session = self.fence.session.as_str();
        for (at, value, expires_at) in self.puts {
            sqlx::query(
                "INSERT INTO state (session, area, key, value, expires_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (session, area, key) \
                 DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
            )
            .bind(session)
            .bind(at.area)
            .bind(at.key.as_bytes())
            .bind(value)
            .bind(expires_at)
            .execute(&mut *connection)
            .await?;
        }
        for at in self.deletes {
            sqlx::query("DELETE FROM state WHERE session = ?1 AND area = ?2 AND key = ?3")
                .bind(session)
                .bind(at.area)
                .bind(at.key.as_bytes())
                .execute(&mut *connection)
                .await?;
        }
        Ok(Written::Done)
    }
}

impl Database {
    pub(super) fn value(&self, session: &SessionId, area: &str, key: &str, sealed: &[u8]) -> Result<Bytes, PortError> {
        // The key may be a phone number.
        let what = || format!("a value of area {area:?} of session {session}");
        self.sealer.open(&place(session, area, key), sealed, what).map(Bytes::from)
    }
}

/// The first bytes that no key with this prefix reaches; `None` when every greater key has it.
fn after_prefix(prefix: &str) -> Option<Vec<u8>> {
    let mut bound = prefix.as_bytes().to_vec();
    // No byte of UTF-8 is 0xff, so the last one can be counted up.
    *bound.last_mut()? += 1;
    Some(bound)
}

#[async_trait]
impl StateStore for SqliteStore {
    async fn get(&self, session: &SessionId, keys: &[StateKey]) -> Result<Vec<Option<Bytes>>, PortError> {
        let failed = |error| sql("reading Signal state", error);
        if let [at] = keys {
            let sealed: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT value FROM state WHERE session = ?1 AND area = ?2 AND key = ?3")
                    .bind(session.as_str())
                    .bind(at.area)
                    .bind(at.key.as_bytes())
                    .fetch_optional(&self.db.readers)
                    .await
                    .map_err(failed)?;
            let value = sealed.map(|sealed| self.db.value(session, at.area, &at.key, &sealed)).transpose()?;
            return Ok(vec![value]);
        }
        // One statement for all: it sees one moment of the database, so batches are seen whole. The keys are in
        // hexadecimal, since JSON functions end a text at its first NUL.
        let asked: Vec<_> = keys.iter().map(|at| (at.area, hexadecimal(at.key.as_bytes()))).collect();
        let asked = serde_json::to_string(&asked).map_err(|error| corrupt("a list of keys", error))?;
        let rows: Vec<(String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT state.area, state.key, state.value FROM json_each(?2) AS asked CROSS JOIN state \
             ON state.session = ?1 AND state.area = asked.value ->> 0 AND state.key = unhex(asked.value ->> 1)",
        )
        .bind(session.as_str())
        .bind(asked)
        .fetch_all(&self.db.readers)
        .await
        .map_err(failed)?;
        let mut found = HashMap::with_capacity(rows.len());
        for (area, key, value) in &rows {
            found.insert((area.as_str(), key.as_slice()), value);
        }
        keys.iter()
            .map(|at| {
                let sealed = found.get(&(at.area, at.key.as_bytes()));
                sealed.map(|sealed| self.db.value(session, at.area, &at.key, sealed)).transpose()
            })
            .collect()
    }

    async fn scan(&self, session: &SessionId, area: &str, prefix: &str) -> Result<Vec<(String, Bytes)>, PortError> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT key, value FROM state \
             WHERE session = ?1 AND area = ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4) ORDER BY key",
        )
        .bind(session.as_str())
        .bind(area)
        .bind(prefix.as_bytes())
        .bind(after_prefix(prefix))
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("scanning Signal state", error))?;
        rows.into_iter()
            .map(|(key, sealed)| {
                let key = String::from_utf8(key)
                    .map_err(|_| corrupt(format!("a key of area {area:?} of session {session}"), "it is no text"))?;
                let value = self.db.value(session, area, &key, &sealed)?;
                Ok((key, value))
            })
            .collect()
    }

    async fn apply(&self, batches: Vec<(Fence, StateBatch)>) -> Result<Vec<Written>, PortError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let batches: Vec<_> = batches.into_iter().map(|(fence, batch)| Sealed::new(&self.db, fence, batch)).collect();
        self.db
            .writer
            .write("writing Signal state", move |connection| {
                Box::pin(async move {
                    let mut answers = Vec::with_capacity(batches.len());
                    for batch in batches {
                        answers.push(batch.apply(connection).await?);
                    }
                    Ok(answers)
                })
            })
            .await
    }

    async fn delete_expired(&self, fence: &Fence, area: &str, now: Timestamp) -> Result<u64, PortError> {
        let (fence, area) = (fence.clone(), area.to_owned());
        self.db
            .writer
            .write("removing expired Signal state", move |connection| {
                Box::pin(async move {
                    if guard(connection, &fence).await? != Guard::Holds {
                        return Ok(0);
                    }
                    let done = sqlx::query("DELETE FROM state WHERE session = ?1 AND area = ?2 AND expires_at <= ?3")
                        .bind(fence.session.as_str())
                        .bind(area)
                        .bind(now.as_millis())
                        .execute(connection)
                        .await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }

    async fn wipe(&self, fence: &Fence) -> Result<Written, PortError> {
        let fence = fence.clone();
        self.db
            .writer
            .write("wiping Signal state", move |connection| {
                Box::pin(async move {
                    if guard(connection, &fence).await? != Guard::Holds {
                        return Ok(Written::Fenced);
                    }
                    sqlx::query("DELETE FROM state WHERE session = ?1")
                        .bind(fence.session.as_str())
                        .execute(connection)
                        .await?;
                    Ok(Written::Done)
                })
            })
            .await
    }
}

/// Bytes as SQLite's `unhex` reads them.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a String can't fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}
