//! Templates: make, look at, change, try, and what others need of them: the text of a name in a language.

use std::collections::BTreeMap;

use kurir_core::domain::{Content, Locale, Secret, Template, TemplateName, TemplateTexts, TenantId, Timestamp};

use super::page::cut;
use super::shipped::{Shipped, shipped};
use super::wording::check_values;
use super::{UseCaseError, UseCases};

/// A template that a tenant can use.
#[derive(Clone, Debug)]
pub enum KnownTemplate {
    /// One of the tenant's.
    Own(Template),
    /// One that kurir brings along.
    Shipped(Shipped),
}

impl KnownTemplate {
    /// Its name.
    pub const fn name(&self) -> &TemplateName {
        match self {
            Self::Own(template) => &template.name,
            Self::Shipped(shipped) => &shipped.name,
        }
    }

    /// What it says.
    pub const fn texts(&self) -> &TemplateTexts {
        match self {
            Self::Own(template) => &template.texts,
            Self::Shipped(shipped) => &shipped.texts,
        }
    }

    /// When it was first and last stored, if it is the tenant's.
    pub const fn stored(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Own(template) => Some((template.created_at, template.updated_at)),
            Self::Shipped(_) => None,
        }
    }
}

/// A text of a template, placeholders and all.
#[derive(Clone)]
pub struct TemplateText {
    /// Of which locale it is; perhaps not of the one that was asked for.
    pub locale: Locale,
    /// The text.
    pub text: String,
}

/// A page of templates.
pub struct TemplatePage {
    /// In the order of their names.
    pub templates: Vec<KnownTemplate>,
    /// Where the next page begins, if there is one.
    pub next: Option<TemplateName>,
}

const NONE: UseCaseError = UseCaseError::NotFound { what: "template", field: None };

impl UseCases {
    /// The text of a template by its name (one of the tenant's, else one that kurir brings along) in a language: of
    /// exactly this locale, else of its language, else the template's default.
    pub async fn template_text(
        &self,
        tenant: &TenantId,
        name: &str,
        locale: Option<&Locale>,
    ) -> Result<TemplateText, UseCaseError> {
        let known = self.template(tenant, name).await?;
        let (locale, text) = known.texts().text_for(locale);
        Ok(TemplateText { locale: locale.clone(), text: text.to_owned() })
    }

    /// A template that the tenant can use.
    pub async fn template(&self, tenant: &TenantId, name: &str) -> Result<KnownTemplate, UseCaseError> {
        // What can't be a name is the name of no template.
        let name = TemplateName::new(name).map_err(|_| NONE)?;
        if let Some(own) = self.ports.templates.template(tenant, &name).await? {
            return Ok(KnownTemplate::Own(own));
        }
        Self::shipped_template(name.as_str()).map(KnownTemplate::Shipped).ok_or(NONE)
    }

    /// A template that kurir brings along.
    pub(super) fn shipped_template(name: &str) -> Option<Shipped> {
        shipped().find(|shipped| shipped.name.as_str() == name)
    }

    /// The templates that the tenant can use, a page at a time.
    pub async fn templates(
        &self,
        tenant: &TenantId,
        after: Option<&TemplateName>,
        limit: u32,
    ) -> Result<TemplatePage, UseCaseError> {
        let own = self.ports.templates.templates(tenant, after, limit.saturating_add(1)).await?;
        // Those that are hidden by one of the tenant's beyond this page come after it anyhow.
        let brought = shipped().filter(|shipped| {
            after.is_none_or(|after| shipped.name > *after) && !own.iter().any(|own| own.name == shipped.name)
        });
        let brought: Vec<_> = brought.map(KnownTemplate::Shipped).collect();
        let mut templates: Vec<_> = own.into_iter().map(KnownTemplate::Own).chain(brought).collect();
        templates.sort_by(|one, other| one.name().cmp(other.name()));
        let next = cut(&mut templates, limit, |last| last.name().clone());
        Ok(TemplatePage { templates, next })
    }

    /// Makes a template of the tenant's, perhaps in place of one that kurir brings along.
    pub async fn create_template(
        &self,
        tenant: &TenantId,
        name: &str,
        texts: TemplateTexts,
    ) -> Result<Template, UseCaseError> {
        let template = self.drafted(name, texts)?;
        if !self.ports.templates.add_template(tenant, &template).await? {
            return Err(UseCaseError::TemplateExists);
        }
        Ok(template)
    }

    /// Makes or changes a template of the tenant's.
    pub async fn put_template(
        &self,
        tenant: &TenantId,
        name: &str,
        texts: TemplateTexts,
    ) -> Result<Template, UseCaseError> {
        let template = self.drafted(name, texts)?;
        Ok(self.ports.templates.put_template(tenant, &template).await?)
    }

    fn drafted(&self, name: &str, texts: TemplateTexts) -> Result<Template, UseCaseError> {
        let name = TemplateName::new(name).map_err(|error| UseCaseError::field("name", error.to_string()))?;
        let now = self.ports.clock.now();
        Ok(Template { name, texts, created_at: now, updated_at: now })
    }

    /// Removes a template of the tenant's. One that kurir brings along under the same name is good again; it can't be
    /// removed itself.
    pub async fn remove_template(&self, tenant: &TenantId, name: &str) -> Result<Template, UseCaseError> {
        let name = TemplateName::new(name).map_err(|_| NONE)?;
        self.ports.templates.remove_template(tenant, &name).await?.ok_or(NONE)
    }

    /// What a message by this template would say. Gives the locale of the text, too.
    pub async fn preview_template(
        &self,
        tenant: &TenantId,
        name: &str,
        locale: Option<&Locale>,
        values: BTreeMap<String, String>,
    ) -> Result<(Locale, Secret<String>), UseCaseError> {
        let TemplateText { locale, text } = self.template_text(tenant, name, locale).await?;
        check_values(&text, &values, "values")?;
        let values = values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        let rendered = Content::Template { text, values }.render();
        let rendered = rendered.map_err(|error| UseCaseError::value("values", error.to_string()))?;
        Ok((locale, rendered))
    }
}
