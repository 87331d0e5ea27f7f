//! The tenants' templates.

use async_trait::async_trait;
use kurir_core::domain::{Template, TemplateName, TenantId, Timestamp};
use kurir_core::port::{PortError, TemplateStore};

use super::PostgresStore;
use super::error::{corrupt, port_error};
use super::sealing::Place;

const ADD: &str = "\
INSERT INTO template (tenant, name, created_at, updated_at, texts)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, name) DO NOTHING";

const PUT: &str = "\
INSERT INTO template (tenant, name, created_at, updated_at, texts)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, name) DO UPDATE SET updated_at = excluded.updated_at, texts = excluded.texts
RETURNING created_at";

const ONE: &str = "\
SELECT name, created_at, updated_at, texts FROM template WHERE tenant = $1 AND name = $2";

const LIST: &str = "\
SELECT name, created_at, updated_at, texts FROM template
WHERE tenant = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3";

const REMOVE: &str = "\
DELETE FROM template WHERE tenant = $1 AND name = $2 RETURNING name, created_at, updated_at, texts";

/// A row as it stands there, in the order of the statements' columns.
type Row = (String, i64, i64, Vec<u8>);

impl PostgresStore {
    fn template_of(
        &self,
        tenant: &TenantId,
        (name, created_at, updated_at, texts): Row,
    ) -> Result<Template, PortError> {
        let name =
            TemplateName::new(&name).map_err(|error| corrupt(format!("the name of a template of {tenant}"), error))?;
        let texts = self.vault.open_json(&Place::Template { tenant, name: &name }, &texts)?;
        let (created_at, updated_at) = (Timestamp::from_millis(created_at), Timestamp::from_millis(updated_at));
        Ok(Template { name, texts, created_at, updated_at })
    }
}

#[async_trait]
impl TemplateStore for PostgresStore {
    async fn add_template(&self, tenant: &TenantId, template: &Template) -> Result<bool, PortError> {
        let texts = &self.vault.seal_json(&Place::Template { tenant, name: &template.name }, &template.texts)?;
        self.retrying("adding a template", |_| async move {
            let done = sqlx::query(ADD)
                .bind(tenant.as_str())
                .bind(template.name.as_str())
                .bind(template.created_at.as_millis())
                .bind(template.updated_at.as_millis())
                .bind(texts)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn put_template(&self, tenant: &TenantId, template: &Template) -> Result<Template, PortError> {
        let texts = &self.vault.seal_json(&Place::Template { tenant, name: &template.name }, &template.texts)?;
        let created_at: i64 = self
            .retrying("storing a template", |_| async move {
                sqlx::query_scalar(PUT)
                    .bind(tenant.as_str())
                    .bind(template.name.as_str())
                    .bind(template.created_at.as_millis())
                    .bind(template.updated_at.as_millis())
                    .bind(texts)
                    .fetch_one(&self.pool)
                    .await
            })
            .await?;
        Ok(Template { created_at: Timestamp::from_millis(created_at), ..template.clone() })
    }

    async fn template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError> {
        let row: Option<Row> = sqlx::query_as(ONE)
            .bind(tenant.as_str())
            .bind(name.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| port_error("reading a template", e))?;
        row.map(|row| self.template_of(tenant, row)).transpose()
    }

    async fn templates(
        &self,
        tenant: &TenantId,
        after: Option<&TemplateName>,
        limit: u32,
    ) -> Result<Vec<Template>, PortError> {
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(tenant.as_str())
            .bind(after.map(TemplateName::as_str))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("listing templates", e))?;
        rows.into_iter().map(|row| self.template_of(tenant, row)).collect()
    }

    async fn remove_template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError> {
        let row: Option<Row> = self
            .retrying("removing a template", |_| async move {
                sqlx::query_as(REMOVE).bind(tenant.as_str()).bind(name.as_str()).fetch_optional(&self.pool).await
            })
            .await?;
        row.map(|row| self.template_of(tenant, row)).transpose()
    }
}
