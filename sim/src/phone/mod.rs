//! Phones: the primary device of each account, with real Signal state.

mod activity;
mod actor;
mod app_state;
mod content;
mod inbox;
mod owner;
mod signal_store;

pub use activity::{ChatState, ContactActivity};
pub use actor::PhoneBehaviour;
pub(crate) use actor::{Envelope, Phone, Reaction};
pub use content::{Contact, Content, Degrees, Download, MediaContent};
pub use inbox::{InboxMessage, OutgoingMessage, SentCopy};
pub(crate) use signal_store::{EncKind, PhoneBundle};
