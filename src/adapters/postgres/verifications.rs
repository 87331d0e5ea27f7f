//! Verifications.

use async_trait::async_trait;
use kurir_core::domain::{
    NumberPrefix, PhoneNumber, PrefixId, PrefixRecord, Secret, TenantId, Timestamp, Verification, VerificationId,
    VerificationStatus,
};
use kurir_core::port::{
    Entered, LimitCharge, PortError, VerificationFilter, VerificationWrite, Verifications, Written,
};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::error::{corrupt, port_error, refused};
use super::prefixes::{self, SealedTally};
use super::rows::{self, EventColumns, count};
use super::sealing::{Place, Vault};
use super::{PostgresStore, outbox};

/// A row as it is read: tenant, id, record.
type Row = (String, Uuid, Vec<u8>);

const INSERT: &str = "\
INSERT INTO verification (tenant, id, version, recipient, status, due_at, ended_at, record, code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant, recipient) WHERE ended_at IS NULL DO NOTHING";

const UPDATE: &str = "\
UPDATE verification SET version = $3, status = $4, due_at = $5, ended_at = $6, record = $7,
       code = CASE WHEN $6::bigint IS NULL THEN code END
WHERE tenant = $1 AND id = $2 AND version = $3 - 1";

const OPEN: &str = "\
SELECT tenant, id, record FROM verification WHERE tenant = $1 AND recipient = $2 AND ended_at IS NULL";

const ONE: &str = "SELECT tenant, id, record FROM verification WHERE tenant = $1 AND id = $2";

const LATEST: &str = "\
SELECT tenant, id, record FROM verification WHERE tenant = $1 AND recipient = $2
ORDER BY ended_at IS NULL DESC, id DESC LIMIT 1";

const CODE: &str = "SELECT code FROM verification WHERE tenant = $1 AND id = $2";

const LIST: &str = "\
SELECT tenant, id, record FROM verification
WHERE tenant = $1 AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR status = $3)
  AND ($4::bytea IS NULL OR recipient = $4)
ORDER BY id DESC LIMIT $5";

const COUNT: &str = "\
SELECT status, count(*) FROM verification WHERE tenant = $1 AND id >= $2 GROUP BY status";

const DUE: &str = "SELECT tenant, id, record FROM verification WHERE due_at <= $1 ORDER BY due_at LIMIT $2";

const FORGET: &str = "\
WITH old AS MATERIALIZED (
    SELECT tenant, id FROM verification WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM verification v USING old WHERE v.tenant = old.tenant AND v.id = old.id";

fn read(vault: &Vault, (tenant, id, record): &Row) -> Result<Verification, PortError> {
    let tenant = TenantId::new(tenant).map_err(|e| corrupt(format!("the tenant of verification {id}"), e))?;
    vault.open_json(&Place::Verification(&tenant, VerificationId::new(*id)), record)
}

fn recipient(vault: &Vault, tenant: &TenantId, number: &PhoneNumber) -> Vec<u8> {
    vault.fingerprint(&format!("verification/{tenant}"), number.digits()).to_vec()
}

/// A write with everything made ready for the transaction.
struct Prepared<'a> {
    record: Verification,
    recipient: Vec<u8>,
    sealed: Vec<u8>,
    code: Option<Vec<u8>>,
    tally: Option<SealedTally<'a>>,
    events: EventColumns<'a>,
}

impl<'a> Prepared<'a> {
    fn new(vault: &Vault, write: &'a VerificationWrite, code: Option<&Secret<String>>) -> Result<Self, PortError> {
        let mut record = write.record.clone();
        record.version += 1;
        let code = code.map(|code| vault.seal(&Place::Code(&record.tenant, record.id), code.expose().as_bytes()));
        Ok(Self {
            recipient: recipient(vault, &record.tenant, &record.to),
            sealed: vault.seal_json(&Place::Verification(&record.tenant, record.id), &record)?,
            code,
            tally: write.tally.as_ref().map(|tally| SealedTally::new(vault, &write.record, tally)),
            events: EventColumns::of_one(vault, &write.events),
            record,
        })
    }

    async fn insert(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(INSERT)
            .bind(self.record.tenant.as_str())
            .bind(self.record.id.as_uuid())
            .bind(count(self.record.version))
            .bind(&self.recipient)
            .bind(self.record.status.as_str())
            .bind(self.record.due_at.map(Timestamp::as_millis))
            .bind(self.record.ended_at.map(Timestamp::as_millis))
            .bind(&self.sealed)
            .bind(&self.code)
            .execute(&mut *connection)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn update(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(UPDATE)
            .bind(self.record.tenant.as_str())
            .bind(self.record.id.as_uuid())
            .bind(count(self.record.version))
            .bind(self.record.status.as_str())
            .bind(self.record.due_at.map(Timestamp::as_millis))
            .bind(self.record.ended_at.map(Timestamp::as_millis))
            .bind(&self.sealed)
            .execute(&mut *connection)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// What happens with the write, in its transaction.
    async fn tell(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        outbox::add(&mut *connection, &self.events).await?;
        match &self.tally {
            Some(tally) => tally.count(connection).await,
            None => Ok(()),
        }
    }
}

impl PostgresStore {
    fn found(&self, row: Result<Option<Row>, sqlx::Error>) -> Result<Option<Verification>, PortError> {
        let row = row.map_err(|e| port_error("reading a verification", e))?;
        row.map(|row| read(&self.vault, &row)).transpose()
    }
}

#[async_trait]
impl Verifications for PostgresStore {
    async fn enter(&self, new: VerificationWrite, code: &Secret<String>) -> Result<Entered, PortError> {
        const ACTION: &str = "entering a verification";
        let prepared = &Prepared::new(&self.vault, &new, Some(code))?;
        // The one that is open may end at this very moment; then the next try enters.
        for _ in 0..3 {
            let entered = self
                .retrying(ACTION, |_| async move {
                    let mut transaction = self.pool.begin().await?;
                    let new = prepared.insert(&mut transaction).await?;
                    if new {
                        prepared.tell(&mut transaction).await?;
                    }
                    transaction.commit().await?;
                    Ok(new)
                })
                .await?;
            if entered {
                return Ok(Entered::New);
            }
            let open = sqlx::query_as(OPEN)
                .bind(new.record.tenant.as_str())
                .bind(&prepared.recipient)
                .fetch_optional(&self.pool)
                .await;
            if let Some(open) = self.found(open)? {
                return Ok(Entered::Open(Box::new(open)));
            }
        }
        Err(refused(ACTION, "verifications to this number begin and end all the time"))
    }

    async fn save(&self, write: VerificationWrite) -> Result<Written, PortError> {
        let prepared = &Prepared::new(&self.vault, &write, None)?;
        self.retrying("writing a verification", |_| async move {
            let mut transaction = self.pool.begin().await?;
            if !prepared.update(&mut transaction).await? {
                return Ok(Written::Conflict);
            }
            prepared.tell(&mut transaction).await?;
            transaction.commit().await?;
            Ok(Written::Done)
        })
        .await
    }

    async fn verification(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Verification>, PortError> {
        let row = sqlx::query_as(ONE).bind(tenant.as_str()).bind(id.as_uuid()).fetch_optional(&self.pool).await;
        self.found(row)
    }

    async fn latest_to(&self, tenant: &TenantId, to: &PhoneNumber) -> Result<Option<Verification>, PortError> {
        let recipient = recipient(&self.vault, tenant, to);
        let row = sqlx::query_as(LATEST).bind(tenant.as_str()).bind(recipient).fetch_optional(&self.pool).await;
        self.found(row)
    }

    async fn code_of(&self, tenant: &TenantId, id: VerificationId) -> Result<Option<Secret<String>>, PortError> {
        let row: Option<(Option<Vec<u8>>,)> = sqlx::query_as(CODE)
            .bind(tenant.as_str())
            .bind(id.as_uuid())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading a code", e))?;
        let Some(sealed) = row.and_then(|(code,)| code) else { return Ok(None) };
        let place = Place::Code(tenant, id);
        let plain = self.vault.open(&place, &sealed)?;
        let code = String::from_utf8(plain).map_err(|_| corrupt(place.to_string(), "it is no text"))?;
        Ok(Some(Secret::new(code)))
    }

    async fn verifications(
        &self,
        tenant: &TenantId,
        filter: &VerificationFilter,
        before: Option<VerificationId>,
        limit: u32,
    ) -> Result<Vec<Verification>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(tenant.as_str())
            .bind(before.map(VerificationId::as_uuid))
            .bind(filter.status.map(VerificationStatus::as_str))
            .bind(filter.to.as_ref().map(|to| recipient(&self.vault, tenant, to)))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing verifications", e))?;
        rows.iter().map(|row| read(&self.vault, row)).collect()
    }

    async fn count_from(
        &self,
        tenant: &TenantId,
        from: VerificationId,
    ) -> Result<Vec<(VerificationStatus, u64)>, PortError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(COUNT)
            .bind(tenant.as_str())
            .bind(from.as_uuid())
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("counting verifications", e))?;
        let mut counts = Vec::with_capacity(rows.len());
        for (status, count) in rows {
            let what = || "the status of a verification".to_owned();
            let count = rows::to_count(count, what)?;
            counts.push((VerificationStatus::parse(&status).ok_or_else(|| corrupt(what(), "it is none"))?, count));
        }
        counts.sort_by_key(|(status, _)| VerificationStatus::ALL.iter().position(|known| known == status));
        Ok(counts)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Verification>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(DUE)
            .bind(now.as_millis())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading verifications that are due", e))?;
        rows.iter().map(|row| read(&self.vault, row)).collect()
    }

    async fn forget_ended(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let (before, limit) = (before.as_millis(), i64::from(limit));
        self.retrying("forgetting old verifications", |_| async move {
            prefixes::forget(&self.pool, before, limit).await?;
            let done = sqlx::query(FORGET).bind(before).bind(limit).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
        .await
    }

    async fn charge_all(&self, tenant: &TenantId, charges: &[LimitCharge]) -> Result<Option<usize>, PortError> {
        prefixes::charge_all(self, tenant, charges).await
    }

    async fn prefix(&self, tenant: &TenantId, prefix: &NumberPrefix) -> Result<Option<PrefixRecord>, PortError> {
        prefixes::one(self, tenant, prefixes::id_of(&self.vault, tenant, prefix)).await
    }

    async fn prefixes(
        &self,
        tenant: &TenantId,
        after: Option<PrefixId>,
        limit: u32,
    ) -> Result<Vec<PrefixRecord>, PortError> {
        prefixes::page(self, tenant, after, limit).await
    }

    async fn unblock(
        &self,
        tenant: &TenantId,
        id: PrefixId,
        now: Timestamp,
    ) -> Result<Option<PrefixRecord>, PortError> {
        prefixes::unblock(self, tenant, id, now).await
    }
}
