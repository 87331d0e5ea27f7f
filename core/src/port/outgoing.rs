//! A message on its way to WhatsApp.

use crate::domain::{
    ContactCard, MediaKind, MessageId, Place, Quoted, Reaction, Recipient, Referred, Secret, Timestamp,
};

/// A message to put on the wire, with all that is needed for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// To whom.
    pub to: Recipient,
    /// Under which id.
    pub id: MessageId,
    /// What it says.
    pub body: Body,
    /// The message that it answers.
    pub reply_to: Option<Quoted>,
    /// What is not on the wire by then is never put there, also when the recipient's device asks for it again.
    pub not_after: Option<Timestamp>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A text.
    Text(Secret<String>),
    /// A place.
    Location(Place),
    /// Somebody's details.
    Contact(ContactCard),
    /// A sign on a message.
    Reaction(Reaction),
    /// Another text for a message of ours.
    Edit {
        /// The message.
        message: Referred,
        /// The text that it is to have.
        text: Secret<String>,
    },
    /// A message of ours is taken back.
    Delete(Referred),
    /// A file that was uploaded to WhatsApp.
    Media(MediaBody),
}

/// A file in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaBody {
    /// What it is shown as.
    pub kind: MediaKind,
    /// Where WhatsApp has it.
    pub file: Uploaded,
    /// What it is.
    pub mime_type: String,
    /// The text below it.
    pub caption: Option<Secret<String>>,
    /// What it is called.
    pub filename: Option<Secret<String>>,
}

/// Where WhatsApp has a file, and the key that opens it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Its address.
    pub url: Secret<String>,
    /// The address without a host.
    pub path: Secret<String>,
    /// Its key.
    pub key: Secret<[u8; 32]>,
    /// When the key was made, in seconds since 1970.
    pub key_at: i64,
    /// SHA-256 of the file as WhatsApp has it.
    pub sealed_sha256: [u8; 32],
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Its length in bytes.
    pub length: u64,
    /// What a player checks pieces of it with.
    pub sidecar: Option<Vec<u8>>,
}

impl Outgoing {
    /// A text that answers nothing.
    pub fn text(to: impl Into<Recipient>, id: MessageId, text: Secret<String>) -> Self {
        Self { to: to.into(), id, body: Body::Text(text), reply_to: None, not_after: None }
    }
}
