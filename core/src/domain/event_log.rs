//! The log of recent events: places in it, and which of its events somebody wants.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{EventKind, OutboxEvent, SessionId, TenantId, Timestamp};

/// A place in the log of events. Later entries have larger ones; there are gaps. The default lies before everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(pub u64);

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in the events is a number, as the stream gave it")]
pub struct NoSuchPosition;

impl FromStr for LogPosition {
    type Err = NoSuchPosition;

    fn from_str(text: &str) -> Result<Self, NoSuchPosition> {
        // Stores count in signed numbers.
        let place = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        place.filter(|place| i64::try_from(*place).is_ok()).map(Self).ok_or(NoSuchPosition)
    }
}

/// An event as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Where it stands.
    pub position: LogPosition,
    /// When it came there, by the log's clock.
    pub logged_at: Timestamp,
    /// The event; what links a session (a QR payload, a pairing code) is left out of its body.
    pub event: OutboxEvent,
}

/// A word that names no kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a type is the name of an event (message.sent), a family of them (message.*) or * for all")]
pub struct NoSuchKind;

/// Which kinds of events are wanted: names (`message.sent`), families (`message.*`), or `*`. Words of a later version, read
/// from a store, choose nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KindChoice(BTreeSet<String>);

impl KindChoice {
    /// All kinds, those of later versions too.
    pub fn all() -> Self {
        Self(BTreeSet::from(["*".to_owned()]))
    }

    /// Checks the words; there is at least one.
    pub fn new<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Result<Self, NoSuchKind> {
        let mut chosen = BTreeSet::new();
        for word in words {
            let word = word.as_ref();
            if !EventKind::ALL.iter().any(|kind| fits(word, *kind)) {
                return Err(NoSuchKind);
            }
            chosen.insert(word.to_owned());
        }
        if chosen.is_empty() { Err(NoSuchKind) } else { Ok(Self(chosen)) }
    }

    /// The words, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether it names this kind.
    pub fn names(&self, kind: EventKind) -> bool {
        self.0.iter().any(|word| fits(word, kind))
    }

    /// The kinds that it names; `None`: all.
    pub fn kinds(&self) -> Option<BTreeSet<EventKind>> {
        if self.0.contains("*") {
            return None;
        }
        Some(EventKind::ALL.iter().copied().filter(|kind| self.names(*kind)).collect())
    }
}

fn fits(word: &str, kind: EventKind) -> bool {
    let family = || word.strip_suffix(".*").is_some_and(|family| kind.as_str().split('.').next() == Some(family));
    word == "*" || word == kind.as_str() || family()
}

/// Which events of the log somebody wants; an absent part means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Of these sessions; the events of no session (a fleet's) are not among them.
    pub sessions: Option<BTreeSet<SessionId>>,
    /// Of these kinds.
    pub kinds: Option<BTreeSet<EventKind>>,
}

impl LogFilter {
    /// Whether it lets an event through.
    pub fn passes(&self, event: &OutboxEvent) -> bool {
        let of_one = |sessions: &BTreeSet<SessionId>| event.session.as_ref().is_some_and(|one| sessions.contains(one));
        self.tenant.as_ref().is_none_or(|tenant| *tenant == event.tenant)
            && self.sessions.as_ref().is_none_or(of_one)
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_knows_names_families_and_all() {
        let choice = KindChoice::new(["message.*", "session.qr"]).unwrap();
        assert!(choice.names(EventKind::MessageSent) && choice.names(EventKind::SessionQr));
        assert!(!choice.names(EventKind::SessionCreated));
        let kinds = choice.kinds().unwrap();
        assert!(kinds.contains(&EventKind::MessageReceived) && !kinds.contains(&EventKind::WorkerLeft));
        assert_eq!(KindChoice::new(["*"]).unwrap().kinds(), None);
        for wrong in ["", "message", "mess.*", ".*", "message.", "message.sent.*", "**"] {
            assert_eq!(KindChoice::new([wrong]), Err(NoSuchKind), "{wrong}");
        }
        assert_eq!(KindChoice::new([""; 0]), Err(NoSuchKind));
        let later: KindChoice = serde_json::from_str(r#"["message.from_later"]"#).unwrap();
        assert_eq!(later.kinds(), Some(BTreeSet::new()));
    }

    #[test]
    fn a_position_is_a_plain_number() {
        assert_eq!("42".parse(), Ok(LogPosition(42)));
        for wrong in ["", "-1", "+1", "1.0", "x", "9223372036854775808", "99999999999999999999"] {
            assert_eq!(wrong.parse::<LogPosition>(), Err(NoSuchPosition), "{wrong}");
        }
    }
}
