//! The words by which recipients stop bulk messages, and take that back.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Most words of a list, and the longest one in characters.
const MAX_WORDS: usize = 50;
const MAX_WORD: usize = 40;

/// What a whole message is trimmed of: people end a word with a full stop.
fn is_edge(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '!' | ',' | '"' | '\'' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// A text in small letters, with single spaces, and without what stands around it.
fn plain(text: &str) -> String {
    let words = text.trim_matches(is_edge).split_whitespace().map(str::to_lowercase);
    words.collect::<Vec<_>>().join(" ")
}

/// A list of words, or of short phrases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptOutWords(BTreeSet<String>);

/// Why a list can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a list of at most {MAX_WORDS} words is separated by commas, each has at most {MAX_WORD} characters")]
pub struct BadWords;

impl FromStr for OptOutWords {
    type Err = BadWords;

    fn from_str(text: &str) -> Result<Self, BadWords> {
        let words: BTreeSet<_> = text.split(',').map(plain).filter(|word| !word.is_empty()).collect();
        let fit = words.len() <= MAX_WORDS && words.iter().all(|word| word.chars().count() <= MAX_WORD);
        if fit { Ok(Self(words)) } else { Err(BadWords) }
    }
}

impl fmt::Display for OptOutWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

impl OptOutWords {
    /// Whether the words of two lists have one in common; that one.
    pub fn overlap<'a>(&'a self, other: &Self) -> Option<&'a str> {
        self.0.iter().find(|word| other.0.contains(*word)).map(String::as_str)
    }
}

/// What somebody says by a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// No more bulk messages, by this word.
    Stop(&'a str),
    /// Bulk messages again, by this word.
    Resume(&'a str),
}

/// Both lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptOutRule {
    /// The words that stop bulk messages.
    pub stop: OptOutWords,
    /// The words that take it back.
    pub resume: OptOutWords,
}

impl OptOutRule {
    /// What a message says if all of it is one of the words; case, spaces and punctuation around it don't count.
    pub fn heard(&self, text: &str) -> Option<Heard<'_>> {
        // Longer than every word, however it is spaced: nobody's novel is taken apart for this.
        if text.len() > 8 * MAX_WORD {
            return None;
        }
        let said = plain(text);
        let stop = self.stop.0.get(&said).map(|word| Heard::Stop(word));
        stop.or_else(|| self.resume.0.get(&said).map(|word| Heard::Resume(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> OptOutRule {
        OptOutRule { stop: "STOP, BERHENTI, Stop all,,".parse().unwrap(), resume: "START, MULAI".parse().unwrap() }
    }

    #[test]
    fn a_word_counts_however_it_is_written_and_only_alone() {
        let rule = rule();
        for text in ["STOP", " stop\n", "Stop.", "berhenti!", "\u{200e}BERHENTI ", "stop  ALL", "\"STOP\""] {
            assert!(matches!(rule.heard(text), Some(Heard::Stop(_))), "{text:?}");
        }
        assert_eq!(rule.heard("Mulai"), Some(Heard::Resume("mulai")));
        for text in ["", "stop it", "please stop", "stopp", "all stop", "🛑", "s t o p", &"stop ".repeat(99)] {
            assert_eq!(rule.heard(text), None, "{text:?}");
        }
    }

    #[test]
    fn lists_are_bounded_and_may_be_empty() {
        let empty = OptOutRule::default();
        assert_eq!(empty.heard("STOP"), None);
        assert_eq!(empty.heard(""), None);
        assert_eq!("".parse::<OptOutWords>(), Ok(OptOutWords::default()));
        assert_eq!("x".repeat(41).parse::<OptOutWords>(), Err(BadWords));
        let many: Vec<String> = (0..51).map(|n| format!("w{n}")).collect();
        assert_eq!(many.join(",").parse::<OptOutWords>(), Err(BadWords));
        assert_eq!(rule().stop.overlap(&"mulai, stop all".parse().unwrap()), Some("stop all"));
        assert_eq!(rule().stop.to_string(), "berhenti, stop, stop all");
    }
}
