//! What is counted for verifications: limits, and prefixes whose codes come back or don't.

use kurir_core::domain::{NumberPrefix, PrefixId, PrefixRecord, TenantId, Timestamp, Verification};
use kurir_core::policy;
use kurir_core::port::{LimitCharge, PortError, Tally};
use sqlx::postgres::{PgConnection, PgPool};

use super::error::{corrupt, port_error};
use super::rows::EventColumns;
use super::sealing::{Place, Vault};
use super::{PostgresStore, outbox};

/// A prefix's row: id, prefix, since, begun, approved, lost, blocked until.
type Row = (Vec<u8>, Vec<u8>, i64, i64, i64, i64, Option<i64>);

// Whoever comes first makes the row; whoever comes second waits for it here and then at the lock.
const MAKE: &str = "\
INSERT INTO verification_prefix (tenant, id, prefix, since, begun, approved, lost) VALUES ($1, $2, $3, $4, 0, 0, 0)
ON CONFLICT (tenant, id) DO NOTHING";

const LOCK: &str = "\
SELECT id, prefix, since, begun, approved, lost, blocked_until FROM verification_prefix
WHERE tenant = $1 AND id = $2 FOR UPDATE";

const COUNT: &str = "\
UPDATE verification_prefix SET since = $3, begun = $4, approved = $5, lost = $6, blocked_until = $7
WHERE tenant = $1 AND id = $2";

const ONE: &str = "\
SELECT id, prefix, since, begun, approved, lost, blocked_until FROM verification_prefix
WHERE tenant = $1 AND id = $2";

const PAGE: &str = "\
SELECT id, prefix, since, begun, approved, lost, blocked_until FROM verification_prefix
WHERE tenant = $1 AND ($2::bytea IS NULL OR id > $2) ORDER BY id LIMIT $3";

const UNBLOCK: &str = "\
UPDATE verification_prefix SET since = $3, begun = 0, approved = 0, lost = 0, blocked_until = NULL
WHERE tenant = $1 AND id = $2
RETURNING id, prefix, since, begun, approved, lost, blocked_until";

const CHARGE: &str = "\
INSERT INTO verification_count AS c (subject, start, spent) VALUES ($1, $2, 1)
ON CONFLICT (subject) DO UPDATE SET start = excluded.start,
    spent = CASE WHEN c.start = excluded.start THEN c.spent + 1 ELSE 1 END
RETURNING spent";

const FORGET_COUNTS: &str = "\
WITH old AS MATERIALIZED (
    SELECT subject FROM verification_count WHERE start < $1 ORDER BY start LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM verification_count c USING old WHERE c.subject = old.subject";

const FORGET_PREFIXES: &str = "\
WITH old AS MATERIALIZED (
    SELECT tenant, id FROM verification_prefix WHERE since < $1 AND coalesce(blocked_until, 0) <= $1
    ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM verification_prefix p USING old WHERE p.tenant = old.tenant AND p.id = old.id";

pub(super) fn id_of(vault: &Vault, tenant: &TenantId, prefix: &NumberPrefix) -> PrefixId {
    PrefixId(vault.fingerprint(&format!("verification-prefix/{tenant}"), prefix.digits()))
}

fn counts(id: PrefixId, prefix: NumberPrefix, row: &Row) -> PrefixRecord {
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    PrefixRecord {
        id,
        prefix,
        since: Timestamp::from_millis(row.2),
        begun: count(row.3),
        approved: count(row.4),
        lost: count(row.5),
        blocked_until: row.6.map(Timestamp::from_millis),
    }
}

fn read(vault: &Vault, tenant: &TenantId, row: &Row) -> Result<PrefixRecord, PortError> {
    let id = <[u8; 16]>::try_from(row.0.as_slice()).map(PrefixId);
    let id = id.map_err(|e| corrupt(format!("the id of a prefix of {tenant}"), e))?;
    let place = Place::Prefix(tenant, id);
    let prefix = String::from_utf8(vault.open(&place, &row.1)?).ok();
    let prefix = prefix.and_then(|digits| NumberPrefix::from_digits(&digits));
    Ok(counts(id, prefix.ok_or_else(|| corrupt(place.to_string(), "it is none"))?, row))
}

/// A tally with everything made ready for the transaction.
pub(super) struct SealedTally<'a> {
    tenant: &'a TenantId,
    id: PrefixId,
    prefix: NumberPrefix,
    sealed: Vec<u8>,
    tally: &'a Tally,
    blocked: EventColumns<'a>,
}

impl<'a> SealedTally<'a> {
    pub(super) fn new(vault: &Vault, of: &'a Verification, tally: &'a Tally) -> Self {
        let prefix = NumberPrefix::of(&of.to);
        let id = id_of(vault, &of.tenant, &prefix);
        Self {
            tenant: &of.tenant,
            id,
            sealed: vault.seal(&Place::Prefix(&of.tenant, id), prefix.digits().as_bytes()),
            prefix,
            tally,
            blocked: EventColumns::of_one(vault, std::slice::from_ref(&tally.blocked)),
        }
    }

    /// Counts it, in the transaction of what happened.
    pub(super) async fn count(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (tenant, id, at) = (self.tenant.as_str(), self.id.0.as_slice(), self.tally.at);
        sqlx::query(MAKE)
            .bind(tenant)
            .bind(id)
            .bind(&self.sealed)
            .bind(at.as_millis())
            .execute(&mut *connection)
            .await?;
        let row: Row = sqlx::query_as(LOCK).bind(tenant).bind(id).fetch_one(&mut *connection).await?;
        let known = counts(self.id, self.prefix.clone(), &row);
        let (next, blocks) = policy::counted(&known, self.tally.what, &self.tally.rule, at);
        sqlx::query(COUNT)
            .bind(tenant)
            .bind(id)
            .bind(next.since.as_millis())
            .bind(i64::from(next.begun))
            .bind(i64::from(next.approved))
            .bind(i64::from(next.lost))
            .bind(next.blocked_until.map(Timestamp::as_millis))
            .execute(&mut *connection)
            .await?;
        if blocks {
            outbox::add(&mut *connection, &self.blocked).await?;
        }
        Ok(())
    }
}

pub(super) async fn forget(pool: &PgPool, before: i64, limit: i64) -> Result<(), sqlx::Error> {
    for statement in [FORGET_COUNTS, FORGET_PREFIXES] {
        sqlx::query(statement).bind(before).bind(limit).execute(pool).await?;
    }
    Ok(())
}

pub(super) async fn charge_all(
    store: &PostgresStore,
    tenant: &TenantId,
    charges: &[LimitCharge],
) -> Result<Option<usize>, PortError> {
    let place = format!("verification-limit/{tenant}");
    let marked = charges.iter().enumerate();
    let mut marked: Vec<_> =
        marked.map(|(at, charge)| (store.vault.fingerprint(&place, charge.of.name()), at, charge)).collect();
    // In one order for everybody, or two callers would wait for each other's rows.
    marked.sort_by_key(|(subject, _, _)| *subject);
    let marked = &marked;
    store
        .retrying("counting a code", |_| async move {
            let mut transaction = store.pool.begin().await?;
            let mut over = None;
            for (subject, at, charge) in marked {
                let spent: i64 = sqlx::query_scalar(CHARGE)
                    .bind(subject.as_slice())
                    .bind(charge.start.as_millis())
                    .fetch_one(&mut *transaction)
                    .await?;
                if spent > i64::from(charge.most) {
                    over = Some(over.map_or(*at, |before: usize| before.min(*at)));
                }
            }
            // Dropped without a commit nothing was counted.
            if over.is_none() {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(over)
        })
        .await
}

pub(super) async fn one(
    store: &PostgresStore,
    tenant: &TenantId,
    id: PrefixId,
) -> Result<Option<PrefixRecord>, PortError> {
    let row: Option<Row> = sqlx::query_as(ONE)
        .bind(tenant.as_str())
        .bind(id.0.as_slice())
        .fetch_optional(&store.pool)
        .await
        .map_err(|e| port_error("reading a prefix", e))?;
    row.map(|row| read(&store.vault, tenant, &row)).transpose()
}

pub(super) async fn page(
    store: &PostgresStore,
    tenant: &TenantId,
    after: Option<PrefixId>,
    limit: u32,
) -> Result<Vec<PrefixRecord>, PortError> {
    let rows: Vec<Row> = sqlx::query_as(PAGE)
        .bind(tenant.as_str())
        .bind(after.map(|id| id.0.to_vec()))
        .bind(i64::from(limit))
        .fetch_all(&store.pool)
        .await
        .map_err(|e| port_error("listing prefixes", e))?;
    rows.iter().map(|row| read(&store.vault, tenant, row)).collect()
}

pub(super) async fn unblock(
    store: &PostgresStore,
    tenant: &TenantId,
    id: PrefixId,
    now: Timestamp,
) -> Result<Option<PrefixRecord>, PortError> {
    let (owner, id) = (tenant.as_str(), id.0);
    let row: Option<Row> = store
        .retrying("unblocking a prefix", |_| async move {
            sqlx::query_as(UNBLOCK)
                .bind(owner)
                .bind(id.as_slice())
                .bind(now.as_millis())
                .fetch_optional(&store.pool)
                .await
        })
        .await?;
    row.map(|row| read(&store.vault, tenant, &row)).transpose()
}
