//! Phones: the primary device of each account, with real Signal state.

mod activity;
mod actor;
mod app_state;
mod content;
mod group;
mod inbox;
mod link_code;
mod owner;
mod pieces;
mod record;
mod sender_keys;
mod signal_store;

pub use activity::{ChatState, ContactActivity};
pub use actor::PhoneBehaviour;
pub(crate) use actor::{Envelope, Phone, Reaction};
pub use content::{Contact, Content, Degrees, Download, MediaContent};
pub(crate) use group::GroupEnvelope;
pub(crate) use inbox::Inbox;
pub use inbox::{InboxMessage, OutgoingMessage, SentCopy};
pub(crate) use link_code::{BundleError, HIDDEN_KEY, LinkCode, read_code};
pub(crate) use record::PhoneRecord;
pub(crate) use signal_store::{EncKind, PhoneBundle};
