//! `{word}` in a text: where a value goes. Braces around anything else stay as they are.

use std::collections::BTreeSet;

use super::Secret;

/// A placeholder of a text that no value was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text has the placeholder {{{0}}}, and no value was given for it")]
pub struct UnknownPlaceholder(pub String);

/// A stretch of a text.
enum Piece<'a> {
    /// As it is.
    Text(&'a str),
    /// The name between the braces.
    Placeholder(&'a str),
}

/// Whether a word can be the name of a placeholder: letters, digits and `_`.
pub fn is_placeholder(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(after) = rest.strip_prefix('{') else {
            let end = rest.find('{').unwrap_or(rest.len());
            let (text, left) = rest.split_at(end);
            rest = left;
            return Some(Piece::Text(text));
        };
        let name = after.find('}').map(|close| &after[..close]).filter(|name| is_placeholder(name));
        if let Some(name) = name {
            rest = &after[name.len() + 1..];
            return Some(Piece::Placeholder(name));
        }
        let (brace, left) = rest.split_at(1);
        rest = left;
        Some(Piece::Text(brace))
    })
}

/// The names of a text's placeholders.
pub fn placeholders(text: &str) -> BTreeSet<&str> {
    pieces(text)
        .filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name),
            Piece::Text(_) => None,
        })
        .collect()
}

/// Puts values where the placeholders are. What stands in a value is not looked at again.
pub(super) fn fill<'a>(
    text: &str,
    value_of: impl Fn(&str) -> Option<&'a str>,
) -> Result<Secret<String>, UnknownPlaceholder> {
    let mut out = String::with_capacity(text.len() + 16);
    for piece in pieces(text) {
        out.push_str(match piece {
            Piece::Text(text) => text,
            Piece::Placeholder(name) => value_of(name).ok_or_else(|| UnknownPlaceholder(name.to_owned()))?,
        });
    }
    Ok(Secret::new(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_words_in_braces() {
        let found = placeholders("Halo {name}, {} {not a name} {{code}} {name} {é} {last");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["code", "name"]);
        assert!(placeholders("").is_empty() && placeholders("{").is_empty());
    }
}
