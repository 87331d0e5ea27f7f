//! One phone's messages of all kinds in one sequence, as its screen shows them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::phone::{InboxMessage, OutgoingMessage, Phone, SentCopy};

/// One message on a phone's screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "direction", rename_all = "snake_case")]
pub(super) enum TimelineEntry {
    /// It arrived.
    Received(InboxMessage),
    /// The owner wrote it on the phone.
    Written(OutgoingMessage),
    /// The owner sent it with a linked device; this is the phone's copy.
    Copied(SentCopy),
}

/// A part of a phone's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Timeline {
    /// The messages, the oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Pass this as `before` for the part before this one; absent at the beginning.
    #[schema(value_type = Option<String>, example = "12.0.3")]
    pub before: Option<Cursor>,
}

/// A place in a phone's messages: how many of each kind are before it. Each kind only grows, so a
/// place stays where it is while messages arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    received: usize,
    written: usize,
    copied: usize,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.received, self.written, self.copied)
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = text.split('.').map(str::parse);
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(received)), Some(Ok(written)), Some(Ok(copied)), None) => Ok(Self { received, written, copied }),
            _ => Err("pass on the `before` of an earlier answer as it is"),
        }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Up to `limit` messages before a place, or the last ones.
pub(super) fn read(phone: &Phone, before: Option<Cursor>, limit: usize) -> Timeline {
    merge((phone.messages(), &phone.outgoing(), phone.copies()), before, limit)
}

type Kinds<'a> = (&'a [InboxMessage], &'a [OutgoingMessage], &'a [SentCopy]);

fn merge((received, written, copied): Kinds<'_>, before: Option<Cursor>, limit: usize) -> Timeline {
    let end = Cursor { received: received.len(), written: written.len(), copied: copied.len() };
    let mut place = before.map_or(end, |before| Cursor {
        received: before.received.min(end.received),
        written: before.written.min(end.written),
        copied: before.copied.min(end.copied),
    });
    let mut entries = Vec::new();
    while entries.len() < limit {
        let last_received = received[..place.received].last();
        let last_written = written[..place.written].last();
        let last_copied = copied[..place.copied].last();
        let times = [
            last_received.map(|message| message.first_at),
            last_written.map(|message| message.at),
            last_copied.map(|message| message.at),
        ];
        let Some(latest) = times.into_iter().flatten().max() else {
            break;
        };
        if let Some(message) = last_received.filter(|message| message.first_at == latest) {
            entries.push(TimelineEntry::Received(message.clone()));
            place.received -= 1;
        } else if let Some(message) = last_written.filter(|message| message.at == latest) {
            entries.push(TimelineEntry::Written(message.clone()));
            place.written -= 1;
        } else if let Some(message) = last_copied {
            entries.push(TimelineEntry::Copied(message.clone()));
            place.copied -= 1;
        }
    }
    entries.reverse();
    let begun = place.received + place.written + place.copied == 0;
    Timeline { entries, before: (!begun).then_some(place) }
}
