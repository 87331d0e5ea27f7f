//! What a phone shows, and what really arrived.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::content::{Content, Download};
use crate::account::PhoneNumber;
use crate::group::GroupId;

/// A message as a phone's owner sees it, with the truth beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InboxMessage {
    /// The message id its sender chose.
    pub id: String,
    /// The account it came from.
    pub from: PhoneNumber,
    /// The device of that account which sent it; 0 is its phone.
    pub from_device: u16,
    /// The group it was written in; absent in a chat of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// The text, for a text message.
    pub text: Option<String>,
    /// What it is, where the text does not say all: a file, a place, a reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// When it first arrived and could be read, in milliseconds since 1970.
    pub first_at: u64,
    /// How often it arrived on the wire under this id, readable or not.
    pub arrivals: u32,
    /// How often the phone showed it: once, however often it arrived.
    pub shown: u32,
}

/// A copy of what one of the account's own linked devices sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SentCopy {
    /// The message id.
    pub id: String,
    /// Address of the chat it was sent to.
    pub to: String,
    /// The linked device that sent it.
    pub from_device: u16,
    /// The text, for a text message.
    pub text: Option<String>,
    /// When the copy arrived, in milliseconds since 1970.
    pub at: u64,
}

/// A message this phone's owner wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutgoingMessage {
    /// The message id.
    pub id: String,
    /// The account it went to; the phone's own for a message in a group.
    pub to: PhoneNumber,
    /// The group it was written in; absent in a chat of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// The text.
    pub text: String,
    /// When it was sent, in milliseconds since 1970.
    pub at: u64,
    /// Whether a device of the recipient confirmed its delivery.
    pub delivered: bool,
    /// Whether a device of the recipient marked it as read.
    #[serde(default)]
    pub read: bool,
    /// How often a device asked to get it again.
    pub retries: u32,
}

type Key = (PhoneNumber, String);

/// The messages of one phone.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(super) messages: Vec<InboxMessage>,
    pub(super) index: HashMap<Key, usize>,
    /// Arrivals of messages that could not be read yet.
    pub(super) unreadable: HashMap<Key, u32>,
    pub(super) copies: Vec<SentCopy>,
    /// Messages that changed since they were last saved.
    pub(super) changed: BTreeSet<usize>,
    /// Copies that were saved.
    pub(super) copies_saved: usize,
}

impl Inbox {
    /// Counts an arrival that could not be read. Returns how often this id was unreadable.
    pub(crate) fn unreadable(&mut self, from: PhoneNumber, id: &str) -> u32 {
        let key = (from, id.to_owned());
        if let Some(&shown) = self.index.get(&key) {
            self.messages[shown].arrivals += 1;
            self.changed.insert(shown);
        }
        let count = self.unreadable.entry(key).or_default();
        *count += 1;
        *count
    }

    /// Whether the id was shown before; counts the arrival if so.
    pub(crate) fn arrived_again(&mut self, from: PhoneNumber, id: &str) -> bool {
        match self.index.get(&(from, id.to_owned())) {
            Some(&shown) => {
                self.messages[shown].arrivals += 1;
                self.changed.insert(shown);
                true
            }
            None => false,
        }
    }

    /// Shows a message that was not shown before.
    pub(crate) fn show(&mut self, mut message: InboxMessage) {
        let key = (message.from, message.id.clone());
        message.arrivals += self.unreadable.remove(&key).unwrap_or_default();
        self.changed.insert(self.messages.len());
        self.index.insert(key, self.messages.len());
        self.messages.push(message);
    }

    /// Notes what became of a file's download.
    pub(crate) fn downloaded(&mut self, from: PhoneNumber, id: &str, outcome: Download) {
        let Some(&shown) = self.index.get(&(from, id.to_owned())) else {
            return;
        };
        if let Some(Content::Media(media)) = &mut self.messages[shown].content {
            media.download = outcome;
            self.changed.insert(shown);
        }
    }

    pub(crate) fn keep_copy(&mut self, copy: SentCopy) {
        if !self.copies.iter().rev().take(64).any(|known| known.id == copy.id) {
            self.copies.push(copy);
        }
    }

    pub(crate) fn messages(&self) -> &[InboxMessage] {
        &self.messages
    }

    pub(crate) fn copies(&self) -> &[SentCopy] {
        &self.copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str) -> InboxMessage {
        InboxMessage {
            id: id.into(),
            from: "15551230001".parse().expect("valid"),
            from_device: 1,
            group: None,
            text: Some("hello".into()),
            content: None,
            first_at: 1,
            arrivals: 1,
            shown: 1,
        }
    }

    #[test]
    fn a_message_is_shown_once_and_all_its_arrivals_count() {
        let mut inbox = Inbox::default();
        let from = message("a").from;
        assert!(!inbox.arrived_again(from, "a"));
        assert_eq!(inbox.unreadable(from, "a"), 1);
        inbox.show(message("a"));
        assert!(inbox.arrived_again(from, "a"));
        assert!(!inbox.arrived_again(from, "b"));
        inbox.unreadable(from, "a");
        assert_eq!(inbox.messages().len(), 1);
        assert_eq!((inbox.messages()[0].arrivals, inbox.messages()[0].shown), (4, 1));
    }

    #[test]
    fn the_same_id_of_two_senders_is_two_messages() {
        let mut inbox = Inbox::default();
        inbox.show(message("a"));
        assert!(!inbox.arrived_again("15551230002".parse().expect("valid"), "a"));
    }
}
