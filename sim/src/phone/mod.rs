//! Phones: the primary device of each account, with real Signal state.

mod actor;
mod inbox;
mod link_code;
mod signal_store;

pub use actor::PhoneBehaviour;
pub(crate) use actor::{Envelope, Phone, Reaction};
pub use inbox::{InboxMessage, OutgoingMessage, SentCopy};
pub(crate) use link_code::{BundleError, HIDDEN_KEY, LinkCode, read_code};
pub(crate) use signal_store::{EncKind, PhoneBundle};
