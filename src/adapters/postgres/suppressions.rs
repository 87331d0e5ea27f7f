//! The list of those who want no bulk messages.
//!
//! A tenant's changes come one after another (an advisory lock that ends with the transaction), because what a wish makes
//! of an entry is decided here, where the entry can be opened. Questions wait for nobody.

use std::collections::HashMap;

use async_trait::async_trait;
use kurir_core::domain::{
    Applied, EventId, OptOut, OutboxEvent, PhoneNumber, Release, SessionId, Suppression, SuppressionChange,
    SuppressionCursor, TenantId,
};
use kurir_core::port::{PortError, SuppressionList};
use sqlx::Transaction;
use sqlx::postgres::{PgConnection, Postgres};

use super::error::{corrupt, port_error};
use super::rows::EventColumns;
use super::sealing::{Place, Vault};
use super::{PostgresStore, outbox, spending};

/// The first half of the lock's key; the second one is made of the tenant. (Keys of one number are the vigil's.)
const LOCK: &str = "SELECT pg_advisory_xact_lock(1937075312, hashtext($1))";

const KEY: &str = "\
WITH made AS (INSERT INTO suppression_key (mark) VALUES ($1) ON CONFLICT DO NOTHING)
SELECT coalesce((SELECT mark FROM suppression_key), $1)";

const THERE: &str = "\
SELECT mark, entry FROM suppression WHERE tenant = $1 AND mark = ANY($2)";

const STORE: &str = "\
INSERT INTO suppression (tenant, mark, entry)
SELECT $1, e.mark, e.entry FROM unnest($2::bytea[], $3::bytea[]) AS e(mark, entry)
ON CONFLICT (tenant, mark) DO UPDATE SET entry = excluded.entry";

const NOTE: &str = "\
INSERT INTO suppression_change (tenant, mark, change)
SELECT $1, c.mark, c.change FROM unnest($2::bytea[], $3::bytea[]) WITH ORDINALITY AS c(mark, change, ord)
ORDER BY c.ord";

const REMOVE: &str = "DELETE FROM suppression WHERE tenant = $1 AND mark = $2";

const ADDRESSED: &str = "SELECT EXISTS (SELECT 1 FROM bulk_recipient WHERE session = $1 AND recipient = $2)";

const SUPPRESSED: &str = "\
SELECT (SELECT mark FROM suppression_key),
       EXISTS (SELECT 1 FROM suppression WHERE tenant = a.tenant AND mark = a.mark)
FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS a(tenant, mark, ord)
ORDER BY a.ord";

const ONE: &str = "\
SELECT (SELECT mark FROM suppression_key), (SELECT entry FROM suppression WHERE tenant = $1 AND mark = $2)";

const LIST: &str = "\
SELECT mark, entry FROM suppression
WHERE tenant = $1 AND ($2::bytea IS NULL OR mark > $2) ORDER BY mark LIMIT $3";

const CHANGES: &str = "\
SELECT change FROM suppression_change WHERE tenant = $1 AND mark = $2 ORDER BY seq DESC LIMIT $3";

/// What a number is found by.
type Mark = [u8; 16];

fn mark(vault: &Vault, tenant: &TenantId, number: &PhoneNumber) -> Mark {
    vault.fingerprint(&format!("suppression/{tenant}"), number.digits())
}

/// Whether the marks in the table are made with our key. `stored`: the mark of a fixed text; none in an empty list.
fn same_key(vault: &Vault, stored: Option<&[u8]>) -> Result<(), PortError> {
    let ours = vault.fingerprint("suppression_key", "");
    if stored.is_none_or(|stored| stored == ours) {
        return Ok(());
    }
    let missing = "it was made with another key: the oldest of store.encryption_keys is missing";
    Err(corrupt("the list of suppressed numbers".to_owned(), missing))
}

/// One tenant's list within a transaction that changes it.
struct Change<'a> {
    vault: &'a Vault,
    tenant: &'a TenantId,
    connection: &'a mut PgConnection,
}

/// An error of the database, or of what stands in it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Failure {
    fn during(self, action: &'static str) -> PortError {
        match self {
            Self::Sql(error) => port_error(action, error),
            Self::Port(error) => error,
        }
    }
}

impl Change<'_> {
    async fn there(&mut self, marks: &[Mark]) -> Result<HashMap<Mark, Suppression>, Failure> {
        let marks: Vec<&[u8]> = marks.iter().map(<[u8; 16]>::as_slice).collect();
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as(THERE).bind(self.tenant.as_str()).bind(marks).fetch_all(&mut *self.connection).await?;
        let mut found = HashMap::with_capacity(rows.len());
        for (mark, sealed) in rows {
            let (mark, entry) = opened(self.vault, self.tenant, &mark, &sealed)?;
            found.insert(mark, entry);
        }
        Ok(found)
    }

    async fn suppress(&mut self, wishes: &[Suppression]) -> Result<Vec<Applied>, Failure> {
        let marks: Vec<Mark> = wishes.iter().map(|wish| mark(self.vault, self.tenant, &wish.number)).collect();
        let mut entries = self.there(&marks).await?;
        let mut answers = Vec::with_capacity(wishes.len());
        let mut touched: HashMap<Mark, Vec<u8>> = HashMap::new();
        let mut changes = Vec::new();
        for (mark, wish) in marks.into_iter().zip(wishes) {
            let (applied, after) = wish.over(entries.get(&mark));
            if let Some(change) = SuppressionChange::of(applied, wish) {
                let (tenant, vault) = (self.tenant, self.vault);
                touched.insert(mark, vault.seal_json(&Place::Suppression { tenant, mark: &mark }, &after)?);
                let sealed = vault.seal_json(&Place::SuppressionChange { tenant, mark: &mark }, &change)?;
                changes.push((mark, sealed));
                entries.insert(mark, after);
            }
            answers.push(applied);
        }
        if !touched.is_empty() {
            let (marks, sealed): (Vec<&[u8]>, Vec<&[u8]>) =
                touched.iter().map(|(mark, sealed)| (mark.as_slice(), sealed.as_slice())).unzip();
            sqlx::query(STORE)
                .bind(self.tenant.as_str())
                .bind(marks)
                .bind(sealed)
                .execute(&mut *self.connection)
                .await?;
            self.note(&changes).await?;
        }
        Ok(answers)
    }

    async fn note(&mut self, changes: &[(Mark, Vec<u8>)]) -> Result<(), Failure> {
        let (marks, sealed): (Vec<&[u8]>, Vec<&[u8]>) =
            changes.iter().map(|(mark, sealed)| (mark.as_slice(), sealed.as_slice())).unzip();
        sqlx::query(NOTE).bind(self.tenant.as_str()).bind(marks).bind(sealed).execute(&mut *self.connection).await?;
        Ok(())
    }

    async fn release(&mut self, release: &Release) -> Result<Option<Suppression>, Failure> {
        let mark = mark(self.vault, self.tenant, &release.number);
        let entry = self.there(&[mark]).await?.remove(&mark).filter(|entry| entry.yields_to(release));
        let Some(entry) = entry else { return Ok(None) };
        sqlx::query(REMOVE).bind(self.tenant.as_str()).bind(mark.as_slice()).execute(&mut *self.connection).await?;
        let place = Place::SuppressionChange { tenant: self.tenant, mark: &mark };
        let sealed = self.vault.seal_json(&place, &SuppressionChange::released(release))?;
        self.note(&[(mark, sealed)]).await?;
        Ok(Some(entry))
    }

    async fn heed<'r>(&mut self, session: &SessionId, reply: &'r OptOut) -> Result<Option<&'r OutboxEvent>, Failure> {
        match reply {
            OptOut::Stop(wish, event) => {
                let recipient = spending::bulk_fingerprint(self.vault, session, &wish.number);
                let addressed: bool = sqlx::query_scalar(ADDRESSED)
                    .bind(session.as_str())
                    .bind(recipient)
                    .fetch_one(&mut *self.connection)
                    .await?;
                let added = addressed && self.suppress(std::slice::from_ref(wish)).await? == [Applied::Added];
                Ok(added.then_some(event))
            }
            OptOut::Resume(release, event) => Ok(self.release(release).await?.map(|_| event)),
        }
    }
}

fn opened(vault: &Vault, tenant: &TenantId, mark: &[u8], sealed: &[u8]) -> Result<(Mark, Suppression), PortError> {
    let mark =
        Mark::try_from(mark).map_err(|error| corrupt(format!("the mark of a suppressed number of {tenant}"), error))?;
    let entry = vault.open_json(&Place::Suppression { tenant, mark: &mark }, sealed)?;
    Ok((mark, entry))
}

impl PostgresStore {
    /// Begins a change of a tenant's list: nobody else changes it before the transaction's end.
    async fn changing(&self, tenant: &TenantId) -> Result<Transaction<'static, Postgres>, Failure> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(LOCK).bind(tenant.as_str()).execute(&mut *transaction).await?;
        let ours = self.vault.fingerprint("suppression_key", "");
        let stored: Vec<u8> = sqlx::query_scalar(KEY).bind(ours.as_slice()).fetch_one(&mut *transaction).await?;
        same_key(&self.vault, Some(&stored))?;
        Ok(transaction)
    }

    fn change<'a>(&'a self, tenant: &'a TenantId, connection: &'a mut PgConnection) -> Change<'a> {
        Change { vault: &self.vault, tenant, connection }
    }

    async fn suppress_in_one(&self, tenant: &TenantId, wishes: &[Suppression]) -> Result<Vec<Applied>, Failure> {
        let mut transaction = self.changing(tenant).await?;
        let applied = self.change(tenant, &mut transaction).suppress(wishes).await?;
        transaction.commit().await?;
        Ok(applied)
    }

    async fn release_in_one(&self, tenant: &TenantId, release: &Release) -> Result<Option<Suppression>, Failure> {
        let mut transaction = self.changing(tenant).await?;
        let released = self.change(tenant, &mut transaction).release(release).await?;
        transaction.commit().await?;
        Ok(released)
    }

    async fn heed_in_one(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        events: &[OutboxEvent],
        replies: &[OptOut],
    ) -> Result<Vec<EventId>, Failure> {
        let mut transaction = self.changing(tenant).await?;
        outbox::add(&mut *transaction, &EventColumns::of_one(&self.vault, events)).await?;
        let mut told = Vec::new();
        for reply in replies {
            if let Some(event) = self.change(tenant, &mut transaction).heed(session, reply).await? {
                let columns = EventColumns::of_one(&self.vault, std::slice::from_ref(event));
                outbox::add(&mut *transaction, &columns).await?;
                told.push(event.id);
            }
        }
        transaction.commit().await?;
        Ok(told)
    }
}

#[async_trait]
impl SuppressionList for PostgresStore {
    async fn suppress(&self, tenant: &TenantId, wishes: &[Suppression]) -> Result<Vec<Applied>, PortError> {
        if wishes.is_empty() {
            return Ok(Vec::new());
        }
        self.suppress_in_one(tenant, wishes).await.map_err(|failure| failure.during("suppressing numbers"))
    }

    async fn release(&self, tenant: &TenantId, release: &Release) -> Result<Option<Suppression>, PortError> {
        let released = self.release_in_one(tenant, release).await;
        released.map_err(|failure| failure.during("taking a number off the list"))
    }

    async fn heed(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        events: &[OutboxEvent],
        replies: &[OptOut],
    ) -> Result<Vec<EventId>, PortError> {
        let told = self.heed_in_one(tenant, session, events, replies).await;
        told.map_err(|failure| failure.during("heeding replies"))
    }

    async fn suppressed(&self, asked: &[(TenantId, PhoneNumber)]) -> Result<Vec<bool>, PortError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let tenants: Vec<&str> = asked.iter().map(|(tenant, _)| tenant.as_str()).collect();
        let marks: Vec<_> = asked.iter().map(|(tenant, number)| mark(&self.vault, tenant, number).to_vec()).collect();
        let rows: Vec<(Option<Vec<u8>>, bool)> = sqlx::query_as(SUPPRESSED)
            .bind(tenants)
            .bind(marks)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("looking for suppressed numbers", e))?;
        if let Some((key, _)) = rows.first() {
            same_key(&self.vault, key.as_deref())?;
        }
        Ok(rows.into_iter().map(|(_, suppressed)| suppressed).collect())
    }

    async fn suppression(&self, tenant: &TenantId, number: &PhoneNumber) -> Result<Option<Suppression>, PortError> {
        let mark = mark(&self.vault, tenant, number);
        let (key, sealed): (Option<Vec<u8>>, Option<Vec<u8>>) = sqlx::query_as(ONE)
            .bind(tenant.as_str())
            .bind(mark.as_slice())
            .fetch_one(&self.pool)
            .await
            .map_err(|e| port_error("reading a suppressed number", e))?;
        same_key(&self.vault, key.as_deref())?;
        sealed.map(|sealed| Ok(opened(&self.vault, tenant, &mark, &sealed)?.1)).transpose()
    }

    async fn suppressions(
        &self,
        tenant: &TenantId,
        after: Option<SuppressionCursor>,
        limit: u32,
    ) -> Result<Vec<(SuppressionCursor, Suppression)>, PortError> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(LIST)
            .bind(tenant.as_str())
            .bind(after.map(|place| place.0.to_vec()))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing suppressed numbers", e))?;
        rows.iter()
            .map(|(mark, sealed)| {
                let (mark, entry) = opened(&self.vault, tenant, mark, sealed)?;
                Ok((SuppressionCursor(mark), entry))
            })
            .collect()
    }

    async fn suppression_changes(
        &self,
        tenant: &TenantId,
        number: &PhoneNumber,
        limit: u32,
    ) -> Result<Vec<SuppressionChange>, PortError> {
        let mark = mark(&self.vault, tenant, number);
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(CHANGES)
            .bind(tenant.as_str())
            .bind(mark.as_slice())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading what was done to a suppressed number", e))?;
        let place = Place::SuppressionChange { tenant, mark: &mark };
        rows.iter().map(|sealed| self.vault.open_json(&place, sealed)).collect()
    }
}
