//! A session's Signal state.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{Epoch, Fence, SessionId, Timestamp};
use kurir_core::port::{PortError, StateBatch, StateKey, StatePut, StateStore, Written};
use sqlx::Row as _;

use super::PostgresStore;
use super::error::{corrupt, port_error};
use super::rows;
use super::sealing::{Place, Vault};

// OFFSET 0 keeps the look-ups apart, one descent of the index each; joined as a set, all of the session's rows might
// be read instead.
const GET: &str = "\
SELECT s.value
FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS k(area, key, ord)
LEFT JOIN LATERAL (
    SELECT value FROM state WHERE session = $1 AND area = k.area AND key = k.key OFFSET 0
) s ON true
ORDER BY k.ord";

const SCAN: &str = "\
SELECT key, value FROM state WHERE session = $1 AND area = $2 ORDER BY key";

const SCAN_RANGE: &str = "\
SELECT key, value FROM state WHERE session = $1 AND area = $2 AND key >= $3 AND key < $4 ORDER BY key";

macro_rules! apply {
    ($lock:literal) => {
        concat!(
            "\
WITH held AS MATERIALIZED (
    SELECT id, epoch FROM session WHERE id = ANY($1) ORDER BY id FOR ",
            $lock,
            "
), put AS (
    INSERT INTO state (session, area, key, value, expires_at)
    SELECT p.session, p.area, p.key, p.value, p.expires_at
    FROM unnest($3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::bytea[], $8::bigint[])
         AS p(session, epoch, area, key, value, expires_at)
    JOIN held ON held.id = p.session AND held.epoch = p.epoch
    ORDER BY held.id, p.area COLLATE \"C\", p.key
    ON CONFLICT (session, area, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
), gone AS (
    DELETE FROM state s
    USING unnest($9::text[], $10::bigint[], $11::text[], $12::bytea[]) AS d(session, epoch, area, key), held
    WHERE held.id = d.session AND held.epoch = d.epoch
      AND s.session = d.session AND s.area = d.area AND s.key = d.key
)
SELECT held.id IS NOT NULL
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS b(session, epoch, ord)
LEFT JOIN held ON held.id = b.session AND held.epoch = b.epoch
ORDER BY b.ord"
        )
    };
}

// Two calls of one owner that write what the other deletes may wait for each other's rows; PostgreSQL then ends one.
// That one comes back alone: it waits for the session's other writers before it touches any row, so it can't be part
// of such a circle again.
const APPLY: &str = apply!("SHARE");
const APPLY_ALONE: &str = apply!("NO KEY UPDATE");

const DELETE_EXPIRED: &str = "\
WITH held AS MATERIALIZED (SELECT id FROM session WHERE id = $1 AND epoch = $2 FOR SHARE)
DELETE FROM state s USING held
WHERE s.session = held.id AND s.area = $3 AND s.expires_at <= $4";

const WIPE: &str = "\
WITH held AS MATERIALIZED (
    SELECT id FROM session WHERE id = $1 AND epoch = $2 FOR SHARE
), gone AS (
    DELETE FROM state s USING held WHERE s.session = held.id
)
SELECT count(*) > 0 FROM held";

/// The batches of one call, column by column. Each place is named once: the last word on it counts.
#[derive(Default)]
struct Columns<'a> {
    sessions: Vec<&'a str>,
    epochs: Vec<i64>,
    puts: PutColumns<'a>,
    deletes: PlaceColumns<'a>,
}

#[derive(Default)]
struct PlaceColumns<'a> {
    sessions: Vec<&'a str>,
    epochs: Vec<i64>,
    areas: Vec<&'static str>,
    keys: Vec<&'a [u8]>,
}

#[derive(Default)]
struct PutColumns<'a> {
    at: PlaceColumns<'a>,
    values: Vec<Vec<u8>>,
    expiries: Vec<Option<i64>>,
}

impl<'a> PlaceColumns<'a> {
    fn push(&mut self, session: &'a SessionId, epoch: Epoch, area: &'static str, key: &'a str) {
        self.sessions.push(session.as_str());
        self.epochs.push(rows::epoch(epoch));
        self.areas.push(area);
        self.keys.push(key.as_bytes());
    }
}

impl<'a> Columns<'a> {
    fn new(vault: &Vault, batches: &'a [(Fence, StateBatch)]) -> Self {
        // A call may hold batches of one session under two epochs; only one of them can be right, so they must not
        // replace each other.
        let mut last: BTreeMap<(&SessionId, Epoch, &'static str, &str), Option<&StatePut>> = BTreeMap::new();
        let mut columns = Self::default();
        for (fence, batch) in batches {
            columns.sessions.push(fence.session.as_str());
            columns.epochs.push(rows::epoch(fence.epoch));
            for put in &batch.puts {
                last.insert((&fence.session, fence.epoch, put.at.area, &put.at.key), Some(put));
            }
            for at in &batch.deletes {
                last.insert((&fence.session, fence.epoch, at.area, &at.key), None);
            }
        }
        for ((session, epoch, area, key), put) in last {
            let Some(put) = put else {
                columns.deletes.push(session, epoch, area, key);
                continue;
            };
            columns.puts.at.push(session, epoch, area, key);
            columns.puts.values.push(vault.seal(&Place::State { session, area, key }, &put.value));
            columns.puts.expiries.push(put.expires_at.map(Timestamp::as_millis));
        }
        columns
    }
}

/// The first byte string after all that start with `prefix`; `None` when there is none. The bytes of UTF-8 stay below
/// 0xff, so it is there unless the prefix is empty.
fn end_of(prefix: &str) -> Option<Vec<u8>> {
    let mut end = prefix.as_bytes().to_vec();
    let last = end.last_mut()?;
    *last += 1;
    Some(end)
}

#[async_trait]
impl StateStore for PostgresStore {
    async fn get(&self, session: &SessionId, keys: &[StateKey]) -> Result<Vec<Option<Bytes>>, PortError> {
        const ACTION: &str = "reading Signal state";
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let areas: Vec<&str> = keys.iter().map(|at| at.area).collect();
        let names: Vec<&[u8]> = keys.iter().map(|at| at.key.as_bytes()).collect();
        let rows = sqlx::query(GET)
            .bind(session.as_str())
            .bind(&areas)
            .bind(&names)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error(ACTION, e))?;
        keys.iter()
            .zip(&rows)
            .map(|(at, row)| {
                let sealed: Option<&[u8]> = row.try_get(0).map_err(|e| port_error(ACTION, e))?;
                let place = Place::State { session, area: at.area, key: &at.key };
                sealed.map(|sealed| self.vault.open(&place, sealed).map(Bytes::from)).transpose()
            })
            .collect()
    }

    async fn scan(&self, session: &SessionId, area: &str, prefix: &str) -> Result<Vec<(String, Bytes)>, PortError> {
        const ACTION: &str = "scanning Signal state";
        let query = match end_of(prefix) {
            None => sqlx::query(SCAN).bind(session.as_str()).bind(area),
            Some(end) => sqlx::query(SCAN_RANGE).bind(session.as_str()).bind(area).bind(prefix.as_bytes()).bind(end),
        };
        let rows = query.fetch_all(&self.pool).await.map_err(|e| port_error(ACTION, e))?;
        rows.iter()
            .map(|row| {
                let key: Vec<u8> = row.try_get(0).map_err(|e| port_error(ACTION, e))?;
                let key = String::from_utf8(key)
                    .map_err(|e| corrupt(format!("a key in area {area} of session {session}"), e.utf8_error()))?;
                let sealed: &[u8] = row.try_get(1).map_err(|e| port_error(ACTION, e))?;
                let plain = self.vault.open(&Place::State { session, area, key: &key }, sealed)?;
                Ok((key, Bytes::from(plain)))
            })
            .collect()
    }

    async fn apply(&self, batches: Vec<(Fence, StateBatch)>) -> Result<Vec<Written>, PortError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let columns = &Columns::new(&self.vault, &batches);
        let held: Vec<bool> = self
            .retrying("writing Signal state", |again| async move {
                sqlx::query_scalar(if again { APPLY_ALONE } else { APPLY })
                    .bind(&columns.sessions)
                    .bind(&columns.epochs)
                    .bind(&columns.puts.at.sessions)
                    .bind(&columns.puts.at.epochs)
                    .bind(&columns.puts.at.areas)
                    .bind(&columns.puts.at.keys)
                    .bind(&columns.puts.values)
                    .bind(&columns.puts.expiries)
                    .bind(&columns.deletes.sessions)
                    .bind(&columns.deletes.epochs)
                    .bind(&columns.deletes.areas)
                    .bind(&columns.deletes.keys)
                    .fetch_all(&self.pool)
                    .await
            })
            .await?;
        Ok(held.into_iter().map(|held| if held { Written::Done } else { Written::Fenced }).collect())
    }

    async fn delete_expired(&self, fence: &Fence, area: &str, now: Timestamp) -> Result<u64, PortError> {
        self.retrying("removing expired Signal state", |_| async move {
            let done = sqlx::query(DELETE_EXPIRED)
                .bind(fence.session.as_str())
                .bind(rows::epoch(fence.epoch))
                .bind(area)
                .bind(now.as_millis())
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected())
        })
        .await
    }

    async fn wipe(&self, fence: &Fence) -> Result<Written, PortError> {
        let held: bool = self
            .retrying("wiping Signal state", |_| async move {
                sqlx::query_scalar(WIPE)
                    .bind(fence.session.as_str())
                    .bind(rows::epoch(fence.epoch))
                    .fetch_one(&self.pool)
                    .await
            })
            .await?;
        Ok(if held { Written::Done } else { Written::Fenced })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_follows_all_that_start_with_it() {
        assert_eq!(end_of(""), None);
        for prefix in ["a", "a_", "a%", "é", "\u{10ffff}", "\0"] {
            let end = end_of(prefix).unwrap();
            assert!(format!("{prefix}\u{10ffff}\u{10ffff}").as_bytes() < end.as_slice(), "{prefix:?}");
            assert!(prefix.as_bytes() < end.as_slice());
        }
    }
}
