//! Templates in memory.

use std::ops::Bound;

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{Template, TemplateName, TenantId};
use crate::port::{PortError, TemplateStore};

#[async_trait]
impl TemplateStore for MemoryStores {
    async fn add_template(&self, tenant: &TenantId, template: &Template) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let own = tables.templates.entry(tenant.clone()).or_default();
        let new = !own.contains_key(&template.name);
        if new {
            own.insert(template.name.clone(), template.clone());
        }
        Ok(new)
    }

    async fn put_template(&self, tenant: &TenantId, template: &Template) -> Result<Template, PortError> {
        let mut tables = self.tables();
        let own = tables.templates.entry(tenant.clone()).or_default();
        let mut kept = template.clone();
        if let Some(before) = own.get(&template.name) {
            kept.created_at = before.created_at;
        }
        own.insert(kept.name.clone(), kept.clone());
        Ok(kept)
    }

    async fn template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError> {
        Ok(self.tables().templates.get(tenant).and_then(|own| own.get(name)).cloned())
    }

    async fn templates(
        &self,
        tenant: &TenantId,
        after: Option<&TemplateName>,
        limit: u32,
    ) -> Result<Vec<Template>, PortError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.tables();
        let Some(own) = tables.templates.get(tenant) else { return Ok(Vec::new()) };
        let page = own.range::<TemplateName, _>((start, Bound::Unbounded)).map(|(_, template)| template);
        Ok(page.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn remove_template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError> {
        Ok(self.tables().templates.get_mut(tenant).and_then(|own| own.remove(name)))
    }
}
