//! In which language the admin page speaks.

use axum::http::{HeaderMap, header};

use super::cookie;

/// The cookie of whoever has chosen.
pub(super) const COOKIE: &str = "kurir_lang";

/// A language of the admin page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
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

    /// Its tag, for `lang` and for the cookie.
    pub const fn as_str(self) -> &'static str {
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

    /// The one of two things that is in this language.
    pub const fn of_two<T: Copy>(self, id: T, en: T) -> T {
        match self {
            Self::Id => id,
            Self::En => en,
        }
    }

    /// The language of this tag, whatever the region; `in` is an old one of Indonesian.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase();
        if primary == "in" {
            return Some(Self::Id);
        }
        Self::ALL.into_iter().find(|language| language.as_str() == primary)
    }

    /// The one chosen, else the one that the browser likes best, else Indonesian.
    pub fn of(headers: &HeaderMap) -> Self {
        if let Some(chosen) = cookie::value(headers, COOKIE).and_then(Self::parse) {
            return chosen;
        }
        let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let wishes = lines.flat_map(|line| line.split(',')).filter_map(|wish| {
            let mut parts = wish.split(';');
            let language = Self::parse(parts.next()?)?;
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.trim().parse::<f32>().ok());
            Some((language, weight.unwrap_or(1.0))).filter(|(_, weight)| *weight > 0.0)
        });
        // The first of the best ones.
        let best = wishes.fold(None, |best: Option<(Self, f32)>, wish| match best {
            Some((_, weight)) if weight >= wish.1 => best,
            _ => Some(wish),
        });
        best.map(|(language, _)| language).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_choice_counts_first_then_the_browser_then_indonesian() {
        for (cookie, accepts, wanted) in [
            (None, None, Language::Id),
            (None, Some("en-GB,en;q=0.9,id;q=0.8"), Language::En),
            (None, Some("id;q=0.5, en;q=0.4"), Language::Id),
            (None, Some("de, en;q=0.1"), Language::En),
            (None, Some("de, en;q=0"), Language::Id),
            (None, Some("in-ID"), Language::Id),
            (None, Some(";;q=x,,"), Language::Id),
            (Some("kurir_lang=id"), Some("en"), Language::Id),
            (Some("a=b; kurir_lang=en"), None, Language::En),
            (Some("kurir_lang=xx"), Some("en"), Language::En),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(cookie) = cookie {
                headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            }
            if let Some(accepts) = accepts {
                headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accepts));
            }
            assert_eq!(Language::of(&headers), wanted, "{cookie:?} {accepts:?}");
        }
    }
}
