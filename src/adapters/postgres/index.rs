//! Finding messages.

use async_trait::async_trait;
use kurir_core::domain::{LedgerEntry, MessageId, MessageState, PhoneNumber, SessionId, TenantId};
use kurir_core::port::{Activity, MessageFilter, MessageIndex, MessagePlace, PortError, Steps, Waiting};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::error::{corrupt, port_error};
use super::sealing::Vault;
use super::{PostgresStore, activity, rows};

/// Each part is served from the index of messages, which begins with the session.
const BY_WHATSAPP_ID: &str = "SELECT job.tenant, job.job, job.entry FROM session JOIN job \
     ON job.session = session.id AND job.message_id = $2 WHERE session.tenant = $1 AND job.tenant = $1 \
     UNION ALL \
     SELECT tenant, job, entry FROM job WHERE session IS NULL AND message_id = $2 AND tenant = $1 LIMIT $3";

/// The mark that a recipient's number leaves in a tenant's rows.
pub(super) fn mark(vault: &Vault, tenant: &TenantId, recipient: &PhoneNumber) -> Vec<u8> {
    vault.fingerprint(&format!("recipient/{tenant}"), recipient.digits()).to_vec()
}

/// The mark that one of the caller's own words leaves in a tenant's rows. The length keeps name and value apart.
pub(super) fn word(vault: &Vault, tenant: &TenantId, (key, value): (&String, &String)) -> Uuid {
    Uuid::from_bytes(vault.fingerprint(&format!("metadata/{tenant}"), format!("{}/{key}{value}", key.len())))
}

/// Only what is asked for stands in the statement, so that it can be served from an index.
fn narrow(vault: &Vault, query: &mut QueryBuilder<Postgres>, filter: &MessageFilter) {
    query.push(" WHERE tenant = ").push_bind(filter.tenant.to_string());
    if let Some(states) = &filter.states {
        let states: Vec<String> = states.iter().map(ToString::to_string).collect();
        query.push(" AND state = ANY(").push_bind(states).push(")");
    }
    if let Some(sessions) = &filter.sessions {
        let sessions: Vec<String> = sessions.iter().map(SessionId::to_string).collect();
        query.push(" AND session = ANY(").push_bind(sessions).push(")");
    }
    if let Some(lane) = filter.lane {
        query.push(" AND lane = ").push_bind(lane.to_string());
    }
    if let Some(recipient) = &filter.recipient {
        query.push(" AND mark = ").push_bind(mark(vault, &filter.tenant, recipient));
    }
    if let Some(batch) = filter.batch {
        query.push(" AND batch = ").push_bind(batch.as_uuid());
    }
    if !filter.metadata.is_empty() {
        let words: Vec<Uuid> = filter.metadata.iter().map(|one| word(vault, &filter.tenant, one)).collect();
        query.push(" AND words @> ").push_bind(words);
    }
    if let Some(since) = filter.since {
        query.push(" AND enqueued_at >= ").push_bind(since.as_millis());
    }
    if let Some(until) = filter.until {
        query.push(" AND enqueued_at < ").push_bind(until.as_millis());
    }
}

#[async_trait]
impl MessageIndex for PostgresStore {
    async fn list(
        &self,
        filter: &MessageFilter,
        before: Option<MessagePlace>,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError> {
        let mut query = QueryBuilder::new("SELECT tenant, job, entry FROM job");
        narrow(&self.vault, &mut query, filter);
        if let Some(MessagePlace { at, job }) = before {
            query.push(" AND (enqueued_at, job) < (").push_bind(at.as_millis());
            query.push(", ").push_bind(job.as_uuid()).push(")");
        }
        query.push(" ORDER BY enqueued_at DESC, job DESC LIMIT ").push_bind(i64::from(limit));
        let rows = query.build().fetch_all(&self.pool).await.map_err(|e| port_error("listing messages", e))?;
        rows.iter().filter_map(|row| self.entry_with_key(row).transpose()).collect()
    }

    async fn count(&self, filter: &MessageFilter) -> Result<Vec<(MessageState, u64)>, PortError> {
        let mut query = QueryBuilder::new("SELECT state, count(*) FROM job");
        narrow(&self.vault, &mut query, filter);
        query.push(" GROUP BY state");
        let found: Vec<(String, i64)> =
            query.build_query_as().fetch_all(&self.pool).await.map_err(|e| port_error("counting messages", e))?;
        let mut counts = Vec::with_capacity(found.len());
        for (state, count) in found {
            let what = || "the state of a job".to_owned();
            let count = rows::to_count(count, what)?;
            counts.push((MessageState::parse(&state).ok_or_else(|| corrupt(what(), "it is none"))?, count));
        }
        counts.sort_by_key(|(state, _)| MessageState::ALL.iter().position(|known| known == state));
        Ok(counts)
    }

    async fn activity(&self, tenant: &TenantId, steps: &Steps) -> Result<Vec<Activity>, PortError> {
        activity::activity(self, tenant, steps).await
    }

    async fn waiting(&self, tenant: &TenantId) -> Result<Vec<Waiting>, PortError> {
        activity::waiting(self, tenant).await
    }

    async fn by_whatsapp_id(
        &self,
        tenant: &TenantId,
        id: &MessageId,
        limit: u32,
    ) -> Result<Vec<LedgerEntry>, PortError> {
        // A text of the database can't hold a zero byte, so no entry has such an id; asking for it would be an error.
        if id.as_str().contains('\0') {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(BY_WHATSAPP_ID)
            .bind(tenant.as_str())
            .bind(id.as_str())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("looking for a message", e))?;
        rows.iter().filter_map(|row| self.entry_with_key(row).transpose()).collect()
    }
}
