//! API keys.

use async_trait::async_trait;
use kurir_core::domain::{ApiKeyRecord, KeyId, TenantId, Timestamp};
use kurir_core::port::{KeyStore, PortError};
use serde::de::DeserializeOwned;

use super::database::SqliteStore;
use super::error::{corrupt, sql};

const COLUMNS: &str = "id, tenant, label, hash, scopes, sessions, created_at, until";

/// A row as it stands there, in the order of the statements' columns.
type Row = (String, String, String, Vec<u8>, String, Option<String>, i64, Option<i64>);

fn list<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

fn read((id, tenant, label, hash, scopes, sessions, created_at, until): Row) -> Result<ApiKeyRecord, PortError> {
    let wrong = |what: &str| corrupt(format!("the {what} of API key {id}"), "it is none");
    let id = KeyId::new(&id).map_err(|_| wrong("id"))?;
    let tenant = TenantId::new(&tenant).map_err(|_| wrong("tenant"))?;
    let hash = <[u8; 32]>::try_from(hash.as_slice()).map_err(|_| wrong("hash"))?;
    let scopes = list(&scopes).ok_or_else(|| wrong("scopes"))?;
    let sessions = sessions.as_deref().map(|json| list(json).ok_or_else(|| wrong("sessions"))).transpose()?;
    let (created_at, until) = (Timestamp::from_millis(created_at), until.map(Timestamp::from_millis));
    Ok(ApiKeyRecord { id, tenant, label, hash, scopes, sessions, created_at, until })
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn add_key(&self, key: &ApiKeyRecord) -> Result<bool, PortError> {
        let json = |error| corrupt("an API key to write", error);
        let scopes = serde_json::to_string(&key.scopes).map_err(json)?;
        let sessions = key.sessions.as_ref().map(serde_json::to_string).transpose().map_err(json)?;
        let key = key.clone();
        self.db
            .writer
            .write("adding an API key", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO api_key (id, tenant, label, hash, scopes, sessions, created_at, until) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING",
                    )
                    .bind(key.id.as_str())
                    .bind(key.tenant.as_str())
                    .bind(key.label.as_str())
                    .bind(key.hash.as_slice())
                    .bind(&scopes)
                    .bind(sessions.as_deref())
                    .bind(key.created_at.as_millis())
                    .bind(key.until.map(Timestamp::as_millis))
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<ApiKeyRecord>, PortError> {
        let row: Option<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_key WHERE id = ?1")))
                .bind(id.as_str())
                .fetch_optional(&self.db.readers)
                .await
                .map_err(|error| sql("reading an API key", error))?;
        row.map(read).transpose()
    }

    async fn keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKeyRecord>, PortError> {
        let statement = format!("SELECT {COLUMNS} FROM api_key WHERE ?1 IS NULL OR tenant = ?1 ORDER BY id");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(tenant.map(TenantId::as_str))
            .fetch_all(&self.db.readers)
            .await
            .map_err(|error| sql("listing API keys", error))?;
        rows.into_iter().map(read).collect()
    }

    async fn end_key(&self, id: &KeyId, at: Timestamp) -> Result<Option<ApiKeyRecord>, PortError> {
        let (key, at) = (id.clone(), at.as_millis());
        self.db
            .writer
            .write("ending an API key", move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE api_key SET until = min(coalesce(until, ?2), ?2) WHERE id = ?1")
                        .bind(key.as_str())
                        .bind(at)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await?;
        self.key(id).await
    }
}
