//! The feed of the log: a durable queue of every event, read by the relays.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _};
use kurir_core::domain::OutboxEvent;
use kurir_core::port::{EventFeed, EventIntake, PortError};
use kurir_core::wire::read_event;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::types::{FieldTable, ShortString};
use lapin::{Acker, Channel, Consumer};
use tokio::time::timeout;

use super::connection::Link;
use super::consume::start;
use super::{RabbitError, RabbitMq, topology};

/// So many events are with one relay at once, at most.
const WINDOW: u16 = 500;

#[async_trait]
impl EventFeed for RabbitMq {
    async fn take_part(&self) -> Result<Box<dyn EventIntake>, PortError> {
        let limit = self.shared.options.publish_timeout;
        let link = self.shared.consuming();
        let open = async {
            let channel = link.connection(limit).await?.create_channel().await?;
            let tag = ShortString::default();
            let consumer = start(&channel, topology::LOG_QUEUE, tag, WINDOW, FieldTable::default()).await?;
            Ok(Part { link: link.clone(), _channel: channel, consumer, last: None })
        };
        let part = timeout(limit, open).await.unwrap_or_else(|_| Err(link.timed_out(limit)));
        part.map(|part| Box::new(part) as Box<dyn EventIntake>)
            .map_err(|error: RabbitError| error.during("following the log's queue"))
    }
}

struct Part {
    link: Arc<Link>,
    /// The queue is consumed on it; dropping it gives back what was not acknowledged.
    _channel: Channel,
    consumer: Consumer,
    /// The newest one that was handed out and not acknowledged, which stands for those before it.
    last: Option<Acker>,
}

impl Part {
    fn read(&mut self, delivery: Delivery, events: &mut Vec<OutboxEvent>) {
        match read_event(&delivery.data) {
            Ok(event) => events.push(event),
            // Somebody else publishes to the exchange, or a later version does. It is acknowledged with its neighbours.
            Err(error) => {
                tracing::warn!(key = delivery.routing_key.as_str(), %error, "an event was left out of the log");
            }
        }
        self.last = Some(delivery.acker);
    }

    async fn receive(&mut self, most: usize) -> Result<Vec<OutboxEvent>, RabbitError> {
        let mut events = Vec::new();
        while events.is_empty() {
            let first = self.consumer.next().await.ok_or(RabbitError::ConsumerEnded)??;
            // Nothing is awaited from here on, so a dropped call loses no event.
            self.read(first, &mut events);
            while events.len() < most {
                let Some(next) = self.consumer.next().now_or_never() else { break };
                let next = next.ok_or(RabbitError::ConsumerEnded)??;
                self.read(next, &mut events);
            }
            if events.is_empty() {
                // Only what can't be read has come: without this it would fill the window.
                self.acknowledge().await?;
            }
        }
        Ok(events)
    }

    async fn acknowledge(&mut self) -> Result<(), RabbitError> {
        if let Some(last) = self.last.take() {
            last.ack(BasicAckOptions { multiple: true }).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl EventIntake for Part {
    async fn next(&mut self, most: usize) -> Result<Option<Vec<OutboxEvent>>, PortError> {
        match self.receive(most.max(1)).await {
            Ok(events) => Ok(Some(events)),
            Err(_) if self.link.is_closed() => Ok(None),
            Err(error) => Err(error.during("reading the log's queue")),
        }
    }

    async fn kept(&mut self) -> Result<(), PortError> {
        self.acknowledge().await.map_err(|error| error.during("acknowledging logged events"))
    }
}
