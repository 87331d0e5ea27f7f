//! What people note of a session: the number that they say it has, and what it is for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Longest number as people write one, in characters.
const MAX_NUMBER: usize = 32;

/// Longest description, in characters.
const MAX_TEXT: usize = 1000;

/// Why something can't be noted. It repeats nothing of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The number is too long, or has what no number has.
    #[error("a number has 1 to {MAX_NUMBER} characters, none of them a control character")]
    Number,
    /// The description is too long, or has characters that can't be shown.
    #[error("a description has 1 to {MAX_TEXT} characters; of the control characters it may have line breaks and tabs")]
    Text,
}

/// A session's note. Nothing of it steers the session: the number that it really has is its account's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionNote {
    number: Option<String>,
    text: Option<String>,
    at: Timestamp,
}

impl SessionNote {
    /// Checks both; `at` is when it was noted.
    pub fn new(number: Option<String>, text: Option<String>, at: Timestamp) -> Result<Self, NoteError> {
        let fits = |text: &str, most: usize| !text.is_empty() && text.chars().count() <= most;
        if number.as_deref().is_some_and(|number| !fits(number, MAX_NUMBER) || number.chars().any(char::is_control)) {
            return Err(NoteError::Number);
        }
        let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
        if text.as_deref().is_some_and(|text| !fits(text, MAX_TEXT) || !text.chars().all(is_shown)) {
            return Err(NoteError::Text);
        }
        Ok(Self { number, text, at })
    }

    /// The number, as it was written.
    pub fn number(&self) -> Option<&str> {
        self.number.as_deref()
    }

    /// What the session is for.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// When it was noted.
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

impl fmt::Debug for SessionNote {
    /// It has somebody's number and people's words; logs have neither.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionNote(number: {}, text: {})", self.number.is_some(), self.text.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(number: Option<&str>, text: Option<&str>) -> Result<SessionNote, NoteError> {
        SessionNote::new(number.map(str::to_owned), text.map(str::to_owned), Timestamp::from_millis(0))
    }

    #[test]
    fn a_note_is_short_and_can_be_shown() {
        assert!(note(None, None).is_ok());
        assert!(note(Some("+62 851-1713-2297"), Some("Pendaftaran\nGelombang 2 – <b>")).is_ok());
        for number in ["", "62\n", &"6".repeat(33)] {
            assert_eq!(note(Some(number), None), Err(NoteError::Number), "{number:?}");
        }
        for text in ["", "a\u{0}", "\u{1b}[2J", &"x".repeat(1001)] {
            assert_eq!(note(None, Some(text)), Err(NoteError::Text), "{text:?}");
        }
    }

    #[test]
    fn it_is_not_printed() {
        let printed = format!("{:?}", note(Some("+6285117132297"), Some("Sari")).unwrap());
        assert!(!printed.contains("6285") && !printed.contains("Sari"), "{printed}");
    }
}
