//! Files that messages carry.

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{Fence, MediaId, MediaRecord, MediaState, SessionId, TenantId, Timestamp};
use kurir_core::port::{MediaStore, PiecePut, PortError, reach};
use uuid::Uuid;

use super::database::{Database, SqliteStore};
use super::error::{corrupt, sql};
use super::row::row;
use super::sessions::{Guard, guard};

row! {
    struct Row {
        id: Vec<u8>,
        tenant: String,
        session: Option<String>,
        state: String,
        size: i64,
        created_at: i64,
        expires_at: i64,
        detail: Vec<u8>,
    }
}

const COLUMNS: &str = "id, tenant, session, state, size, created_at, expires_at, detail";

fn place(id: MediaId) -> String {
    format!("media/{id}")
}

fn piece_place(id: MediaId, at: u32) -> String {
    format!("media/{id}/{at}")
}

fn key(id: MediaId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

impl Database {
    fn media_detail(&self, media: &MediaRecord) -> Result<Vec<u8>, PortError> {
        let plain = serde_json::to_vec(&media.detail).map_err(|error| corrupt("a file to write", error))?;
        Ok(self.sealer.seal(&place(media.id), &plain))
    }

    fn media_record(&self, row: Row) -> Result<MediaRecord, PortError> {
        let id = Uuid::from_slice(&row.id).map(MediaId::new).map_err(|error| corrupt("a file's id", error))?;
        let what = || format!("the record of file {id}");
        let wrong = |error| corrupt(what(), error);
        let detail = self.sealer.open(&place(id), &row.detail, what)?;
        Ok(MediaRecord {
            id,
            tenant: TenantId::new(&row.tenant).map_err(wrong)?,
            session: row.session.map(SessionId::new).transpose().map_err(wrong)?,
            state: MediaState::parse(&row.state).ok_or_else(|| corrupt(what(), "its state is none"))?,
            size: u64::try_from(row.size).map_err(|error| corrupt(what(), error))?,
            created_at: Timestamp::from_millis(row.created_at),
            expires_at: Timestamp::from_millis(row.expires_at),
            // serde's own words may quote what is sealed.
            detail: serde_json::from_slice(&detail).map_err(|_| corrupt(what(), "it is not of the expected form"))?,
        })
    }
}

/// A length as SQLite counts; no file comes near the end of it.
fn count(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Makes room for a file that reaches so far, if its tenant has it.
const GROW: &str = "\
UPDATE media SET kept = max(kept, ?2) WHERE id = ?1 AND state IN ('filling', 'awaited') \
AND (SELECT bytes FROM media_use WHERE tenant = media.tenant) + max(?2 - kept, 0) <= ?3";

/// What the tenant of an open file has taken.
const USED: &str = "\
SELECT bytes FROM media_use JOIN media ON media.tenant = media_use.tenant \
WHERE media.id = ?1 AND media.state IN ('filling', 'awaited')";

#[async_trait]
impl MediaStore for SqliteStore {
    async fn enter_media(&self, media: &MediaRecord) -> Result<bool, PortError> {
        let (detail, media) = (self.db.media_detail(media)?, media.clone());
        self.db
            .writer
            .write("entering a file", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO media (id, tenant, session, state, size, created_at, expires_at, detail) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
                    )
                    .bind(key(media.id))
                    .bind(media.tenant.as_str())
                    .bind(media.session.as_ref().map(SessionId::as_str))
                    .bind(media.state.as_str())
                    .bind(count(media.size))
                    .bind(media.created_at.as_millis())
                    .bind(media.expires_at.as_millis())
                    .bind(detail)
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn put_piece(&self, id: MediaId, at: u32, bytes: Bytes, allowed: u64) -> Result<PiecePut, PortError> {
        let (reach, allowed) = (count(reach(at, bytes.len())), count(allowed));
        let sealed = self.db.sealer.seal(&piece_place(id, at), &bytes);
        self.db
            .writer
            .write("writing a piece of a file", move |connection| {
                Box::pin(async move {
                    let grown = sqlx::query(GROW).bind(key(id)).bind(reach).bind(allowed);
                    if grown.execute(&mut *connection).await?.rows_affected() == 0 {
                        let used: Option<i64> =
                            sqlx::query_scalar(USED).bind(key(id)).fetch_optional(connection).await?;
                        let full = |used: i64| PiecePut::Full { used: used.unsigned_abs() };
                        return Ok(used.map_or(PiecePut::Gone, full));
                    }
                    sqlx::query(
                        "INSERT INTO media_piece (media, at, bytes) VALUES (?1, ?2, ?3) \
                         ON CONFLICT (media, at) DO UPDATE SET bytes = excluded.bytes",
                    )
                    .bind(key(id))
                    .bind(at)
                    .bind(sealed)
                    .execute(connection)
                    .await?;
                    Ok(PiecePut::Done)
                })
            })
            .await
    }

    async fn settle_media(&self, media: &MediaRecord) -> Result<bool, PortError> {
        let (detail, media) = (self.db.media_detail(media)?, media.clone());
        self.db
            .writer
            .write("settling a file", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE media SET state = ?2, size = ?3, expires_at = ?4, detail = ?5, \
                         kept = iif(?2 = 'ready', kept, 0) WHERE id = ?1 AND state IN ('filling', 'awaited')",
                    )
                    .bind(key(media.id))
                    .bind(media.state.as_str())
                    .bind(count(media.size))
                    .bind(media.expires_at.as_millis())
                    .bind(detail)
                    .execute(&mut *connection)
                    .await?;
                    let settled = done.rows_affected() > 0;
                    if settled && media.state != MediaState::Ready {
                        let pieces = sqlx::query("DELETE FROM media_piece WHERE media = ?1").bind(key(media.id));
                        pieces.execute(connection).await?;
                    }
                    Ok(settled)
                })
            })
            .await
    }

    async fn media(&self, tenant: &TenantId, id: MediaId) -> Result<Option<MediaRecord>, PortError> {
        let statement = format!("SELECT {COLUMNS} FROM media WHERE id = ?1 AND tenant = ?2");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(key(id))
            .bind(tenant.as_str())
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading of a file", error))?;
        row.map(|row| self.db.media_record(row)).transpose()
    }

    async fn piece(&self, id: MediaId, at: u32) -> Result<Option<Bytes>, PortError> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM media_piece WHERE media = ?1 AND at = ?2")
            .bind(key(id))
            .bind(at)
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading a piece of a file", error))?;
        let open = |sealed: Vec<u8>| {
            let plain = self.db.sealer.open(&piece_place(id, at), &sealed, || format!("piece {at} of file {id}"));
            plain.map(Bytes::from)
        };
        sealed.map(open).transpose()
    }

    async fn keep_media(&self, tenant: &TenantId, id: MediaId, until: Timestamp) -> Result<(), PortError> {
        let tenant = tenant.clone();
        self.db
            .writer
            .write("keeping a file", move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE media SET expires_at = max(expires_at, ?3) WHERE id = ?1 AND tenant = ?2")
                        .bind(key(id))
                        .bind(tenant.as_str())
                        .bind(until.as_millis())
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn remove_media(&self, tenant: &TenantId, id: MediaId) -> Result<bool, PortError> {
        let tenant = tenant.clone();
        self.db
            .writer
            .write("removing a file", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query("DELETE FROM media WHERE id = ?1 AND tenant = ?2")
                        .bind(key(id))
                        .bind(tenant.as_str())
                        .execute(connection)
                        .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn remove_media_of(&self, fence: &Fence, limit: u32) -> Result<Option<u64>, PortError> {
        let fence = fence.clone();
        self.db
            .writer
            .write("removing the files of a session", move |connection| {
                Box::pin(async move {
                    if guard(connection, &fence).await? != Guard::Holds {
                        return Ok(None);
                    }
                    let done =
                        sqlx::query("DELETE FROM media WHERE id IN (SELECT id FROM media WHERE session = ?1 LIMIT ?2)")
                            .bind(fence.session.as_str())
                            .bind(limit)
                            .execute(connection)
                            .await?;
                    Ok(Some(done.rows_affected()))
                })
            })
            .await
    }

    async fn awaited_media(&self, session: &SessionId, limit: u32) -> Result<Vec<MediaRecord>, PortError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM media WHERE session = ?1 AND state = 'awaited' ORDER BY created_at, id LIMIT ?2"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(session.as_str())
            .bind(limit)
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("listing files that are awaited", error))?;
        rows.into_iter().map(|row| self.db.media_record(row)).collect()
    }

    async fn sweep_media(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        const OLD: &str = "\
            DELETE FROM media WHERE id IN \
            (SELECT id FROM media WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";
        self.db.forget("removing old files", OLD, before, limit).await
    }
}
