//! The event exchange: where kurir tells what happened.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{EventKind, OutboxEvent, SessionId, TenantId};

/// Where events go.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Publishes all of them, in order, and returns once each is confirmed. An event published twice is told apart by
    /// its id on the other side. An error means that some may not have been published.
    async fn publish(&self, events: &[OutboxEvent]) -> Result<(), PortError>;
}

/// Which events a subscriber wants; an absent part means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Of this session.
    pub session: Option<SessionId>,
    /// Of this kind.
    pub kind: Option<EventKind>,
}

/// An event as a subscriber gets it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// `{tenant}.{session}.{type}`.
    pub routing_key: String,
    /// The CloudEvents envelope, JSON.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for ReceivedEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReceivedEvent({} {} bytes)", self.routing_key, self.body.len())
    }
}

/// The events of one subscription, from the moment of subscribing on.
#[async_trait]
pub trait EventStream: Send {
    /// The next event; `Ok(None)` once the source is closed. Cancel-safe.
    async fn next(&mut self) -> Result<Option<ReceivedEvent>, PortError>;
}

/// Where events come from, for those parts of kurir that follow live (gateway, demo).
#[async_trait]
pub trait EventSource: Send + Sync {
    /// Follows the events from now on. The subscription is this process's own and ends with it.
    async fn subscribe(&self, filter: EventFilter) -> Result<Box<dyn EventStream>, PortError>;
}
