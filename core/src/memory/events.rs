//! The event exchange within one process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::domain::OutboxEvent;
use crate::port::{EventFilter, EventSink, EventSource, EventStream, PortError, ReceivedEvent};

/// Sink and source of one process. A subscriber that falls more than `capacity` events behind loses the oldest ones
/// and is told so by an error; it never holds up who publishes.
pub struct MemoryEvents {
    exchange: broadcast::Sender<Arc<OutboxEvent>>,
}

impl MemoryEvents {
    /// An exchange that keeps this many events for its slowest subscriber.
    pub fn new(capacity: usize) -> Self {
        Self { exchange: broadcast::Sender::new(capacity) }
    }
}

#[async_trait]
impl EventSink for MemoryEvents {
    async fn publish(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        for event in events {
            // It fails if nobody listens, which is nobody's fault.
            let _ = self.exchange.send(Arc::new(event.clone()));
        }
        Ok(())
    }
}

#[async_trait]
impl EventSource for MemoryEvents {
    async fn subscribe(&self, filter: EventFilter) -> Result<Box<dyn EventStream>, PortError> {
        Ok(Box::new(MemoryEventStream { filter, events: self.exchange.subscribe() }))
    }
}

struct MemoryEventStream {
    filter: EventFilter,
    events: broadcast::Receiver<Arc<OutboxEvent>>,
}

fn fits(filter: &EventFilter, event: &OutboxEvent) -> bool {
    filter.tenant.as_ref().is_none_or(|tenant| *tenant == event.tenant)
        && filter.session.as_ref().is_none_or(|session| Some(session) == event.session.as_ref())
        && filter.kind.is_none_or(|kind| kind == event.kind)
}

#[async_trait]
impl EventStream for MemoryEventStream {
    async fn next(&mut self) -> Result<Option<ReceivedEvent>, PortError> {
        loop {
            match self.events.recv().await {
                Ok(event) if fits(&self.filter, &event) => {
                    return Ok(Some(ReceivedEvent { routing_key: event.routing_key(), body: event.body.clone() }));
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return Ok(None),
                Err(error @ RecvError::Lagged(_)) => {
                    return Err(PortError::Unavailable {
                        system: "the event exchange in memory",
                        action: "following events",
                        source: error.into(),
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EventId, EventKind, TenantId, Timestamp};

    fn event(n: u8) -> OutboxEvent {
        OutboxEvent {
            id: EventId(Uuid::from_u128(n.into())),
            tenant: TenantId::new("t").unwrap(),
            session: None,
            kind: EventKind::WorkerJoined,
            at: Timestamp::from_millis(0),
            body: vec![n],
        }
    }

    #[tokio::test]
    async fn who_falls_behind_is_told_and_goes_on() {
        let events = MemoryEvents::new(4);
        let mut stream = events.subscribe(EventFilter::default()).await.unwrap();
        events.publish(&(0..10).map(event).collect::<Vec<_>>()).await.unwrap();
        assert!(stream.next().await.unwrap_err().is_transient());
        assert_eq!(stream.next().await.unwrap().unwrap().body, [6]);
        drop(events);
        for n in 7..10 {
            assert_eq!(stream.next().await.unwrap().unwrap().body, [n]);
        }
        assert_eq!(stream.next().await.unwrap(), None);
    }
}
