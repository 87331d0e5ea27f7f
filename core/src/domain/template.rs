//! Templates: a text in several languages, with places for values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::placeholder::placeholders;
use super::{Locale, TemplateName, Timestamp};

/// Longest text of one locale, in characters.
const MAX_TEXT: usize = 4096;

/// Most locales of one template.
const MAX_LOCALES: usize = 50;

/// Most placeholders of one template, and the longest name of one.
const MAX_PLACEHOLDERS: usize = 32;
const MAX_PLACEHOLDER: usize = 64;

/// What is wrong with a template. Texts are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No text, or too many.
    #[error("a template has texts for 1 to {MAX_LOCALES} locales, this one has {0}")]
    Locales(usize),
    /// The default locale has no text.
    #[error("there is no text for the default locale {0}")]
    NoDefault(Locale),
    /// A text is empty or too long.
    #[error("a text has 1 to {MAX_TEXT} characters, the one for {locale} has {characters}")]
    Length {
        /// Of which locale.
        locale: Locale,
        /// How long it is.
        characters: usize,
    },
    /// A character that no phone shows.
    #[error("the text for {locale} has a control character (U+{code:04X}) at position {at}; line breaks are allowed")]
    Control {
        /// Of which locale.
        locale: Locale,
        /// The character.
        code: u32,
        /// Where, in characters from 0.
        at: usize,
    },
    /// A placeholder's name is too long, or there are too many.
    #[error(
        "a template has at most {MAX_PLACEHOLDERS} placeholders of at most {MAX_PLACEHOLDER} characters, not so the text for {0}"
    )]
    Placeholders(Locale),
    /// Two texts don't have the same placeholders.
    #[error("the texts for {one} and {other} differ in the placeholder {{{name}}}; each text has all of them")]
    Disagree {
        /// The default locale.
        one: Locale,
        /// The other one.
        other: Locale,
        /// What only one of them has.
        name: String,
    },
}

impl TemplateError {
    /// The locale that it is about, if it is about one.
    pub const fn locale(&self) -> Option<&Locale> {
        match self {
            Self::Locales(_) | Self::NoDefault(_) => None,
            Self::Length { locale, .. }
            | Self::Control { locale, .. }
            | Self::Placeholders(locale)
            | Self::Disagree { other: locale, .. } => Some(locale),
        }
    }
}

/// The texts of a template, checked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateTexts {
    default_locale: Locale,
    texts: BTreeMap<Locale, String>,
}

impl std::fmt::Debug for TemplateTexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TemplateTexts({} locales, {} by default)", self.texts.len(), self.default_locale)
    }
}

impl TemplateTexts {
    /// Checks the texts: their lengths, their characters, and that all have the same placeholders.
    pub fn new(default_locale: Locale, texts: BTreeMap<Locale, String>) -> Result<Self, TemplateError> {
        if texts.is_empty() || texts.len() > MAX_LOCALES {
            return Err(TemplateError::Locales(texts.len()));
        }
        let Some(default) = texts.get(&default_locale) else { return Err(TemplateError::NoDefault(default_locale)) };
        let wanted = checked(&default_locale, default)?;
        for (locale, text) in &texts {
            let found = checked(locale, text)?;
            if let Some(name) = wanted.symmetric_difference(&found).next() {
                let (one, other) = (default_locale.clone(), locale.clone());
                return Err(TemplateError::Disagree { one, other, name: (*name).to_owned() });
            }
        }
        Ok(Self { default_locale, texts })
    }

    /// The locale of whoever wants none, or one that there is no text for.
    pub const fn default_locale(&self) -> &Locale {
        &self.default_locale
    }

    /// All texts.
    pub const fn texts(&self) -> &BTreeMap<Locale, String> {
        &self.texts
    }

    /// The names of the placeholders, the same in all texts.
    pub fn placeholders(&self) -> BTreeSet<&str> {
        self.texts.get(&self.default_locale).map(|text| placeholders(text)).unwrap_or_default()
    }

    /// The text for a locale: of exactly this one, else of a shorter one down to its language, else the default's. With
    /// the locale that it is of.
    pub fn text_for(&self, wanted: Option<&Locale>) -> (&Locale, &str) {
        let fitting = wanted.into_iter().flat_map(Locale::fallbacks).find_map(|tag| {
            let (locale, text) = self.texts.iter().find(|(locale, _)| locale.as_str() == tag)?;
            Some((locale, text.as_str()))
        });
        fitting.unwrap_or_else(|| {
            // Checked when it was made.
            (&self.default_locale, self.texts.get(&self.default_locale).map(String::as_str).unwrap_or_default())
        })
    }
}

/// Checks one text, and gives its placeholders.
fn checked<'a>(locale: &Locale, text: &'a str) -> Result<BTreeSet<&'a str>, TemplateError> {
    let characters = text.chars().count();
    if characters == 0 || characters > MAX_TEXT {
        return Err(TemplateError::Length { locale: locale.clone(), characters });
    }
    if let Some((at, found)) = text.chars().enumerate().find(|(_, c)| c.is_control() && *c != '\n') {
        return Err(TemplateError::Control { locale: locale.clone(), code: found.into(), at });
    }
    let found = placeholders(text);
    if found.len() > MAX_PLACEHOLDERS || found.iter().any(|name| name.len() > MAX_PLACEHOLDER) {
        return Err(TemplateError::Placeholders(locale.clone()));
    }
    Ok(found)
}

/// A template of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    pub name: TemplateName,
    /// What it says.
    pub texts: TemplateTexts,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When it was stored last.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(tag: &str) -> Locale {
        Locale::new(tag).unwrap()
    }

    fn made(default: &str, texts: &[(&str, &str)]) -> Result<TemplateTexts, TemplateError> {
        let texts = texts.iter().map(|(tag, text)| (locale(tag), (*text).to_owned()));
        TemplateTexts::new(locale(default), texts.collect())
    }

    #[test]
    fn a_text_is_found_by_its_locale_its_language_or_the_default() {
        let texts = made("id", &[("id", "Halo {a}"), ("en", "Hi {a}"), ("en-GB", "Good day {a}")]).unwrap();
        for (wanted, found) in
            [("en-GB", "en-GB"), ("en-US", "en"), ("id-ID", "id"), ("ms", "id"), ("en-GB-oxendict", "en-GB")]
        {
            assert_eq!(texts.text_for(Some(&locale(wanted))).0, &locale(found), "{wanted}");
        }
        assert_eq!(texts.text_for(None).1, "Halo {a}");
        assert_eq!(texts.placeholders().into_iter().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn what_can_not_be_a_template_is_refused() {
        assert_eq!(made("id", &[]), Err(TemplateError::Locales(0)));
        assert_eq!(made("id", &[("en", "x")]), Err(TemplateError::NoDefault(locale("id"))));
        let long = "x".repeat(MAX_TEXT + 1);
        assert!(
            matches!(made("id", &[("id", &long)]), Err(TemplateError::Length { characters, .. }) if characters == MAX_TEXT + 1)
        );
        assert!(matches!(made("id", &[("id", "")]), Err(TemplateError::Length { .. })));
        assert!(matches!(made("id", &[("id", "a\u{7}")]), Err(TemplateError::Control { code: 7, at: 1, .. })));
        assert!(made("id", &[("id", "a\nb \u{1f600}")]).is_ok());
        let disagree = made("id", &[("id", "{a}{b}"), ("en", "{a}")]);
        assert!(matches!(disagree, Err(TemplateError::Disagree { name, .. }) if name == "b"));
        let many: Vec<String> = (0..33).map(|n| format!("{{p{n}}}")).collect();
        let many = many.concat();
        assert_eq!(made("id", &[("id", &many)]), Err(TemplateError::Placeholders(locale("id"))));
    }
}
