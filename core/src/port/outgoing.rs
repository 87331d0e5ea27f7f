//! A message on its way to WhatsApp.

use crate::domain::{ContactCard, MessageId, Place, Quoted, Reaction, Recipient, Referred, Secret};

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
}

impl Outgoing {
    /// A text that answers nothing.
    pub fn text(to: impl Into<Recipient>, id: MessageId, text: Secret<String>) -> Self {
        Self { to: to.into(), id, body: Body::Text(text), reply_to: None }
    }
}
