//! The languages of the admin page.

use axum::http::{HeaderMap, header};

use super::preferences;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) enum Language {
    /// Indonesian.
    #[default]
    Id,
    /// English.
    En,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Id, Self::En];

    /// Its tag (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::En => "en",
        }
    }

    /// Its name, in itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "Bahasa Indonesia",
            Self::En => "English",
        }
    }

    /// Reads a tag, whatever stands behind its first part.
    pub fn parse(tag: &str) -> Option<Self> {
        let first = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(first))
    }

    /// The language that a reader has chosen, else the first that his browser asks for.
    pub fn of(headers: &HeaderMap) -> Self {
        let chosen = preferences::cookie(headers, preferences::LANGUAGE).and_then(Self::parse);
        chosen.or_else(|| asked_for(headers)).unwrap_or_default()
    }

    /// The one of two texts that is in this language.
    pub const fn of_two<T: Copy>(self, id: T, en: T) -> T {
        match self {
            Self::Id => id,
            Self::En => en,
        }
    }
}

/// The first language of `Accept-Language` that there is; browsers name the dearest first.
fn asked_for(headers: &HeaderMap) -> Option<Language> {
    let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    text.split(',').find_map(|part| Language::parse(part.split(';').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_choice_counts_before_the_browsers_wishes() {
        let mut headers = HeaderMap::new();
        assert_eq!(Language::of(&headers), Language::Id);
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("de, en-GB;q=0.8, id;q=0.5"));
        assert_eq!(Language::of(&headers), Language::En);
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; kurir_lang=id"));
        assert_eq!(Language::of(&headers), Language::Id);
        headers.insert(header::COOKIE, HeaderValue::from_static("kurir_lang=xx"));
        assert_eq!(Language::of(&headers), Language::En);
    }
}
