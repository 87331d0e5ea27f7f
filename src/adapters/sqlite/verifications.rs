//! Verifications.

use async_trait::async_trait;
use kurir_core::domain::{
    NumberPrefix, PhoneNumber, PrefixId, PrefixRecord, Secret, TenantId, Timestamp, Verification, VerificationId,
    VerificationStatus,
};
use kurir_core::port::{
    Entered, LimitCharge, PortError, VerificationFilter, VerificationWrite, Verifications, Written,
};
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt, sql};
use super::outbox::{self, SealedEvent};
use super::prefixes::SealedTally;

/// A row as it is read: tenant, id, record.
type Row = (String, Vec<u8>, Vec<u8>);

/// What reads a [`Row`].
const COLUMNS: &str = "tenant, id, record";

fn place(tenant: &str, id: VerificationId) -> String {
    format!("verification/{tenant}/{id}")
}

fn place_of_code(tenant: &TenantId, id: VerificationId) -> String {
    format!("verification-code/{tenant}/{id}")
}

fn read(db: &Database, (tenant, id, record): &Row) -> Result<Verification, PortError> {
    let id = uuid::Uuid::from_slice(id).map(VerificationId::new);
    let id = id.map_err(|error| corrupt("a verification's id", error))?;
    let what = || format!("verification {id} of {tenant}");
    let plain = db.sealer.open(&place(tenant, id), record, what)?;
    // serde's message may quote the number.
    serde_json::from_slice(&plain).map_err(|_| corrupt(what(), "it is none"))
}

fn recipient(db: &Database, tenant: &TenantId, number: &PhoneNumber) -> [u8; 16] {
    db.sealer.fingerprint(&format!("verification/{tenant}"), number.digits())
}

/// A write with everything made ready for the transaction.
struct Prepared {
    record: Verification,
    recipient: [u8; 16],
    sealed: Vec<u8>,
    code: Option<Vec<u8>>,
    tally: Option<SealedTally>,
    events: Vec<SealedEvent>,
}

impl Prepared {
    fn new(db: &Database, write: VerificationWrite, code: Option<&Secret<String>>) -> Result<Self, PortError> {
        let mut record = write.record;
        record.version += 1;
        let json = serde_json::to_vec(&record).map_err(|_| corrupt("a verification to write", "it is no JSON"))?;
        Ok(Self {
            recipient: recipient(db, &record.tenant, &record.to),
            sealed: db.sealer.seal(&place(record.tenant.as_str(), record.id), &json),
            code: code.map(|code| db.sealer.seal(&place_of_code(&record.tenant, record.id), code.expose().as_bytes())),
            tally: write.tally.map(|tally| SealedTally::new(db, &record, tally)),
            events: outbox::sealed(db, &write.events),
            record,
        })
    }

    async fn insert(self, connection: &mut SqliteConnection) -> Result<Option<Row>, Failure> {
        let statement =
            format!("SELECT {COLUMNS} FROM verification WHERE tenant = ?1 AND recipient = ?2 AND ended_at IS NULL");
        let open: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(self.record.tenant.as_str())
            .bind(self.recipient.as_slice())
            .fetch_optional(&mut *connection)
            .await?;
        if open.is_some() {
            return Ok(open);
        }
        sqlx::query(
            "INSERT INTO verification (tenant, id, version, recipient, status, due_at, ended_at, record, code) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .bind(self.record.tenant.as_str())
        .bind(self.record.id.as_uuid().as_bytes().as_slice())
        .bind(self.record.version.cast_signed())
        .bind(self.recipient.as_slice())
        .bind(self.record.status.as_str())
        .bind(self.record.due_at.map(Timestamp::as_millis))
        .bind(self.record.ended_at.map(Timestamp::as_millis))
        .bind(self.sealed)
        .bind(self.code)
        .execute(&mut *connection)
        .await?;
        told(connection, self.tally, self.events).await?;
        Ok(None)
    }

    async fn update(self, connection: &mut SqliteConnection) -> Result<Written, Failure> {
        let done = sqlx::query(
            "UPDATE verification SET version = ?3, status = ?4, due_at = ?5, ended_at = ?6, record = ?7, \
             code = CASE WHEN ?6 IS NULL THEN code END WHERE tenant = ?1 AND id = ?2 AND version = ?3 - 1",
        )
        .bind(self.record.tenant.as_str())
        .bind(self.record.id.as_uuid().as_bytes().as_slice())
        .bind(self.record.version.cast_signed())
        .bind(self.record.status.as_str())
        .bind(self.record.due_at.map(Timestamp::as_millis))
        .bind(self.record.ended_at.map(Timestamp::as_millis))
        .bind(self.sealed)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(Written::Conflict);
        }
        told(connection, self.tally, self.events).await?;
        Ok(Written::Done)
    }
}

async fn told(
    connection: &mut SqliteConnection,
    tally: Option<SealedTally>,
    events: Vec<SealedEvent>,
) -> Result<(), Failure> {
    outbox::insert(connection, events).await?;
    if let Some(tally) = tally {
        tally.count(connection).await?;
    }
    Ok(())
}

impl SqliteStore {
    async fn one_verification(
        &self,
        ending: &str,
        tenant: &TenantId,
        key: &[u8],
    ) -> Result<Option<Verification>, PortError> {
        let statement = format!("SELECT {COLUMNS} FROM verification WHERE tenant = ?1 AND {ending}");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(tenant.as_str())
            .bind(key)
            .fetch_optional(&self.db.readers)
            .await
            .map_err(|error| sql("reading a verification", error))?;
        row.map(|row| read(&self.db, &row)).transpose()
    }
}

#[async_trait]
impl Verifications for SqliteStore {
    async fn enter(&self, new: VerificationWrite, code: &Secret<String>) -> Result<Entered, PortError> {
        let prepared = Prepared::new(&self.db, new, Some(code))?;
        let open = self
            .db
            .writer
            .write("entering a verification", move |connection| Box::pin(prepared.insert(connection)))
            .await?;
        match open {
            Some(row) => Ok(Entered::Open(Box::new(read(&self.db, &row)?))),
            None => Ok(Entered::New),
        }
    }

    async fn save(&self, write: VerificationWrite) -> Result<Written, PortError> {
        let prepared = Prepared::new(&self.db, write, None)?;
        self.db.writer.write("writing a verification", move |connection| Box::pin(prepared.update(connection))).await
    }

    async fn verification(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Verification>, PortError> {
        self.one_verification("id = ?2", tenant, id.as_uuid().as_bytes()).await
    }

    async fn latest_to(&self, tenant: &TenantId, to: &PhoneNumber) -> Result<Option<Verification>, PortError> {
        let recipient = recipient(&self.db, tenant, to);
        self.one_verification("recipient = ?2 ORDER BY ended_at IS NULL DESC, id DESC LIMIT 1", tenant, &recipient)
            .await
    }

    async fn code_of(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Secret<String>>, PortError> {
        let row: Option<(Option<Vec<u8>>,)> =
            sqlx::query_as("SELECT code FROM verification WHERE tenant = ?1 AND id = ?2")
                .bind(tenant.as_str())
                .bind(id.as_uuid().as_bytes().as_slice())
                .fetch_optional(&self.db.readers)
                .await
                .map_err(|error| sql("reading a code", error))?;
        let Some(sealed) = row.and_then(|(code,)| code) else { return Ok(None) };
        let what = || format!("the code of verification {id} of {tenant}");
        let plain = self.db.sealer.open(&place_of_code(tenant, id), &sealed, what)?;
        let code = String::from_utf8(plain).map_err(|_| corrupt(what(), "it is no text"))?;
        Ok(Some(Secret::new(code)))
    }

    async fn verifications(
        &self,
        tenant: &TenantId,
        filter: &VerificationFilter,
        before: Option<VerificationId>,
        limit: u32,
    ) -> Result<Vec<Verification>, PortError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM verification WHERE tenant = ?1 AND (?2 IS NULL OR id < ?2) \
             AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR recipient = ?4) ORDER BY id DESC LIMIT ?5"
        );
        let to = filter.to.as_ref().map(|to| recipient(&self.db, tenant, to).to_vec());
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(tenant.as_str())
            .bind(before.map(|id| id.as_uuid().as_bytes().to_vec()))
            .bind(filter.status.map(kurir_core::domain::VerificationStatus::as_str))
            .bind(to)
            .bind(limit)
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("listing verifications", error))?;
        rows.iter().map(|row| read(&self.db, row)).collect()
    }

    async fn count_from(
        &self,
        tenant: &TenantId,
        from: VerificationId,
    ) -> Result<Vec<(VerificationStatus, u64)>, PortError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT status, count(*) FROM verification WHERE tenant = ?1 AND id >= ?2 GROUP BY status")
                .bind(tenant.as_str())
                .bind(from.as_uuid().as_bytes().to_vec())
                .fetch_all(&self.db.readers)
                .await
                .map_err(|error| sql("counting verifications", error))?;
        let mut counts = Vec::with_capacity(rows.len());
        for (status, count) in rows {
            let status = VerificationStatus::parse(&status);
            let status = status.ok_or_else(|| corrupt("a verification's status", "it is none"))?;
            counts.push((status, count.cast_unsigned()));
        }
        counts.sort_by_key(|(status, _)| VerificationStatus::ALL.iter().position(|known| known == status));
        Ok(counts)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Verification>, PortError> {
        let statement = format!("SELECT {COLUMNS} FROM verification WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(now.as_millis())
            .bind(limit)
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("reading verifications that are due", error))?;
        rows.iter().map(|row| read(&self.db, row)).collect()
    }

    async fn forget_ended(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let before = before.as_millis();
        self.db
            .writer
            .write("forgetting old verifications", move |connection| {
                Box::pin(async move {
                    let gone = sqlx::query(
                        "DELETE FROM verification WHERE (tenant, id) IN (SELECT tenant, id FROM verification \
                         WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
                    )
                    .bind(before)
                    .bind(limit)
                    .execute(&mut *connection)
                    .await?;
                    super::prefixes::forget(connection, before, limit).await?;
                    Ok(gone.rows_affected())
                })
            })
            .await
    }

    async fn charge_all(&self, tenant: &TenantId, charges: &[LimitCharge]) -> Result<Option<usize>, PortError> {
        super::prefixes::charge_all(&self.db, tenant, charges).await
    }

    async fn prefix(&self, tenant: &TenantId, prefix: &NumberPrefix) -> Result<Option<PrefixRecord>, PortError> {
        super::prefixes::one(&self.db, tenant, super::prefixes::id_of(&self.db, tenant, prefix)).await
    }

    async fn prefixes(
        &self,
        tenant: &TenantId,
        after: Option<PrefixId>,
        limit: u32,
    ) -> Result<Vec<PrefixRecord>, PortError> {
        super::prefixes::page(&self.db, tenant, after, limit).await
    }

    async fn unblock(
        &self,
        tenant: &TenantId,
        id: PrefixId,
        now: Timestamp,
    ) -> Result<Option<PrefixRecord>, PortError> {
        super::prefixes::unblock(&self.db, tenant, id, now).await
    }
}
