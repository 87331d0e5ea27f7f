//! The list of those who want no bulk messages.

use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::domain::{
    Applied, EventId, OptOut, OutboxEvent, PhoneNumber, Release, SessionId, Suppression, SuppressionChange,
    SuppressionCursor, TenantId,
};
use kurir_core::port::{PortError, SuppressionList};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteConnection;

use super::database::{Database, SqliteStore};
use super::error::{Failure, corrupt, sql};
use super::outbox;
use super::spending;
use super::state::hexadecimal;

const WHAT: &str = "the list of suppressed numbers";

/// What a number is found by.
type Mark = [u8; 16];

fn entry_place(tenant: &TenantId, mark: &Mark) -> String {
    format!("suppression/{tenant}/{:032x}", u128::from_be_bytes(*mark))
}

fn change_place(tenant: &TenantId, mark: &Mark) -> String {
    format!("suppression_change/{tenant}/{:032x}", u128::from_be_bytes(*mark))
}

impl Database {
    fn mark(&self, tenant: &TenantId, number: &PhoneNumber) -> Mark {
        self.sealer.fingerprint(&format!("suppression/{tenant}"), number.digits())
    }

    /// Whether the marks in the table are made with our key. `stored`: the mark of a fixed text; none in an empty list.
    fn same_key(&self, stored: Option<&[u8]>) -> Result<(), PortError> {
        let ours = self.sealer.fingerprint("suppression_key", "");
        if stored.is_none_or(|stored| stored == ours) {
            return Ok(());
        }
        Err(corrupt(WHAT, "it was made with another key: the oldest of store.encryption_keys is missing"))
    }

    fn sealed_json<T: Serialize>(&self, place: &str, value: &T) -> Result<Vec<u8>, PortError> {
        let json = serde_json::to_vec(value).map_err(|error| corrupt("a suppressed number to write", error))?;
        Ok(self.sealer.seal(place, &json))
    }

    fn opened_json<T: DeserializeOwned>(&self, place: &str, sealed: &[u8]) -> Result<T, PortError> {
        let json = self.sealer.open(place, sealed, || WHAT.to_owned())?;
        serde_json::from_slice(&json).map_err(|_| corrupt(WHAT, "an entry is none"))
    }
}

/// One tenant's list within a transaction that changes it.
struct Change<'a> {
    db: &'a Database,
    tenant: &'a TenantId,
    connection: &'a mut SqliteConnection,
}

impl Change<'_> {
    /// Notes which key the marks are made with, or finds that it is another one.
    async fn begin(&mut self) -> Result<(), Failure> {
        let ours = self.db.sealer.fingerprint("suppression_key", "");
        sqlx::query("INSERT INTO suppression_key (id, mark) VALUES (1, ?1) ON CONFLICT DO NOTHING")
            .bind(ours.as_slice())
            .execute(&mut *self.connection)
            .await?;
        let stored: Vec<u8> =
            sqlx::query_scalar("SELECT mark FROM suppression_key").fetch_one(&mut *self.connection).await?;
        Ok(self.db.same_key(Some(&stored))?)
    }

    async fn entry(&mut self, mark: &Mark) -> Result<Option<Suppression>, Failure> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT entry FROM suppression WHERE tenant = ?1 AND mark = ?2")
                .bind(self.tenant.as_str())
                .bind(mark.as_slice())
                .fetch_optional(&mut *self.connection)
                .await?;
        let place = entry_place(self.tenant, mark);
        Ok(sealed.map(|sealed| self.db.opened_json(&place, &sealed)).transpose()?)
    }

    async fn suppress(&mut self, wish: &Suppression) -> Result<Applied, Failure> {
        let mark = self.db.mark(self.tenant, &wish.number);
        let (applied, after) = wish.over(self.entry(&mark).await?.as_ref());
        if let Some(change) = SuppressionChange::of(applied, wish) {
            let sealed = self.db.sealed_json(&entry_place(self.tenant, &mark), &after)?;
            sqlx::query(
                "INSERT INTO suppression (tenant, mark, entry) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (tenant, mark) DO UPDATE SET entry = excluded.entry",
            )
            .bind(self.tenant.as_str())
            .bind(mark.as_slice())
            .bind(sealed)
            .execute(&mut *self.connection)
            .await?;
            self.note(&mark, &change).await?;
        }
        Ok(applied)
    }

    async fn note(&mut self, mark: &Mark, change: &SuppressionChange) -> Result<(), Failure> {
        let sealed = self.db.sealed_json(&change_place(self.tenant, mark), change)?;
        sqlx::query("INSERT INTO suppression_change (tenant, mark, change) VALUES (?1, ?2, ?3)")
            .bind(self.tenant.as_str())
            .bind(mark.as_slice())
            .bind(sealed)
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    async fn release(&mut self, release: &Release) -> Result<Option<Suppression>, Failure> {
        let mark = self.db.mark(self.tenant, &release.number);
        let entry = self.entry(&mark).await?.filter(|entry| entry.yields_to(release));
        let Some(entry) = entry else { return Ok(None) };
        sqlx::query("DELETE FROM suppression WHERE tenant = ?1 AND mark = ?2")
            .bind(self.tenant.as_str())
            .bind(mark.as_slice())
            .execute(&mut *self.connection)
            .await?;
        self.note(&mark, &SuppressionChange::released(release)).await?;
        Ok(Some(entry))
    }

    async fn heed<'r>(&mut self, session: &SessionId, reply: &'r OptOut) -> Result<Option<&'r OutboxEvent>, Failure> {
        match reply {
            OptOut::Stop(wish, event) => {
                let recipient = spending::bulk_fingerprint(self.db, session, &wish.number);
                let addressed: bool = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT 1 FROM bulk_recipient WHERE session = ?1 AND recipient = ?2)",
                )
                .bind(session.as_str())
                .bind(recipient.as_slice())
                .fetch_one(&mut *self.connection)
                .await?;
                let added = addressed && self.suppress(wish).await? == Applied::Added;
                Ok(added.then_some(event))
            }
            OptOut::Resume(release, event) => Ok(self.release(release).await?.map(|_| event)),
        }
    }
}

#[async_trait]
impl SuppressionList for SqliteStore {
    async fn suppress(&self, tenant: &TenantId, wishes: &[Suppression]) -> Result<Vec<Applied>, PortError> {
        if wishes.is_empty() {
            return Ok(Vec::new());
        }
        let (db, tenant, wishes) = (Arc::clone(&self.db), tenant.clone(), wishes.to_vec());
        self.db
            .writer
            .write("suppressing numbers", move |connection| {
                Box::pin(async move {
                    let mut change = Change { db: &db, tenant: &tenant, connection };
                    change.begin().await?;
                    let mut answers = Vec::with_capacity(wishes.len());
                    for wish in &wishes {
                        answers.push(change.suppress(wish).await?);
                    }
                    Ok(answers)
                })
            })
            .await
    }

    async fn release(&self, tenant: &TenantId, release: &Release) -> Result<Option<Suppression>, PortError> {
        let (db, tenant, release) = (Arc::clone(&self.db), tenant.clone(), release.clone());
        self.db
            .writer
            .write("taking a number off the list", move |connection| {
                Box::pin(async move {
                    let mut change = Change { db: &db, tenant: &tenant, connection };
                    change.begin().await?;
                    change.release(&release).await
                })
            })
            .await
    }

    async fn heed(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        events: &[OutboxEvent],
        replies: &[OptOut],
    ) -> Result<Vec<EventId>, PortError> {
        let received = outbox::sealed(&self.db, events);
        let (db, tenant, session, replies) = (Arc::clone(&self.db), tenant.clone(), session.clone(), replies.to_vec());
        self.db
            .writer
            .write("heeding replies", move |connection| {
                Box::pin(async move {
                    outbox::insert(connection, received).await?;
                    Change { db: &db, tenant: &tenant, connection: &mut *connection }.begin().await?;
                    let mut told = Vec::new();
                    for reply in &replies {
                        let mut change = Change { db: &db, tenant: &tenant, connection: &mut *connection };
                        if let Some(event) = change.heed(&session, reply).await? {
                            let sealed = outbox::sealed(&db, std::slice::from_ref(event));
                            outbox::insert(connection, sealed).await?;
                            told.push(event.id);
                        }
                    }
                    Ok(told)
                })
            })
            .await
    }

    async fn suppressed(&self, asked: &[(TenantId, PhoneNumber)]) -> Result<Vec<bool>, PortError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<_> = asked
            .iter()
            .map(|(tenant, number)| (tenant.as_str(), hexadecimal(&self.db.mark(tenant, number))))
            .collect();
        let asked = serde_json::to_string(&asked).map_err(|error| corrupt("a list of numbers", error))?;
        let rows: Vec<(Option<Vec<u8>>, bool)> = sqlx::query_as(
            "SELECT (SELECT mark FROM suppression_key), EXISTS (SELECT 1 FROM suppression \
             WHERE tenant = asked.value ->> 0 AND mark = unhex(asked.value ->> 1)) \
             FROM json_each(?1) AS asked ORDER BY asked.key",
        )
        .bind(asked)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("looking for suppressed numbers", error))?;
        if let Some((key, _)) = rows.first() {
            self.db.same_key(key.as_deref())?;
        }
        Ok(rows.into_iter().map(|(_, suppressed)| suppressed).collect())
    }

    async fn suppression(&self, tenant: &TenantId, number: &PhoneNumber) -> Result<Option<Suppression>, PortError> {
        let mark = self.db.mark(tenant, number);
        let (key, sealed): (Option<Vec<u8>>, Option<Vec<u8>>) = sqlx::query_as(
            "SELECT (SELECT mark FROM suppression_key), \
             (SELECT entry FROM suppression WHERE tenant = ?1 AND mark = ?2)",
        )
        .bind(tenant.as_str())
        .bind(mark.as_slice())
        .fetch_one(&self.db.readers)
        .await
        .map_err(|error| sql("reading a suppressed number", error))?;
        self.db.same_key(key.as_deref())?;
        let place = entry_place(tenant, &mark);
        sealed.map(|sealed| self.db.opened_json(&place, &sealed)).transpose()
    }

    async fn suppressions(
        &self,
        tenant: &TenantId,
        after: Option<SuppressionCursor>,
        limit: u32,
    ) -> Result<Vec<(SuppressionCursor, Suppression)>, PortError> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT mark, entry FROM suppression WHERE tenant = ?1 AND (?2 IS NULL OR mark > ?2) \
             ORDER BY mark LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(after.map(|place| place.0.to_vec()))
        .bind(limit)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("listing suppressed numbers", error))?;
        rows.iter()
            .map(|(mark, sealed)| {
                let mark = Mark::try_from(mark.as_slice()).map_err(|error| corrupt(WHAT, error))?;
                let entry = self.db.opened_json(&entry_place(tenant, &mark), sealed)?;
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
        let mark = self.db.mark(tenant, number);
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT change FROM suppression_change WHERE tenant = ?1 AND mark = ?2 ORDER BY seq DESC LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(mark.as_slice())
        .bind(limit)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("reading what was done to a suppressed number", error))?;
        let place = change_place(tenant, &mark);
        rows.iter().map(|sealed| self.db.opened_json(&place, sealed)).collect()
    }
}
