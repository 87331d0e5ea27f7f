//! API keys.

use async_trait::async_trait;
use kurir_core::domain::{ApiKeyRecord, KeyId, Scope, SessionId, TenantId, Timestamp};
use kurir_core::port::{KeyStore, PortError};

use super::PostgresStore;
use super::error::{corrupt, port_error};

const ADD: &str = "\
INSERT INTO api_key (id, tenant, label, hash, scopes, sessions, created_at, until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";

const ONE: &str = "\
SELECT id, tenant, label, hash, scopes, sessions, created_at, until FROM api_key WHERE id = $1";

const LIST: &str = "\
SELECT id, tenant, label, hash, scopes, sessions, created_at, until FROM api_key
WHERE $1::text IS NULL OR tenant = $1 ORDER BY id";

const END: &str = "\
UPDATE api_key SET until = least(until, $2) WHERE id = $1
RETURNING id, tenant, label, hash, scopes, sessions, created_at, until";

/// A row as it stands there, in the order of the statements' columns.
type Row = (String, String, String, Vec<u8>, Vec<String>, Option<Vec<String>>, i64, Option<i64>);

fn read((id, tenant, label, hash, scopes, sessions, created_at, until): Row) -> Result<ApiKeyRecord, PortError> {
    let wrong = |what: &str| corrupt(format!("the {what} of API key {id}"), "it is none");
    let id = KeyId::new(&id).map_err(|_| wrong("id"))?;
    let tenant = TenantId::new(&tenant).map_err(|_| wrong("tenant"))?;
    let hash = <[u8; 32]>::try_from(hash.as_slice()).map_err(|_| wrong("hash"))?;
    let scopes = scopes.iter().map(|scope| scope.parse::<Scope>().map_err(|_| wrong("scopes")));
    let scopes = scopes.collect::<Result<_, _>>()?;
    let sessions = sessions.as_ref().map(|sessions| {
        sessions.iter().map(|session| SessionId::new(session).map_err(|_| wrong("sessions"))).collect()
    });
    let sessions = sessions.transpose()?;
    let (created_at, until) = (Timestamp::from_millis(created_at), until.map(Timestamp::from_millis));
    Ok(ApiKeyRecord { id, tenant, label, hash, scopes, sessions, created_at, until })
}

#[async_trait]
impl KeyStore for PostgresStore {
    async fn add_key(&self, key: &ApiKeyRecord) -> Result<bool, PortError> {
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let sessions: Option<Vec<&str>> =
            key.sessions.as_ref().map(|sessions| sessions.iter().map(SessionId::as_str).collect());
        let (scopes, sessions) = (&scopes, &sessions);
        self.retrying("adding an API key", |_| async move {
            let done = sqlx::query(ADD)
                .bind(key.id.as_str())
                .bind(key.tenant.as_str())
                .bind(key.label.as_str())
                .bind(key.hash.as_slice())
                .bind(scopes)
                .bind(sessions)
                .bind(key.created_at.as_millis())
                .bind(key.until.map(Timestamp::as_millis))
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, PortError> {
        let row: Option<Row> = sqlx::query_as(ONE)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading an API key", e))?;
        row.map(read).transpose()
    }

    async fn keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKeyRecord>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(tenant.map(TenantId::as_str))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing API keys", e))?;
        rows.into_iter().map(read).collect()
    }

    async fn end_key(&self, id: &KeyId, at: Timestamp) -> Result<Option<ApiKeyRecord>, PortError> {
        let (id, at) = (id.as_str(), at.as_millis());
        let row: Option<Row> = self
            .retrying("ending an API key", |_| async move {
                sqlx::query_as(END).bind(id).bind(at).fetch_optional(&self.pool).await
            })
            .await?;
        row.map(read).transpose()
    }
}
