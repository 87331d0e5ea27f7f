//! What a phone shows about its contacts: who is there, who types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::{Availability, PhoneNumber};

/// What somebody does in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatState {
    /// Writes.
    Composing,
    /// Records a voice message.
    Recording,
    /// Stopped.
    Paused,
}

impl ChatState {
    pub(crate) fn from_wire(tag: &str, media: Option<&str>) -> Option<Self> {
        match (tag, media) {
            ("composing", Some("audio")) => Some(Self::Recording),
            ("composing", _) => Some(Self::Composing),
            ("paused", _) => Some(Self::Paused),
            _ => None,
        }
    }

    /// The tag, and the medium where there is one.
    pub(crate) fn as_wire(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Composing => ("composing", None),
            Self::Recording => ("composing", Some("audio")),
            Self::Paused => ("paused", None),
        }
    }
}

/// What a phone knows about one contact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ContactActivity {
    /// Whether the contact is there; `None` when this phone was never told.
    pub available: Option<bool>,
    /// When the contact was last there, in seconds since 1970, if it tells.
    pub last_seen: Option<u64>,
    /// What the contact does in the chat with this phone.
    pub chat_state: Option<ChatState>,
}

/// What one phone knows about its contacts.
#[derive(Debug, Default)]
pub(crate) struct Activity(BTreeMap<PhoneNumber, ContactActivity>);

impl Activity {
    pub(crate) fn seen(&mut self, contact: PhoneNumber, news: Availability) {
        let known = self.0.entry(contact).or_default();
        match news {
            Availability::Here => known.available = Some(true),
            Availability::Away(since) => {
                known.available = Some(false);
                known.last_seen = since.or(known.last_seen);
            }
        }
    }

    pub(crate) fn typing(&mut self, contact: PhoneNumber, state: ChatState) {
        self.0.entry(contact).or_default().chat_state = Some(state);
    }

    pub(crate) fn of(&self, contact: PhoneNumber) -> ContactActivity {
        self.0.get(&contact).copied().unwrap_or_default()
    }

    /// Everybody about whom something is known.
    pub(crate) fn contacts(&self) -> impl Iterator<Item = PhoneNumber> {
        self.0.keys().copied()
    }
}
