//! Languages: BCP 47 tags, checked for their form and written in one way.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest tag that is taken; the RFC advises to make room for 35 characters.
const MAX_TAG: usize = 35;

/// Why a text is no locale. It is not repeated: it is whatever somebody sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a locale is a BCP 47 tag of at most 35 characters, like id, en-GB or zh-Hant-TW")]
pub struct NoLocale;

/// A BCP 47 tag: a language, perhaps with script, region and variants, in its usual spelling (`zh-Hant-TW`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Locale(String);

impl Locale {
    /// Reads a tag, in whatever case, with `-` or `_` between its parts.
    pub fn new(text: &str) -> Result<Self, NoLocale> {
        if text.len() > MAX_TAG || !text.is_ascii() {
            return Err(NoLocale);
        }
        let parts: Vec<String> = text.split(['-', '_']).map(str::to_ascii_lowercase).collect();
        if !is_well_formed(&parts) {
            return Err(NoLocale);
        }
        let mut tag = String::with_capacity(text.len());
        let mut after_singleton = false;
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                tag.push('-');
            }
            // Extensions keep their small letters, whatever their parts look like.
            match (at, part.len()) {
                (1.., 2) if !after_singleton => tag.push_str(&part.to_ascii_uppercase()),
                (1.., 4) if !after_singleton && is_alphabetic(part) => {
                    tag.push_str(&part[..1].to_ascii_uppercase());
                    tag.push_str(&part[1..]);
                }
                _ => tag.push_str(part),
            }
            after_singleton |= part.len() == 1;
        }
        Ok(Self(tag))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag itself, and then shorter and shorter ones down to the language: what is looked for, in this order
    /// (RFC 4647, lookup).
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |tag| {
            let (mut shorter, _) = tag.rsplit_once('-')?;
            // A singleton means nothing without what follows it.
            while let Some((before, last)) = shorter.rsplit_once('-')
                && last.len() == 1
            {
                shorter = before;
            }
            Some(shorter)
        })
    }
}

fn is_alphabetic(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_alphanumeric(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_region(part: &str) -> bool {
    (part.len() == 2 && is_alphabetic(part)) || (part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_variant(part: &str) -> bool {
    let begins_with_digit = part.as_bytes().first().is_some_and(u8::is_ascii_digit);
    is_alphanumeric(part) && ((5..=8).contains(&part.len()) || (part.len() == 4 && begins_with_digit))
}

/// The grammar of RFC 5646 without its grandfathered tags: language, extended languages, script, region, variants,
/// extensions, private use.
fn is_well_formed(parts: &[String]) -> bool {
    let mut rest = parts.iter().map(String::as_str).peekable();
    let Some(language) = rest.next().filter(|part| is_alphabetic(part) && (2..=8).contains(&part.len())) else {
        return false;
    };
    if language.len() <= 3 {
        for _ in 0..3 {
            if rest.next_if(|part| part.len() == 3 && is_alphabetic(part)).is_none() {
                break;
            }
        }
    }
    let _script = rest.next_if(|part| part.len() == 4 && is_alphabetic(part));
    let _region = rest.next_if(|part| is_region(part));
    while rest.next_if(|part| is_variant(part)).is_some() {}
    while let Some(singleton) = rest.next_if(|part| part.len() == 1 && is_alphanumeric(part)) {
        let least = if singleton == "x" { 1 } else { 2 };
        let mut count = 0;
        while rest.next_if(|part| (least..=8).contains(&part.len()) && is_alphanumeric(part)).is_some() {
            count += 1;
        }
        if count == 0 {
            return false;
        }
    }
    rest.next().is_none()
}

impl FromStr for Locale {
    type Err = NoLocale;

    fn from_str(text: &str) -> Result<Self, NoLocale> {
        Self::new(text)
    }
}

impl TryFrom<String> for Locale {
    type Error = NoLocale;

    fn try_from(text: String) -> Result<Self, NoLocale> {
        Self::new(&text)
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_in_their_usual_spelling() {
        for (text, tag) in [
            ("ID", "id"),
            ("en_gb", "en-GB"),
            ("ZH-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("sl-rozaj-biske-1994", "sl-rozaj-biske-1994"),
            ("de-CH-x-phonebk", "de-CH-x-phonebk"),
            ("en-u-ca-islamic", "en-u-ca-islamic"),
            ("zh-yue-HK", "zh-yue-HK"),
        ] {
            assert_eq!(Locale::new(text).map(String::from), Ok(tag.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        for text in ["", "i", "x", "-id", "id-", "id--ID", "123", "id ID", "indonesian!", "en-GB-US", "en-x", "ïd"] {
            assert_eq!(Locale::new(text), Err(NoLocale), "{text:?}");
        }
        assert_eq!(Locale::new(&format!("en-x-{}", "abcdefg-".repeat(4))), Err(NoLocale));
        assert_eq!(Locale::new(&format!("en-x{}", "-abcdefg".repeat(4))), Err(NoLocale), "36 characters");
    }

    #[test]
    fn a_locale_falls_back_to_its_language() {
        let of = |tag: &str| Locale::new(tag).unwrap().fallbacks().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of("id"), ["id"]);
        assert_eq!(of("zh-Hant-TW"), ["zh-Hant-TW", "zh-Hant", "zh"]);
        assert_eq!(of("de-CH-x-ab"), ["de-CH-x-ab", "de-CH", "de"]);
    }
}
