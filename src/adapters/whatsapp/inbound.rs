//! Messages that people send to a session: acknowledged to WhatsApp only once they are stored.

use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::domain::{MessageId, PhoneNumber, Secret, Timestamp};
use kurir_core::port::{Incoming, MessengerEvent, Stored};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use whatsapp_rust::proto_helpers::MessageExt as _;
use whatsapp_rust::types::durability_hook::{InboundDurabilityHook, InboundMessage};
use whatsapp_rust::{Client, anyhow};

use super::event_queue::EventQueue;

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

/// A message of somebody to the session, one to one; `None` for groups, broadcasts and copies of what the account
/// itself wrote, which nobody waits for.
fn incoming(inbound: &InboundMessage) -> Option<Incoming> {
    let info = &inbound.info;
    let source = &info.source;
    if source.is_from_me || source.is_group || !(source.chat.is_pn() || source.chat.is_lid()) {
        return None;
    }
    let number = [Some(&source.sender), source.sender_alt.as_ref()].into_iter().flatten().find(|jid| jid.is_pn());
    Some(Incoming {
        id: MessageId::from_wire(&info.id),
        from: number.and_then(|jid| PhoneNumber::from_digits(jid.user.to_string()).ok()),
        text: inbound.message.text_content().map(|text| Secret::new(text.to_owned())),
        at: Timestamp::from_millis(info.timestamp.timestamp_millis()),
    })
}
