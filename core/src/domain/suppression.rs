//! The list of those who want no bulk messages of a tenant, and who put them there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{KeyId, OutboxEvent, PhoneNumber, SessionId, Timestamp};

/// Who puts a number on the list, or takes it off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Initiator {
    /// A caller of the interface, with this key.
    Api(KeyId),
    /// A caller who imported a whole list, with this key.
    Import(KeyId),
    /// The recipient, by a word that he wrote to this session.
    Reply(SessionId),
}

impl Initiator {
    /// The kind, as the interface and events have it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Api(_) => "api",
            Self::Import(_) => "import",
            Self::Reply(_) => "reply",
        }
    }

    /// The key's id, or the session.
    pub fn name(&self) -> &str {
        match self {
            Self::Api(key) | Self::Import(key) => key.as_str(),
            Self::Reply(session) => session.as_str(),
        }
    }
}

/// A number on the list.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Whose number it is.
    pub number: PhoneNumber,
    /// Who put it there, or said so last.
    pub by: Initiator,
    /// Why, in the words of whoever did; for a reply the word that was written.
    pub note: Option<String>,
    /// Since when it is there.
    pub since: Timestamp,
}

impl fmt::Debug for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A note may say anything.
        write!(f, "Suppression({} by {:?})", self.number, self.by)
    }
}

/// What a wish to suppress a number makes of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The number is new there.
    Added,
    /// It was there; who said so, or why, is another now.
    Changed,
    /// It was there just so.
    Same,
}

impl Suppression {
    /// What becomes of the list's entry of this number when somebody wishes `self`. A recipient's word changes nothing of
    /// what a caller has said; a caller's word counts more than the recipient's, so that it is not taken back by a reply.
    pub fn over(&self, current: Option<&Self>) -> (Applied, Self) {
        let Some(current) = current else { return (Applied::Added, self.clone()) };
        let replied = |entry: &Self| matches!(entry.by, Initiator::Reply(_));
        let same = match (replied(current), replied(self)) {
            (_, true) => true,
            (true, false) => false,
            (false, false) => current.note == self.note,
        };
        if same {
            return (Applied::Same, current.clone());
        }
        (Applied::Changed, Self { since: current.since, ..self.clone() })
    }

    /// Whether this release takes the number off the list. A recipient takes back only what a recipient has said, and
    /// only what he said before: an old message that is delivered late undoes nothing.
    pub fn yields_to(&self, release: &Release) -> bool {
        match (&self.by, &release.by) {
            (Initiator::Reply(_), Initiator::Reply(_)) => self.since <= release.at,
            (Initiator::Api(_) | Initiator::Import(_), Initiator::Reply(_)) => false,
            (_, Initiator::Api(_) | Initiator::Import(_)) => true,
        }
    }
}

/// A wish to take a number off the list.
#[derive(Clone, PartialEq, Eq)]
pub struct Release {
    /// Whose.
    pub number: PhoneNumber,
    /// Who wishes it.
    pub by: Initiator,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Release({} by {:?})", self.number, self.by)
    }
}

/// What was done to a number's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionAct {
    /// Put on the list.
    Added,
    /// Left there, for another reason.
    Changed,
    /// Taken off.
    Removed,
}

impl SuppressionAct {
    /// As the interface has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// One change of a number's entry, kept for ever.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressionChange {
    /// What was done.
    pub act: SuppressionAct,
    /// By whom.
    pub by: Initiator,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl fmt::Debug for SuppressionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SuppressionChange({:?} by {:?} at {})", self.act, self.by, self.at.to_rfc3339())
    }
}

impl SuppressionChange {
    /// What a wish at `at` has changed, if it has.
    pub fn of(applied: Applied, wish: &Suppression) -> Option<Self> {
        let act = match applied {
            Applied::Added => SuppressionAct::Added,
            Applied::Changed => SuppressionAct::Changed,
            Applied::Same => return None,
        };
        Some(Self { act, by: wish.by.clone(), note: wish.note.clone(), at: wish.since })
    }

    /// A release that was carried out.
    pub fn released(release: &Release) -> Self {
        let Release { by, note, at, .. } = release.clone();
        Self { act: SuppressionAct::Removed, by, note, at }
    }
}

/// A place in the list. It says nothing about the number, nor how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SuppressionCursor(pub [u8; 16]);

impl fmt::Display for SuppressionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// A text that is no place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is the `next` of the page before, as it was")]
pub struct NoCursor;

impl FromStr for SuppressionCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NoCursor);
        }
        u128::from_str_radix(text, 16).map(|mark| Self(mark.to_be_bytes())).map_err(|_| NoCursor)
    }
}

/// What a recipient wants who wrote one of the words for it to a session.
#[derive(Clone, Debug)]
pub enum OptOut {
    /// No more bulk messages, if he got one from this session. The event tells of it, if it changes the list.
    Stop(Suppression, OutboxEvent),
    /// Bulk messages again, if it was a reply that stopped them.
    Resume(Release, OutboxEvent),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(by: Initiator, note: Option<&str>, since: i64) -> Suppression {
        let number = PhoneNumber::from_digits("6281234567890".into()).unwrap();
        Suppression { number, by, note: note.map(str::to_owned), since: Timestamp::from_millis(since) }
    }

    fn api() -> Initiator {
        Initiator::Api(KeyId::new("k1").unwrap())
    }

    fn reply() -> Initiator {
        Initiator::Reply(SessionId::new("s1").unwrap())
    }

    #[test]
    fn a_callers_word_counts_more_than_a_reply() {
        let (stopped, told) = (entry(reply(), Some("STOP"), 5), entry(api(), None, 9));
        assert_eq!(stopped.over(None).0, Applied::Added);
        assert_eq!(stopped.over(Some(&told)), (Applied::Same, told.clone()));
        let (applied, after) = told.over(Some(&stopped));
        assert_eq!((applied, &after.by, after.since), (Applied::Changed, &api(), stopped.since));
        assert_eq!(told.over(Some(&told)).0, Applied::Same);
        assert_eq!(entry(api(), Some("complaint"), 9).over(Some(&told)).0, Applied::Changed);
        assert_eq!(entry(reply(), Some("BERHENTI"), 9).over(Some(&stopped)).0, Applied::Same);
    }

    #[test]
    fn a_recipient_takes_back_only_what_he_said_before() {
        let release =
            |by, at| Release { number: entry(api(), None, 0).number, by, note: None, at: Timestamp::from_millis(at) };
        let (stopped, told) = (entry(reply(), Some("STOP"), 5), entry(api(), None, 5));
        assert!(stopped.yields_to(&release(reply(), 5)) && !stopped.yields_to(&release(reply(), 4)));
        assert!(!told.yields_to(&release(reply(), 9)));
        assert!(told.yields_to(&release(api(), 0)) && stopped.yields_to(&release(api(), 0)));
    }

    #[test]
    fn places_are_read_back_and_nothing_prints_a_number() {
        let place = SuppressionCursor([7; 16]);
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "07", "+7070707070707070707070707070707", &"g".repeat(32)] {
            assert_eq!(wrong.parse::<SuppressionCursor>(), Err(NoCursor), "{wrong}");
        }
        let shown = format!("{:?}", entry(api(), Some("secret words"), 1));
        assert!(!shown.contains("4567") && !shown.contains("secret"), "{shown}");
    }
}
