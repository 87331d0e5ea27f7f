//! WhatsApp, through the `whatsapp-rust` client.

pub mod state;

pub use state::{SessionFenced, StateBackend};
