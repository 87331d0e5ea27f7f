//! The feed of the log within one process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::lock;
use crate::domain::OutboxEvent;
use crate::port::{EventFeed, EventIntake, EventSink, PortError};

/// A queue of events: what is published here waits until a reader has kept it.
#[derive(Default)]
pub struct MemoryFeed {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<OutboxEvent>>,
    more: Notify,
}

impl Queue {
    fn put_first(&self, events: Vec<OutboxEvent>) {
        let mut waiting = lock(&self.waiting);
        for event in events.into_iter().rev() {
            waiting.push_front(event);
        }
        drop(waiting);
        self.more.notify_one();
    }
}

impl MemoryFeed {
    /// How many events nobody has taken.
    pub fn waiting(&self) -> usize {
        lock(&self.queue.waiting).len()
    }
}

#[async_trait]
impl EventSink for MemoryFeed {
    async fn publish(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        lock(&self.queue.waiting).extend(events.iter().cloned());
        self.queue.more.notify_one();
        Ok(())
    }
}

#[async_trait]
impl EventFeed for MemoryFeed {
    async fn take_part(&self) -> Result<Box<dyn EventIntake>, PortError> {
        Ok(Box::new(Part { queue: Arc::clone(&self.queue), taken: Vec::new() }))
    }
}

struct Part {
    queue: Arc<Queue>,
    taken: Vec<OutboxEvent>,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.queue.put_first(std::mem::take(&mut self.taken));
    }
}

#[async_trait]
impl EventIntake for Part {
    async fn next(&mut self, most: usize) -> Result<Option<Vec<OutboxEvent>>, PortError> {
        loop {
            let events: Vec<_> = {
                let mut waiting = lock(&self.queue.waiting);
                let count = waiting.len().min(most.max(1));
                let events = waiting.drain(..count).collect();
                if !waiting.is_empty() {
                    // The permit was this reader's; another one may have been passed over.
                    self.queue.more.notify_one();
                }
                events
            };
            if !events.is_empty() {
                self.taken.extend(events.iter().cloned());
                return Ok(Some(events));
            }
            self.queue.more.notified().await;
        }
    }

    async fn kept(&mut self) -> Result<(), PortError> {
        self.taken.clear();
        Ok(())
    }
}
