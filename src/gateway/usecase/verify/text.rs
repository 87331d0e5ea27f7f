//! What the message of a code says: the caller's own text, a template that the caller names, or the one that is meant for
//! codes: the tenant's, else the one that kurir brings along.

use kurir_core::domain::{Content, Locale, Secret, TenantId, placeholders};

use crate::gateway::usecase::templates::KnownTemplate;
use crate::gateway::usecase::wording::CODE;
use crate::gateway::usecase::{UseCaseError, UseCases};

/// The template for codes where the caller names none.
const TEMPLATE: &str = "otp";

/// Longest text around a code, in characters.
const MAX_TEXT: usize = 1000;

/// What a caller says of the text.
#[derive(Clone, Debug, Default)]
pub struct TextWish {
    /// In full, with `{code}`; …
    pub text: Option<String>,
    /// … or by the name of a template.
    pub template: Option<String>,
    /// The language of a template's text.
    pub locale: Option<String>,
}

/// Why a template's text does not do for a code.
fn unfit(text: &str) -> Option<&'static str> {
    let wanted = placeholders(text);
    if !wanted.contains(CODE) {
        return Some("the template has no placeholder {code}, where the code goes");
    }
    if wanted.len() > 1 {
        return Some("the template has placeholders beside {code}, and a verification has no values for them");
    }
    (text.chars().count() > MAX_TEXT).then_some("the template's text is longer than one around a code may be")
}

fn full(text: String) -> Result<String, UseCaseError> {
    if text.chars().count() > MAX_TEXT {
        return Err(UseCaseError::field("text", format!("has more than {MAX_TEXT} characters")));
    }
    if !text.contains("{code}") {
        return Err(UseCaseError::field("text", "needs {code} where the code goes"));
    }
    let sample = Content::Otp { code: Secret::new("0".to_owned()), text: text.clone() };
    sample.render().map_err(|error| UseCaseError::field("text", error.to_string()))?;
    Ok(text)
}

impl UseCases {
    /// The text around a code.
    pub(super) async fn code_text(&self, tenant: &TenantId, wish: TextWish) -> Result<String, UseCaseError> {
        let asked = wish.locale.as_deref().map(Locale::new).transpose();
        let asked = asked.map_err(|error| UseCaseError::field("locale", error.to_string()))?;
        match (wish.text, wish.template) {
            (Some(_), Some(_)) => Err(UseCaseError::field("template", "give a text or a template, not both")),
            (Some(text), None) => full(text),
            (None, Some(name)) => self.text_by_name(tenant, &name, asked).await,
            (None, None) => self.usual_text(tenant, asked).await,
        }
    }

    async fn text_by_name(&self, tenant: &TenantId, name: &str, asked: Option<Locale>) -> Result<String, UseCaseError> {
        let locale = asked.or_else(|| Locale::new(&self.verify.locale).ok());
        let found = self.template_text(tenant, name, locale.as_ref()).await.map_err(|error| match error {
            UseCaseError::NotFound { what, .. } => UseCaseError::NotFound { what, field: Some("template") },
            other => other,
        })?;
        match unfit(&found.text) {
            None => Ok(found.text),
            Some(why) => Err(UseCaseError::field("template", why)),
        }
    }

    /// The tenant's own, if it has a text that does for a code, and one in the language that was asked for; else kurir's.
    async fn usual_text(&self, tenant: &TenantId, asked: Option<Locale>) -> Result<String, UseCaseError> {
        let usual = asked.clone().or_else(|| Locale::new(&self.verify.locale).ok());
        if let KnownTemplate::Own(own) = self.template(tenant, TEMPLATE).await? {
            let (locale, text) = own.texts.text_for(usual.as_ref());
            if asked.is_none_or(|asked| is_one_of(locale, &asked)) && unfit(text).is_none() {
                return Ok(text.to_owned());
            }
        }
        let brought = Self::shipped_template(TEMPLATE);
        let found = brought.as_ref().map(|brought| brought.texts.text_for(usual.as_ref()));
        match (found, usual) {
            (Some((locale, text)), Some(usual)) if is_one_of(locale, &usual) => Ok(text.to_owned()),
            _ => Err(UseCaseError::field("locale", "has no text: give `text`, a `template`, or one of id, en")),
        }
    }
}

/// Whether a text of this locale is one in the language that was asked for.
fn is_one_of(locale: &Locale, asked: &Locale) -> bool {
    asked.fallbacks().any(|tag| tag == locale.as_str())
}
