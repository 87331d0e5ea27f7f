//! The ports of the event exchange.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use kurir_core::domain::OutboxEvent;
use kurir_core::port::{EventFilter, EventSink, EventSource, EventStream, PortError, ReceivedEvent};
use lapin::options::{BasicAckOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Acker, Channel, Consumer};
use tokio::time::timeout;

use super::connection::Link;
use super::consume::start;
use super::publish::Outgoing;
use super::{RabbitError, RabbitMq, Shared, headers, topology};

/// So many events are on their way to a follower at once.
const WINDOW: u16 = 200;

/// So many events wait at the broker for a follower that is too slow; then the oldest are dropped. Following live is
/// for eyes; whoever must see every event binds a durable queue of his own.
const BACKLOG: i64 = 100_000;

#[async_trait]
impl EventSink for RabbitMq {
    async fn publish(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        let messages = events.iter().map(|event| Outgoing {
            exchange: topology::EVENTS,
            key: event.routing_key(),
            properties: headers::of_event(&event.id.to_string()),
            body: &event.body,
            // Nobody needs to listen.
            mandatory: false,
        });
        let placed = self.shared.publisher.publish(messages.collect()).await;
        placed.map(drop).map_err(|error| error.during("publishing events"))
    }
}

#[async_trait]
impl EventSource for RabbitMq {
    async fn subscribe(&self, filter: EventFilter) -> Result<Box<dyn EventStream>, PortError> {
        let events = follow(&self.shared, &binding_key(&filter)).await;
        Ok(Box::new(events.map_err(|error| error.during("following events"))?))
    }
}

/// The pattern of the routing keys that a filter lets through. A key has four words, since a kind has two.
fn binding_key(filter: &EventFilter) -> String {
    let tenant = filter.tenant.as_ref().map_or("*", |tenant| tenant.as_str());
    let session = filter.session.as_ref().map_or("*", |session| session.as_str());
    let kind = filter.kind.map_or("#", |kind| kind.as_str());
    format!("{tenant}.{session}.{kind}")
}

/// Declares a queue of our own, which goes with the connection, and consumes it.
async fn follow(shared: &Shared, key: &str) -> Result<RabbitEvents, RabbitError> {
    let limit = shared.options.publish_timeout;
    let link = shared.consuming();
    let open = async {
        let channel = link.connection(limit).await?.create_channel().await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(BACKLOG));
        let queue = channel.queue_declare(ShortString::default(), options, arguments).await?;
        let (name, none) = (queue.name().as_str(), FieldTable::default());
        channel.queue_bind(name.into(), topology::EVENTS.into(), key.into(), QueueBindOptions::default(), none).await?;
        let consumer = start(&channel, name, ShortString::default(), WINDOW, FieldTable::default()).await?;
        Ok(RabbitEvents { link: link.clone(), _channel: channel, consumer, last: None, failed: None })
    };
    timeout(limit, open).await.map_err(|_| link.timed_out(limit))?
}

struct RabbitEvents {
    link: Arc<Link>,
    /// The queue is consumed on it; dropping it ends the subscription.
    _channel: Channel,
    consumer: Consumer,
    /// The event handed out last: acknowledged when the next one is asked for, because waiting for that after taking
    /// an event would lose it if the call was dropped meanwhile.
    last: Option<Acker>,
    failed: Option<RabbitError>,
}

impl RabbitEvents {
    async fn receive(&mut self) -> Result<ReceivedEvent, RabbitError> {
        if let Some(last) = self.last.take() {
            last.ack(BasicAckOptions::default()).await?;
        }
        let delivery = self.consumer.next().await.ok_or(RabbitError::ConsumerEnded)??;
        self.last = Some(delivery.acker);
        Ok(ReceivedEvent { routing_key: delivery.routing_key.as_str().to_owned(), body: delivery.data })
    }
}

#[async_trait]
impl EventStream for RabbitEvents {
    async fn next(&mut self) -> Result<Option<ReceivedEvent>, PortError> {
        let error = match &self.failed {
            Some(error) => error.clone(),
            None => match self.receive().await {
                Ok(event) => return Ok(Some(event)),
                Err(error) => error,
            },
        };
        if self.link.is_closed() {
            return Ok(None);
        }
        self.failed = Some(error.clone());
        Err(error.during("following events"))
    }
}

#[cfg(test)]
mod tests {
    use kurir_core::domain::{EventKind, SessionId, TenantId};

    use super::*;

    #[test]
    fn a_binding_has_the_four_words_of_a_routing_key() {
        let all = EventFilter::default();
        assert_eq!(binding_key(&all), "*.*.#");
        let filter = EventFilter { kind: Some(EventKind::MessageSent), ..all };
        assert_eq!(binding_key(&filter), "*.*.message.sent");
        let (tenant, session) = (TenantId::new("acme").unwrap(), SessionId::new("s-1").unwrap());
        let filter = EventFilter { tenant: Some(tenant), session: Some(session), kind: None };
        assert_eq!(binding_key(&filter), "acme.s-1.#");
    }
}
