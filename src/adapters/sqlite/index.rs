//! Finding messages.

use async_trait::async_trait;
use kurir_core::domain::{LedgerEntry, MessageId, MessageState, PhoneNumber, SessionId, TenantId};
use kurir_core::port::{Activity, MessageFilter, MessageIndex, MessagePlace, PortError, Steps, Waiting};
use sqlx::{QueryBuilder, Sqlite};

use super::activity;
use super::database::{Database, SqliteStore};
use super::error::{corrupt, sql};
use super::ledger::entry;

/// Each part is served from the index of messages, which begins with the session.
const BY_WHATSAPP_ID: &str = "SELECT ledger.entry FROM session CROSS JOIN ledger \
     ON ledger.session = session.id AND ledger.message_id = ?2 WHERE session.tenant = ?1 AND ledger.tenant = ?1 \
     UNION ALL \
     SELECT entry FROM ledger WHERE session IS NULL AND message_id = ?2 AND tenant = ?1 LIMIT ?3";

/// The mark that a recipient's number leaves in a tenant's rows.
pub(super) fn mark(db: &Database, tenant: &TenantId, recipient: &PhoneNumber) -> [u8; 16] {
    db.sealer.fingerprint(&format!("recipient/{tenant}"), recipient.digits())
}

/// Only what is asked for stands in the statement, so that it can be served from an index.
fn narrow(db: &Database, query: &mut QueryBuilder<Sqlite>, filter: &MessageFilter) {
    query.push(" WHERE tenant = ").push_bind(filter.tenant.to_string());
    if let Some(states) = &filter.states {
        let mut list = query.push(" AND state IN (").separated(", ");
        for state in states {
            list.push_bind(state.as_str());
        }
        query.push(")");
    }
    if let Some(sessions) = &filter.sessions {
        let mut list = query.push(" AND session IN (").separated(", ");
        for session in sessions {
            list.push_bind(SessionId::to_string(session));
        }
        query.push(")");
    }
    if let Some(lane) = filter.lane {
        query.push(" AND lane = ").push_bind(lane.as_str());
    }
    if let Some(recipient) = &filter.recipient {
        query.push(" AND mark = ").push_bind(mark(db, &filter.tenant, recipient).to_vec());
    }
    if let Some(batch) = filter.batch {
        query.push(" AND batch = ").push_bind(batch.as_uuid().as_bytes().to_vec());
    }
    for (key, value) in &filter.metadata {
        query.push(" AND job IN (SELECT job FROM ledger_metadata WHERE tenant = ").push_bind(filter.tenant.to_string());
        query.push(" AND key = ").push_bind(key.clone()).push(" AND value = ").push_bind(value.clone()).push(")");
    }
    if let Some(since) = filter.since {
        query.push(" AND enqueued_at >= ").push_bind(since.as_millis());
    }
    if let Some(until) = filter.until {
        query.push(" AND enqueued_at < ").push_bind(until.as_millis());
    }
}

#[async_trait]
impl MessageIndex for SqliteStore {
    async fn list(
        &self,
        filter: &MessageFilter,
        before: Option<MessagePlace>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError> {
        let mut query = QueryBuilder::new("SELECT entry FROM ledger");
        narrow(&self.db, &mut query, filter);
        if let Some(MessagePlace { at, job }) = before {
            query.push(" AND (enqueued_at, job) < (").push_bind(at.as_millis());
            query.push(", ").push_bind(job.as_uuid().as_bytes().to_vec()).push(")");
        }
        query.push(" ORDER BY enqueued_at DESC, job DESC LIMIT ").push_bind(i64::from(limit));
        let rows: Vec<(String,)> =
            query.build_query_as().fetch_all(&self.db.readers).await.map_err(|error| sql("listing messages", error))?;
        rows.iter().map(|(json,)| entry(json)).collect()
    }

    async fn count(&self, filter: &MessageFilter) -> Result<Vec<(MessageState, u64)>, PortError> {
        let mut query = QueryBuilder::new("SELECT state, count(*) FROM ledger");
        narrow(&self.db, &mut query, filter);
        query.push(" GROUP BY state");
        let rows: Vec<(String, i64)> = query
            .build_query_as()
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("counting messages", error))?;
        let mut counts = Vec::with_capacity(rows.len());
        for (state, count) in rows {
            let state = MessageState::parse(&state).ok_or_else(|| corrupt("a message's state", "it is none"))?;
            counts.push((state, count.cast_unsigned()));
        }
        counts.sort_by_key(|(state, _)| MessageState::ALL.iter().position(|known| known == state));
        Ok(counts)
    }

    async fn activity(&self, tenant: &TenantId, steps: &Steps) -> Result<Vec<Activity>, PortError> {
        activity::activity(&self.db, tenant, steps).await
    }

    async fn waiting(&self, tenant: &TenantId) -> Result<Vec<Waiting>, PortError> {
        activity::waiting(&self.db, tenant).await
    }

    async fn by_whatsapp_id(
        &self,
        tenant: &TenantId,
        id: &MessageId,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError> {
        let rows: Vec<(String,)> = sqlx::query_as(BY_WHATSAPP_ID)
            .bind(tenant.as_str())
            .bind(id.as_str())
            .bind(i64::from(limit))
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("looking for a message", error))?;
        rows.iter().map(|(json,)| entry(json)).collect()
    }
}
