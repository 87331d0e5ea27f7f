//! What people call a session: its name for human eyes, and labels to find it by.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name, in characters.
const MAX_NAME: usize = 100;

/// Longest key of a label, in bytes.
const MAX_KEY: usize = 32;

/// Longest value of a label, in characters.
const MAX_VALUE: usize = 64;

/// Why a text can't be a name or a label. It repeats nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// A name that is empty, too long, or has characters that can't be shown.
    #[error(
        "a name has 1 to {MAX_NAME} characters, none of them a control character, and neither begins nor ends with a space"
    )]
    Name,
    /// A key of a label that does not fit.
    #[error(
        "a label's key has 1 to {MAX_KEY} characters: small letters, digits, '.', '-' and '_', the first a letter or a digit"
    )]
    Key,
    /// A value of a label that does not fit.
    #[error("a label's value has 1 to {MAX_VALUE} characters, none of them a control character")]
    Value,
    /// More labels than a session may have.
    #[error("a session has at most {} labels", Labels::MOST)]
    TooMany,
}

fn is_shown(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// A session's name for human eyes; two sessions may have the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(String);

impl SessionName {
    /// Checks the text.
    pub fn new(text: impl Into<String>) -> Result<Self, LabelError> {
        let text = text.into();
        if is_shown(&text, MAX_NAME) && text.trim() == text { Ok(Self(text)) } else { Err(LabelError::Name) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionName {
    /// Names are people's words, and logs have none of these.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionName({} bytes)", self.0.len())
    }
}

/// A session's labels, by their keys.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Most labels of a session.
    pub const MOST: usize = 16;

    /// Checks keys, values and their number.
    pub fn new(labels: BTreeMap<String, String>) -> Result<Self, LabelError> {
        if labels.len() > Self::MOST {
            return Err(LabelError::TooMany);
        }
        for (key, value) in &labels {
            check_key(key)?;
            check_value(value)?;
        }
        Ok(Self(labels))
    }

    /// Those that are there.
    pub const fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether all of these are among its own, with the same values.
    pub fn have(&self, wanted: &Self) -> bool {
        wanted.0.iter().all(|(key, value)| self.0.get(key) == Some(value))
    }

    /// The labels after a change.
    pub fn changed(&self, change: &LabelChange) -> Result<Self, LabelError> {
        let mut labels = self.0.clone();
        for (key, value) in &change.0 {
            match value {
                Some(value) => labels.insert(key.clone(), value.clone()),
                None => labels.remove(key),
            };
        }
        if labels.len() > Self::MOST { Err(LabelError::TooMany) } else { Ok(Self(labels)) }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Labels({})", self.0.len())
    }
}

/// A change of labels: what has a value is set, what has none is removed, the others stay.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct LabelChange(BTreeMap<String, Option<String>>);

impl LabelChange {
    /// Checks keys and values.
    pub fn new(change: BTreeMap<String, Option<String>>) -> Result<Self, LabelError> {
        if change.values().flatten().count() > Labels::MOST {
            return Err(LabelError::TooMany);
        }
        for (key, value) in &change {
            check_key(key)?;
            value.as_deref().map_or(Ok(()), check_value)?;
        }
        Ok(Self(change))
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_key(key: &str) -> Result<(), LabelError> {
    let fits = |(at, byte): (usize, u8)| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || (at > 0 && b".-_".contains(&byte))
    };
    let good = (1..=MAX_KEY).contains(&key.len()) && key.bytes().enumerate().all(fits);
    if good { Ok(()) } else { Err(LabelError::Key) }
}

fn check_value(value: &str) -> Result<(), LabelError> {
    if is_shown(value, MAX_VALUE) { Ok(()) } else { Err(LabelError::Value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Result<Labels, LabelError> {
        Labels::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn names_are_for_eyes() {
        for good in ["Toko Sari", "é", &"x".repeat(100)] {
            assert_eq!(SessionName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", " x", "x ", "a\nb", "a\u{0}", &"x".repeat(101)] {
            assert_eq!(SessionName::new(bad), Err(LabelError::Name), "{bad:?}");
        }
    }

    #[test]
    fn labels_are_short_and_few() {
        assert!(labels(&[("team", "jakarta"), ("a.b-c_1", "Über uns: 5")]).is_ok());
        for key in ["", "Team", "-a", "a b", "a:b", &"k".repeat(33)] {
            assert_eq!(labels(&[(key, "v")]), Err(LabelError::Key), "{key:?}");
        }
        for value in ["", "a\tb", &"v".repeat(65)] {
            assert_eq!(labels(&[("k", value)]), Err(LabelError::Value), "{value:?}");
        }
        let many = (0..17).map(|n| (format!("k{n}"), "v".to_owned())).collect();
        assert_eq!(Labels::new(many), Err(LabelError::TooMany));
    }

    #[test]
    fn a_change_sets_removes_and_leaves_alone() {
        let before = labels(&[("a", "1"), ("b", "2")]).unwrap();
        let change = [("a", None), ("c", Some("3"))].map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        let after = before.changed(&LabelChange::new(change.into()).unwrap()).unwrap();
        assert_eq!(after, labels(&[("b", "2"), ("c", "3")]).unwrap());
        assert!(after.have(&labels(&[("b", "2")]).unwrap()) && !after.have(&labels(&[("b", "3")]).unwrap()));
        let full = Labels::new((0..16).map(|n| (format!("k{n}"), "v".to_owned())).collect()).unwrap();
        let one_more = LabelChange::new([("k16".to_owned(), Some("v".to_owned()))].into()).unwrap();
        assert_eq!(full.changed(&one_more), Err(LabelError::TooMany));
    }
}
