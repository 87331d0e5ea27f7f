//! What is counted for verifications: limits, and prefixes whose codes come back or don't.

use kurir_core::domain::{
    ConversionRule, NumberPrefix, PrefixId, PrefixRecord, TenantId, Timestamp, Traffic, Verification,
};
use kurir_core::policy;
use kurir_core::port::{LimitCharge, PortError, Tally};
use sqlx::sqlite::SqliteConnection;

use super::database::Database;
use super::error::{Failure, corrupt, sql};
use super::outbox::{self, SealedEvent};

/// A prefix's row: id, prefix, since, begun, approved, lost, blocked until.
type Row = (Vec<u8>, Vec<u8>, i64, u32, u32, u32, Option<i64>);

const COLUMNS: &str = "id, prefix, since, begun, approved, lost, blocked_until";

fn place(tenant: &TenantId, id: PrefixId) -> String {
    format!("verification-prefix/{tenant}/{id}")
}

pub(super) fn id_of(db: &Database, tenant: &TenantId, prefix: &NumberPrefix) -> PrefixId {
    PrefixId(db.sealer.fingerprint(&format!("verification-prefix/{tenant}"), prefix.digits()))
}

fn counts(id: PrefixId, prefix: NumberPrefix, row: &Row) -> PrefixRecord {
    let (_, _, since, begun, approved, lost, blocked_until) = row;
    PrefixRecord {
        id,
        prefix,
        since: Timestamp::from_millis(*since),
        begun: *begun,
        approved: *approved,
        lost: *lost,
        blocked_until: blocked_until.map(Timestamp::from_millis),
    }
}

fn read(db: &Database, tenant: &TenantId, row: &Row) -> Result<PrefixRecord, PortError> {
    let what = || format!("a prefix of {tenant}");
    let id = <[u8; 16]>::try_from(row.0.as_slice()).map(PrefixId).map_err(|error| corrupt(what(), error))?;
    let plain = db.sealer.open(&place(tenant, id), &row.1, what)?;
    let prefix = String::from_utf8(plain).ok().and_then(|digits| NumberPrefix::from_digits(&digits));
    Ok(counts(id, prefix.ok_or_else(|| corrupt(what(), "it is none"))?, row))
}

/// A tally with everything made ready for the transaction.
pub(super) struct SealedTally {
    tenant: TenantId,
    id: PrefixId,
    prefix: NumberPrefix,
    sealed: Vec<u8>,
    what: Traffic,
    rule: ConversionRule,
    at: Timestamp,
    blocked: Vec<SealedEvent>,
}

impl SealedTally {
    pub(super) fn new(db: &Database, of: &Verification, tally: Tally) -> Self {
        let prefix = NumberPrefix::of(&of.to);
        let id = id_of(db, &of.tenant, &prefix);
        Self {
            sealed: db.sealer.seal(&place(&of.tenant, id), prefix.digits().as_bytes()),
            tenant: of.tenant.clone(),
            id,
            prefix,
            what: tally.what,
            rule: tally.rule,
            at: tally.at,
            blocked: outbox::sealed(db, &[tally.blocked]),
        }
    }

    /// Counts it, in the transaction of what happened.
    pub(super) async fn count(self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        let statement = format!("SELECT {COLUMNS} FROM verification_prefix WHERE tenant = ?1 AND id = ?2");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(self.tenant.as_str())
            .bind(self.id.0.as_slice())
            .fetch_optional(&mut *connection)
            .await?;
        let known = match row {
            Some(row) => counts(self.id, self.prefix, &row),
            None => PrefixRecord::new(self.id, self.prefix, self.at),
        };
        let (next, blocks) = policy::counted(&known, self.what, &self.rule, self.at);
        sqlx::query(
            "INSERT INTO verification_prefix (tenant, id, prefix, since, begun, approved, lost, blocked_until) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (tenant, id) DO UPDATE SET prefix = excluded.prefix, \
             since = excluded.since, begun = excluded.begun, approved = excluded.approved, lost = excluded.lost, \
             blocked_until = excluded.blocked_until",
        )
        .bind(self.tenant.as_str())
        .bind(self.id.0.as_slice())
        .bind(self.sealed)
        .bind(next.since.as_millis())
        .bind(next.begun)
        .bind(next.approved)
        .bind(next.lost)
        .bind(next.blocked_until.map(Timestamp::as_millis))
        .execute(&mut *connection)
        .await?;
        if blocks {
            outbox::insert(connection, self.blocked).await?;
        }
        Ok(())
    }
}

pub(super) async fn forget(connection: &mut SqliteConnection, before: i64, limit: u32) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM verification_count WHERE subject IN (SELECT subject FROM verification_count \
         WHERE start < ?1 ORDER BY start LIMIT ?2)",
        "DELETE FROM verification_prefix WHERE (tenant, id) IN (SELECT tenant, id FROM verification_prefix \
         WHERE since < ?1 AND coalesce(blocked_until, 0) <= ?1 ORDER BY since LIMIT ?2)",
    ] {
        sqlx::query(statement).bind(before).bind(limit).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn charge_all(
    db: &Database,
    tenant: &TenantId,
    charges: &[LimitCharge],
) -> Result<Option<usize>, PortError> {
    let place = format!("verification-limit/{tenant}");
    let charges: Vec<_> = charges
        .iter()
        .map(|charge| (db.sealer.fingerprint(&place, charge.of.name()), charge.start.as_millis(), charge.most))
        .collect();
    db.writer
        .write("counting a code", move |connection| {
            Box::pin(async move {
                for (at, (subject, start, most)) in charges.iter().enumerate() {
                    let spent: Option<i64> =
                        sqlx::query_scalar("SELECT spent FROM verification_count WHERE subject = ?1 AND start = ?2")
                            .bind(subject.as_slice())
                            .bind(start)
                            .fetch_optional(&mut *connection)
                            .await?;
                    if spent.unwrap_or(0) >= i64::from(*most) {
                        return Ok(Some(at));
                    }
                }
                for (subject, start, _) in &charges {
                    sqlx::query(
                        "INSERT INTO verification_count (subject, start, spent) VALUES (?1, ?2, 1) \
                         ON CONFLICT (subject) DO UPDATE SET start = excluded.start, \
                         spent = CASE WHEN start = excluded.start THEN spent + 1 ELSE 1 END",
                    )
                    .bind(subject.as_slice())
                    .bind(start)
                    .execute(&mut *connection)
                    .await?;
                }
                Ok(None)
            })
        })
        .await
}

pub(super) async fn one(db: &Database, tenant: &TenantId, id: PrefixId) -> Result<Option<PrefixRecord>, PortError> {
    let statement = format!("SELECT {COLUMNS} FROM verification_prefix WHERE tenant = ?1 AND id = ?2");
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(tenant.as_str())
        .bind(id.0.as_slice())
        .fetch_optional(&db.readers)
        .await
        .map_err(|error| sql("reading a prefix", error))?;
    row.map(|row| read(db, tenant, &row)).transpose()
}

pub(super) async fn page(
    db: &Database,
    tenant: &TenantId,
    after: Option<PrefixId>,
    limit: u32,
) -> Result<Vec<PrefixRecord>, PortError> {
    let statement = format!(
        "SELECT {COLUMNS} FROM verification_prefix WHERE tenant = ?1 AND (?2 IS NULL OR id > ?2) ORDER BY id LIMIT ?3"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(tenant.as_str())
        .bind(after.map(|id| id.0.to_vec()))
        .bind(limit)
        .fetch_all(&db.readers)
        .await
        .map_err(|error| sql("listing prefixes", error))?;
    rows.iter().map(|row| read(db, tenant, row)).collect()
}

pub(super) async fn unblock(
    db: &Database,
    tenant: &TenantId,
    id: PrefixId,
    now: Timestamp,
) -> Result<Option<PrefixRecord>, PortError> {
    let owner = tenant.clone();
    db.writer
        .write("unblocking a prefix", move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE verification_prefix SET since = ?3, begun = 0, approved = 0, lost = 0, blocked_until = NULL \
                     WHERE tenant = ?1 AND id = ?2",
                )
                .bind(owner.as_str())
                .bind(id.0.as_slice())
                .bind(now.as_millis())
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await?;
    one(db, tenant, id).await
}
