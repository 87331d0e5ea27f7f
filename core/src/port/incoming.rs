//! A message that somebody sent to a session.

use crate::domain::{GroupId, MediaKind, MessageId, PhoneNumber, Place, Secret, Timestamp};

/// A message that somebody sent to the session, or to a group that it is a member of.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// WhatsApp's id of it.
    pub id: MessageId,
    /// Who wrote, if the number is known.
    pub from: Option<PhoneNumber>,
    /// What it says, if it is a text; of a file, the text below it.
    pub text: Option<Secret<String>>,
    /// When, by WhatsApp's clock.
    pub at: Timestamp,
    /// The group that it was sent to.
    pub group: Option<GroupId>,
    /// What the writer calls himself.
    pub push_name: Option<Secret<String>>,
    /// The message that it answers.
    pub quoted: Option<MessageId>,
    /// What it is.
    pub content: IncomingContent,
}

/// What a message is that came in.
#[derive(Clone, Debug, PartialEq)]
pub enum IncomingContent {
    /// A text.
    Text,
    /// A file.
    Media(IncomingMedia),
    /// A place.
    Location(Place),
    /// People's details.
    Contacts(Vec<IncomingContact>),
    /// A sign on a message.
    Reaction {
        /// The message.
        message: MessageId,
        /// The sign; empty takes an earlier one back.
        emoji: String,
    },
    /// The text is another one for an earlier message.
    Edit(MessageId),
    /// An earlier message was taken back.
    Delete(MessageId),
    /// Something that kurir has no word for.
    Other,
}

/// A file that came in, and has to be fetched from WhatsApp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingMedia {
    /// What it is shown as.
    pub kind: MediaKind,
    /// What it is, as its sender says.
    pub mime_type: String,
    /// Its length in bytes, as its sender says.
    pub size: u64,
    /// SHA-256 of it, as its sender says; what comes is held against it.
    pub sha256: [u8; 32],
    /// What it is called.
    pub filename: Option<Secret<String>>,
    /// How WhatsApp gives it out, in the words of whoever is to fetch it.
    pub source: Secret<String>,
}

/// Somebody's details that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingContact {
    /// The name.
    pub name: Option<Secret<String>>,
    /// The details as a vCard.
    pub vcard: Option<Secret<String>>,
}

impl Incoming {
    /// A text of one person.
    pub fn text(id: MessageId, from: PhoneNumber, text: impl Into<String>, at: Timestamp) -> Self {
        Self {
            id,
            from: Some(from),
            text: Some(Secret::new(text.into())),
            at,
            group: None,
            push_name: None,
            quoted: None,
            content: IncomingContent::Text,
        }
    }
}
