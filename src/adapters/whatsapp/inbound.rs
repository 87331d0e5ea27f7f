//! Messages that people send to a session: acknowledged to WhatsApp only once they are stored.

use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::port::{Incoming, MessengerEvent, Stored};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use whatsapp_rust::types::durability_hook::{InboundDurabilityHook, InboundMessage};
use whatsapp_rust::{Client, anyhow};

use super::event_queue::EventQueue;
use super::incoming::incoming;

/// Waits within the library's receiving, so it must end when the client stops.
pub(super) struct Inbound {
    pub events: Arc<EventQueue>,
    pub stop: CancellationToken,
}

/// Why messages stay unacknowledged; WhatsApp delivers them again.
#[derive(Debug, thiserror::Error)]
enum NotStored {
    #[error("nobody stored the messages")]
    Dropped,
    #[error("the client stops")]
    Stopping,
}

#[async_trait]
impl InboundDurabilityHook for Inbound {
    async fn on_messages(&self, _client: Arc<Client>, batch: &[InboundMessage]) -> anyhow::Result<()> {
        let messages: Vec<Incoming> = batch.iter().filter_map(incoming).collect();
        if messages.is_empty() {
            return Ok(());
        }
        let (tell, told) = oneshot::channel();
        let stored = Stored::new(move |durable| {
            if durable {
                // The client may have stopped waiting.
                let _ = tell.send(());
            }
        });
        let handed_over = async {
            self.events.room().await;
            self.events.push(MessengerEvent::Incoming { messages, stored });
            told.await.map_err(|_| NotStored::Dropped)
        };
        tokio::select! {
            outcome = handed_over => Ok(outcome?),
            () = self.stop.cancelled() => Err(NotStored::Stopping.into()),
        }
    }
}
