//! The tenants' templates.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{Template, TemplateName, TenantId};

/// Templates, by tenant and name.
#[async_trait]
pub trait TemplateStore: Send + Sync {
    /// Keeps a new template; `false`: the tenant has one of this name, and it stays as it is.
    async fn add_template(&self, tenant: &TenantId, template: &Template) -> Result<bool, PortError>;

    /// Keeps a template, in place of the one of this name if there is one: that one's `created_at` stays. Gives it as it is
    /// then.
    async fn put_template(&self, tenant: &TenantId, template: &Template) -> Result<Template, PortError>;

    /// One template.
    async fn template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError>;

    /// The tenant's templates after a name, at most `limit`, in the order of their names, byte by byte.
    async fn templates(
        &self,
        tenant: &TenantId,
        after: Option<&TemplateName>,
        limit: u32,
    ) -> Result<Vec<Template>, PortError>;

    /// Removes a template and gives it; `None`: there is none.
    async fn remove_template(&self, tenant: &TenantId, name: &TemplateName) -> Result<Option<Template>, PortError>;
}
