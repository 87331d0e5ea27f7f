//! What a session shows beside messages: that somebody writes in a chat, that something was read, that it is there.

use std::time::Duration;

use kurir_core::domain::{MessageId, PhoneNumber, Presence, Typing};
use kurir_core::port::MessengerError;
use tokio::time::timeout;
use whatsapp_rust::Jid;
use whatsapp_rust::features::{PresenceError, PresenceStatus};

use super::failure;
use super::sender::WhatsAppSender;

/// How long writing a stanza may take; WhatsApp answers none of these.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

impl WhatsAppSender {
    /// Tells the writer of messages that they were read.
    pub(super) async fn tell_read(&self, chat: &PhoneNumber, messages: &[MessageId]) -> Result<(), MessengerError> {
        const WHAT: &str = "telling what was read";
        let ids: Vec<&str> = messages.iter().map(MessageId::as_str).collect();
        let chat = Jid::pn(chat.digits());
        let told = timeout(WRITE_LIMIT, self.client.mark_as_read(&chat, None, &ids)).await;
        let told = told.map_err(|_| MessengerError::NoAnswer(WHAT))?;
        told.map_err(|error| self.explained(failure::client(WHAT, &error)))
    }

    /// Tells a chat that somebody writes, or not any more.
    pub(super) async fn tell_typing(&self, chat: &PhoneNumber, typing: Typing) -> Result<(), MessengerError> {
        const WHAT: &str = "telling who writes";
        let (chat, states) = (Jid::pn(chat.digits()), self.client.chatstate());
        let told = timeout(WRITE_LIMIT, async {
            match typing {
                Typing::Typing => states.send_composing(&chat).await,
                Typing::Recording => states.send_recording(&chat).await,
                Typing::Paused => states.send_paused(&chat).await,
            }
        });
        let told = told.await.map_err(|_| MessengerError::NoAnswer(WHAT))?;
        told.map_err(|error| self.explained(failure::client(WHAT, &error)))
    }

    /// Tells the account's contacts that it is there, or not.
    pub(super) async fn tell_presence(&self, presence: Presence) -> Result<(), MessengerError> {
        const WHAT: &str = "telling who is there";
        let status = match presence {
            Presence::Available => PresenceStatus::Available,
            Presence::Unavailable => PresenceStatus::Unavailable,
        };
        let told = timeout(WRITE_LIMIT, self.client.presence().set(status)).await;
        let told = told.map_err(|_| MessengerError::NoAnswer(WHAT))?;
        told.map_err(|error| match error {
            // WhatsApp wants the account's name with it, and gives that out a moment after the link.
            PresenceError::PushNameEmpty => MessengerError::NotConnected,
            PresenceError::Client(error) => self.explained(failure::client(WHAT, &error)),
            other => self.explained(failure::client(WHAT, &other)),
        })
    }
}
