//! WhatsApp.
