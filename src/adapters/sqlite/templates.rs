//! The tenants' templates.

use async_trait::async_trait;
use kurir_core::domain::{Template, TemplateName, TenantId, Timestamp};
use kurir_core::port::{PortError, TemplateStore};

use super::database::{Database, SqliteStore};
use super::error::{corrupt, sql};

/// A row as it stands there: name, when it was made and stored last, the sealed texts.
type Row = (String, i64, i64, Vec<u8>);

fn place(tenant: &TenantId, name: &TemplateName) -> String {
    format!("template/{tenant}/{name}")
}

impl Database {
    fn sealed_texts(&self, tenant: &TenantId, template: &Template) -> Result<Vec<u8>, PortError> {
        let json = serde_json::to_vec(&template.texts).map_err(|error| corrupt("a template to write", error))?;
        Ok(self.sealer.seal(&place(tenant, &template.name), &json))
    }

    fn template(&self, tenant: &TenantId, (name, created_at, updated_at, texts): Row) -> Result<Template, PortError> {
        let what = || format!("template {name:?} of {tenant}");
        let checked = TemplateName::new(&name).map_err(|error| corrupt(what(), error))?;
        let json = self.sealer.open(&place(tenant, &checked), &texts, what)?;
        let texts = serde_json::from_slice(&json).map_err(|_| corrupt(what(), "it is none"))?;
        let (created_at, updated_at) = (Timestamp::from_millis(created_at), Timestamp::from_millis(updated_at));
        Ok(Template { name: checked, texts, created_at, updated_at })
    }
}

#[async_trait]
impl TemplateStore for SqliteStore {
    async fn add_template(&self, tenant: &TenantId, template: &Template) -> Result<bool, PortError> {
        let texts = self.db.sealed_texts(tenant, template)?;
        let (tenant, template) = (tenant.clone(), template.clone());
        self.db
            .writer
            .write("adding a template", move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO template (tenant, name, created_at, updated_at, texts) \
                         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, name) DO NOTHING",
                    )
                    .bind(tenant.as_str())
                    .bind(template.name.as_str())
                    .bind(template.created_at.as_millis())
                    .bind(template.updated_at.as_millis())
                    .bind(texts)
                    .execute(connection)
                    .await?;
                    Ok(done.rows_affected() > 0)
                })
            })
            .await
    }

    async fn put_template(&self, tenant: &TenantId, template: &Template) -> Result<Template, PortError> {
        let texts = self.db.sealed_texts(tenant, template)?;
        let (tenant, mut template) = (tenant.clone(), template.clone());
        self.db
            .writer
            .write("storing a template", move |connection| {
                Box::pin(async move {
                    let created_at: i64 = sqlx::query_scalar(
                        "INSERT INTO template (tenant, name, created_at, updated_at, texts) \
                         VALUES (?1, ?2, ?3, ?4, ?5) \
                         ON CONFLICT (tenant, name) DO UPDATE SET updated_at = excluded.updated_at, texts = excluded.texts \
                         RETURNING created_at",
                    )
                    .bind(tenant.as_str())
                    .bind(template.name.as_str())
                    .bind(template.created_at.as_millis())
                    .bind(template.updated_at.as_millis())
                    .bind(texts)
                    .fetch_one(connection)
                    .await?;
                    template.created_at = Timestamp::from_millis(created_at);
                    Ok(template)
                })
            })
            .await
    }

    async fn template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError> {
        let row: Option<Row> =
            sqlx::query_as("SELECT name, created_at, updated_at, texts FROM template WHERE tenant = ?1 AND name = ?2")
                .bind(tenant.as_str())
                .bind(name.as_str())
                .fetch_optional(&self.db.readers)
                .await
                .map_err(|error| sql("reading a template", error))?;
        row.map(|row| self.db.template(tenant, row)).transpose()
    }

    async fn templates(
        &self,
        tenant: &TenantId,
        after: Option<&TemplateName>,
        limit: u32,
    ) -> Result<Vec<Template>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT name, created_at, updated_at, texts FROM template \
             WHERE tenant = ?1 AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3",
        )
        .bind(tenant.as_str())
        .bind(after.map(TemplateName::as_str))
        .bind(limit)
        .fetch_all(&self.db.readers)
        .await
        .map_err(|error| sql("listing templates", error))?;
        rows.into_iter().map(|row| self.db.template(tenant, row)).collect()
    }

    async fn remove_template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError> {
        let (whose, name) = (tenant.clone(), name.clone());
        let row: Option<Row> = self
            .db
            .writer
            .write("removing a template", move |connection| {
                Box::pin(async move {
                    let row = sqlx::query_as(
                        "DELETE FROM template WHERE tenant = ?1 AND name = ?2 \
                         RETURNING name, created_at, updated_at, texts",
                    )
                    .bind(whose.as_str())
                    .bind(name.as_str())
                    .fetch_optional(connection)
                    .await?;
                    Ok(row)
                })
            })
            .await?;
        row.map(|row| self.db.template(tenant, row)).transpose()
    }
}
