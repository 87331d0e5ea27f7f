//! Files that messages carry.

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{Fence, MediaId, MediaRecord, MediaState, SessionId, TenantId, Timestamp};
use kurir_core::port::{MediaStore, PiecePut, PortError, reach};
use uuid::Uuid;

use super::PostgresStore;
use super::error::{corrupt, port_error};
use super::rows;
use super::sealing::{Place, Vault};

// What a tenant's files take stands in one row, which every statement changes after the rows of its files. Removing some gives
// back what they took, by a trigger.

const ENTER: &str = "\
WITH used AS (INSERT INTO media_use (tenant, bytes) VALUES ($2, 0) ON CONFLICT (tenant) DO NOTHING)
INSERT INTO media (id, tenant, session, state, size, created_at, expires_at, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";

// The lock keeps the file from being settled or removed meanwhile. Of those who want the room at the same time each waits for
// the one before, and the condition is looked at anew with what that one has left.
const PIECE: &str = "\
WITH file AS MATERIALIZED (
    SELECT id, tenant, greatest($4 - kept, 0) AS more FROM media
    WHERE id = $1 AND state IN ('filling', 'awaited') FOR UPDATE
), used AS (
    UPDATE media_use SET bytes = bytes + more FROM file
    WHERE media_use.tenant = file.tenant AND bytes + more <= $5 RETURNING id
), grown AS (
    UPDATE media SET kept = greatest(kept, $4) FROM used WHERE media.id = used.id
), piece AS (
    INSERT INTO media_piece (media, at, bytes) SELECT id, $2, $3 FROM used
    ON CONFLICT (media, at) DO UPDATE SET bytes = excluded.bytes RETURNING media
)
SELECT EXISTS (SELECT FROM piece) FROM file";

const USED: &str = "SELECT bytes FROM media_use JOIN media ON media.tenant = media_use.tenant WHERE media.id = $1";

const SETTLE: &str = "\
WITH file AS MATERIALIZED (
    SELECT id, tenant, CASE WHEN $2 = 'ready' THEN 0 ELSE kept END AS less FROM media
    WHERE id = $1 AND state IN ('filling', 'awaited') FOR UPDATE
), pieces AS (
    DELETE FROM media_piece USING file WHERE media = file.id AND $2 <> 'ready'
), used AS (
    UPDATE media_use SET bytes = bytes - less FROM file WHERE media_use.tenant = file.tenant AND less > 0
)
UPDATE media SET state = $2, size = $3, expires_at = $4, detail = $5, kept = kept - less
FROM file WHERE media.id = file.id";

const ONE: &str = "\
SELECT id, tenant, session, state, size, created_at, expires_at, detail FROM media WHERE id = $1 AND tenant = $2";

const KEEP: &str = "UPDATE media SET expires_at = greatest(expires_at, $3) WHERE id = $1 AND tenant = $2";

const AWAITED: &str = "\
SELECT id, tenant, session, state, size, created_at, expires_at, detail FROM media
WHERE session = $1 AND state = 'awaited' ORDER BY created_at, id LIMIT $2";

// The share lock keeps the session from being claimed meanwhile.
const REMOVE_OF: &str = "\
WITH held AS MATERIALIZED (
    SELECT id FROM session WHERE id = $1 AND epoch = $2 FOR SHARE
), theirs AS MATERIALIZED (
    SELECT m.id FROM media m JOIN held ON m.session = held.id ORDER BY m.id LIMIT $3 FOR UPDATE OF m
), gone AS (
    DELETE FROM media USING theirs WHERE media.id = theirs.id RETURNING media.id
)
SELECT CASE WHEN EXISTS (SELECT 1 FROM held) THEN (SELECT count(*) FROM gone) END";

// What another sweeper is at is left to it.
const SWEEP: &str = "\
WITH old AS MATERIALIZED (
    SELECT id FROM media WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM media USING old WHERE media.id = old.id";

/// A row as it stands there, in the order of the statements' columns.
type Row = (Uuid, String, Option<String>, String, i64, i64, i64, Vec<u8>);

fn read(vault: &Vault, row: Row) -> Result<MediaRecord, PortError> {
    let (id, tenant, session, state, size, created_at, expires_at, detail) = row;
    let id = MediaId::new(id);
    let wrong = |what: &str| corrupt(format!("the {what} of file {id}"), "it is none");
    Ok(MediaRecord {
        id,
        tenant: TenantId::new(&tenant).map_err(|_| wrong("tenant"))?,
        session: session.map(SessionId::new).transpose().map_err(|_| wrong("session"))?,
        state: MediaState::parse(&state).ok_or_else(|| wrong("state"))?,
        size: u64::try_from(size).map_err(|_| wrong("size"))?,
        created_at: Timestamp::from_millis(created_at),
        expires_at: Timestamp::from_millis(expires_at),
        detail: vault.open_json(&Place::Media(id), &detail)?,
    })
}

/// A length as PostgreSQL counts; no file comes near the end of it.
fn count(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn place(at: u32) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

#[async_trait]
impl MediaStore for PostgresStore {
    async fn enter_media(&self, media: &MediaRecord) -> Result<bool, PortError> {
        let detail = &self.vault.seal_json(&Place::Media(media.id), &media.detail)?;
        self.retrying("entering a file", |_| async move {
            let done = sqlx::query(ENTER)
                .bind(media.id.as_uuid())
                .bind(media.tenant.as_str())
                .bind(media.session.as_ref().map(SessionId::as_str))
                .bind(media.state.as_str())
                .bind(count(media.size))
                .bind(media.created_at.as_millis())
                .bind(media.expires_at.as_millis())
                .bind(detail)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn put_piece(&self, id: MediaId, at: u32, bytes: Bytes, allowed: u64) -> Result<PiecePut, PortError> {
        let (reach, allowed) = (count(reach(at, bytes.len())), count(allowed));
        let sealed = &self.vault.seal(&Place::MediaPiece(id, at), &bytes);
        self.retrying("writing a piece of a file", |_| async move {
            let piece = sqlx::query_scalar(PIECE).bind(id.as_uuid()).bind(place(at)).bind(sealed);
            match piece.bind(reach).bind(allowed).fetch_optional(&self.pool).await? {
                None => Ok(PiecePut::Gone),
                Some(true) => Ok(PiecePut::Done),
                Some(false) => {
                    let used: Option<i64> =
                        sqlx::query_scalar(USED).bind(id.as_uuid()).fetch_optional(&self.pool).await?;
                    Ok(used.map_or(PiecePut::Gone, |used| PiecePut::Full { used: used.unsigned_abs() }))
                }
            }
        })
        .await
    }

    async fn settle_media(&self, media: &MediaRecord) -> Result<bool, PortError> {
        let detail = &self.vault.seal_json(&Place::Media(media.id), &media.detail)?;
        self.retrying("settling a file", |_| async move {
            let done = sqlx::query(SETTLE)
                .bind(media.id.as_uuid())
                .bind(media.state.as_str())
                .bind(count(media.size))
                .bind(media.expires_at.as_millis())
                .bind(detail)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn media(&self, tenant: &TenantId, id: MediaId) -> Result<Option<MediaRecord>, PortError> {
        let row: Option<Row> = sqlx::query_as(ONE)
            .bind(id.as_uuid())
            .bind(tenant.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading of a file", e))?;
        row.map(|row| read(&self.vault, row)).transpose()
    }

    async fn piece(&self, id: MediaId, at: u32) -> Result<Option<Bytes>, PortError> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM media_piece WHERE media = $1 AND at = $2")
            .bind(id.as_uuid())
            .bind(place(at))
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading a piece of a file", e))?;
        let open = |sealed: Vec<u8>| self.vault.open(&Place::MediaPiece(id, at), &sealed).map(Bytes::from);
        sealed.map(open).transpose()
    }

    async fn keep_media(&self, tenant: &TenantId, id: MediaId, until: Timestamp) -> Result<(), PortError> {
        self.retrying("keeping a file", |_| async move {
            sqlx::query(KEEP)
                .bind(id.as_uuid())
                .bind(tenant.as_str())
                .bind(until.as_millis())
                .execute(&self.pool)
                .await
                .map(drop)
        })
        .await
    }

    async fn remove_media(&self, tenant: &TenantId, id: MediaId) -> Result<bool, PortError> {
        self.retrying("removing a file", |_| async move {
            let done = sqlx::query("DELETE FROM media WHERE id = $1 AND tenant = $2")
                .bind(id.as_uuid())
                .bind(tenant.as_str())
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn remove_media_of(&self, fence: &Fence, limit: u32) -> Result<Option<u64>, PortError> {
        let removed: Option<i64> = self
            .retrying("removing the files of a session", |_| async move {
                sqlx::query_scalar(REMOVE_OF)
                    .bind(fence.session.as_str())
                    .bind(rows::epoch(fence.epoch))
                    .bind(i64::from(limit))
                    .fetch_one(&self.pool)
                    .await
            })
            .await?;
        Ok(removed.map(i64::unsigned_abs))
    }

    async fn awaited_media(&self, session: &SessionId, limit: u32) -> Result<Vec<MediaRecord>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(AWAITED)
            .bind(session.as_str())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing files that are awaited", e))?;
        rows.into_iter().map(|row| read(&self.vault, row)).collect()
    }

    async fn sweep_media(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.retrying("removing old files", |_| async move {
            let done = sqlx::query(SWEEP).bind(before.as_millis()).bind(i64::from(limit)).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
