//! The way out for events, counted.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use kurir_core::domain::OutboxEvent;
use kurir_core::port::{EventSink, PortError};

use super::Telemetry;
use super::series::TypeLabel;

/// A sink that counts what it took and what it did not.
pub struct CountedSink {
    inner: Arc<dyn EventSink>,
    telemetry: Arc<Telemetry>,
}

impl CountedSink {
    /// Counts what is published to `inner`.
    pub const fn new(inner: Arc<dyn EventSink>, telemetry: Arc<Telemetry>) -> Self {
        Self { inner, telemetry }
    }
}

#[async_trait]
impl EventSink for CountedSink {
    async fn publish(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        let begun = Instant::now();
        let published = self.inner.publish(events).await;
        let counted = &self.telemetry.counted;
        counted.event_publish.observe(begun.elapsed().as_secs_f64());
        match &published {
            Ok(()) => {
                for event in events {
                    counted.events.get_or_create(&TypeLabel { r#type: event.kind.as_str() }).inc();
                }
            }
            Err(_) => {
                counted.event_failures.inc();
            }
        }
        published
    }
}
