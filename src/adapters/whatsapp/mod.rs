//! WhatsApp, through the `whatsapp-rust` client.
//!
//! One client per session. Its state lies in kurir's store under the session's epoch (`state`), its socket is dialled
//! here (`transport`), what it tells goes through a queue that holds the socket back when nobody reads (`event_queue`,
//! `events`), and one task sees it to its end (`driver`).

mod chat;
mod copies;
mod driver;
mod event_queue;
mod events;
mod failure;
mod inbound;
mod incoming;
mod media;
mod message;
mod messenger;
mod offline_http;
mod options;
mod pairing;
mod pending;
mod receipt_gate;
mod restriction;
mod sender;
pub mod state;
mod transport;
mod write_fence;

pub use messenger::{WhatsAppError, WhatsAppMessenger};
pub use options::{Endpoint, OptionsError, WhatsAppOptions};
pub use state::keys::numbers_in_state;
pub use state::{SessionFenced, StateBackend};
pub use transport::DialError;
