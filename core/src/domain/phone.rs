//! Phone numbers as people write them, reduced to the digits WhatsApp uses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What people put between digits, and the invisible marks that come along when a number is copied out of a chat or a
/// spreadsheet.
const SEPARATORS: [char; 18] = [
    ' ', '-', '.', '(', ')', '/', '\u{a0}', '\u{202f}', '\u{2011}', '\u{2013}', '\u{200e}', '\u{200f}', '\u{202a}',
    '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{feff}',
];

/// A phone number in international form: 8 to 15 digits, no sign, no separators, not starting with 0.
///
/// `Debug` and `Display` print it masked; [`PhoneNumber::digits`] gives all of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// Why a text is no phone number. The text itself is not repeated, because it may be one that was mistyped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// A character that no notation of a number has.
    #[error("a phone number has digits and separators only, {0:?} at position {1} is neither")]
    Character(char, usize),
    /// Too few or too many digits.
    #[error("a phone number in international form has 8 to 15 digits, this one has {0}")]
    Length(usize),
    /// A national number, and nothing says of which country.
    #[error("a national number (leading 0) needs a default country code; give the number in international form")]
    NoCountry,
    /// A country code can't begin with 0.
    #[error("a country code does not begin with 0")]
    LeadingZero,
}

impl PhoneNumber {
    /// Reads a number in the usual notations: `+62 812-3456-7890`, `0062…`, `62812…`, `(0812) 3456.7890`.
    /// A leading single `0` is replaced by `country` (digits, without `+`).
    pub fn parse(text: &str, country: Option<&str>) -> Result<Self, PhoneError> {
        let mut digits = String::with_capacity(16);
        let mut plus = false;
        for (at, c) in text.trim().chars().enumerate() {
            match c {
                '0'..='9' => digits.push(c),
                '+' if digits.is_empty() && !plus => plus = true,
                c if SEPARATORS.contains(&c) => {}
                other => return Err(PhoneError::Character(other, at)),
            }
        }
        let international = if plus {
            digits
        } else if let Some(rest) = digits.strip_prefix("00") {
            rest.to_owned()
        } else if let Some(rest) = digits.strip_prefix('0') {
            format!("{}{rest}", country.ok_or(PhoneError::NoCountry)?)
        } else {
            digits
        };
        Self::from_digits(international)
    }

    /// Takes digits in international form.
    pub fn from_digits(digits: String) -> Result<Self, PhoneError> {
        if let Some((at, c)) = digits.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
            return Err(PhoneError::Character(c, at));
        }
        if !(8..=15).contains(&digits.len()) {
            return Err(PhoneError::Length(digits.len()));
        }
        if digits.starts_with('0') {
            return Err(PhoneError::LeadingZero);
        }
        Ok(Self(digits))
    }

    /// All digits. Not for logs, metrics or errors.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The first digits and the last two, fit for logs: `62812…90`.
    pub fn masked(&self) -> String {
        format!("{}…{}", &self.0[..self.0.len().min(5) - 1], &self.0[self.0.len() - 2..])
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = PhoneError;
    fn try_from(digits: String) -> Result<Self, PhoneError> {
        Self::from_digits(digits)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_one_number_agree() {
        for text in [
            "+62 812-3456-7890",
            "0062 812 3456 7890",
            "6281234567890",
            "(0812) 3456.7890",
            " 0812/3456\u{a0}7890\u{202c}",
        ] {
            let number = PhoneNumber::parse(text, Some("62")).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            assert_eq!(number.digits(), "6281234567890", "{text:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(PhoneNumber::parse("12ab", None), Err(PhoneError::Character('a', 2)));
        assert_eq!(PhoneNumber::parse("+62", None), Err(PhoneError::Length(2)));
        assert_eq!(PhoneNumber::parse("", None), Err(PhoneError::Length(0)));
        assert_eq!(PhoneNumber::parse("0812345678", None), Err(PhoneError::NoCountry));
        assert_eq!(PhoneNumber::parse("+0812345678", None), Err(PhoneError::LeadingZero));
        assert_eq!(PhoneNumber::parse("62+812345678", None), Err(PhoneError::Character('+', 2)));
        assert_eq!(PhoneNumber::parse("1234567890123456", None), Err(PhoneError::Length(16)));
    }

    #[test]
    fn debug_hides_the_middle() {
        let number = PhoneNumber::parse("6281234567890", None).unwrap();
        assert_eq!(format!("{number:?} {number}"), "6281…90 6281…90");
    }
}
