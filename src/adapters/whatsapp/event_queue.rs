//! Between the library, which hands events out without waiting, and the connection's reader, who takes his time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kurir_core::port::MessengerEvent;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Events in order of arrival.
///
/// Bounded: at half of the capacity the socket is no longer read (see `transport`), so the rest is for what was read
/// already. Should even that not do, receipts are dropped and counted, which costs the connection: WhatsApp delivers
/// them again on the next one. Changes of the connection's state, which are few, are always taken.
pub(super) struct EventQueue {
    inner: Mutex<Inner>,
    capacity: usize,
    arrived: Notify,
    taken: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<MessengerEvent>,
    finished: bool,
    dropped: u64,
}

/// What stands first in the queue.
enum Head {
    Event(MessengerEvent),
    NoneYet,
    NoMore,
}

impl EventQueue {
    pub fn new(capacity: usize) -> Self {
        Self { inner: Mutex::default(), capacity, arrived: Notify::new(), taken: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event without waiting.
    pub fn push(&self, event: MessengerEvent) {
        let mut inner = self.lock();
        if inner.finished {
            return;
        }
        if matches!(event, MessengerEvent::Receipt { .. }) && inner.waiting.len() >= self.capacity {
            inner.dropped += 1;
            let dropped = inner.dropped;
            drop(inner);
            if dropped.is_power_of_two() {
                tracing::warn!(dropped, "receipts dropped: nobody reads the connection's events");
            }
            return;
        }
        inner.waiting.push_back(event);
        drop(inner);
        self.arrived.notify_one();
    }

    /// Waits until less than half of the capacity is taken.
    pub async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            if self.has_room() {
                return;
            }
            taken.await;
        }
    }

    fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.finished || inner.waiting.len() < self.capacity / 2
    }

    /// No more events come; those that wait are still handed out.
    pub fn finish(&self) {
        self.lock().finished = true;
        self.arrived.notify_one();
        self.taken.notify_waiters();
    }

    fn clear(&self) -> usize {
        let mut inner = self.lock();
        inner.finished = true;
        std::mem::take(&mut inner.waiting).len()
    }

    fn pop(&self) -> Head {
        let mut inner = self.lock();
        match inner.waiting.pop_front() {
            Some(event) => Head::Event(event),
            None if inner.finished => Head::NoMore,
            None => Head::NoneYet,
        }
    }

    /// The next event; `None` after the last.
    async fn next(&self) -> Option<MessengerEvent> {
        loop {
            // A permit is kept while nobody waits, so an event that comes in between is not missed.
            let arrived = self.arrived.notified();
            match self.pop() {
                Head::Event(event) => {
                    self.taken.notify_waiters();
                    return Some(event);
                }
                Head::NoneYet => {}
                Head::NoMore => return None,
            }
            arrived.await;
        }
    }

    /// Hands the events to the reader until the last one, or until he is gone. Once `hurry` fires, only what fits
    /// into his channel is handed over.
    pub async fn hand_out(&self, to: mpsc::Sender<MessengerEvent>, hurry: CancellationToken) {
        while let Some(event) = self.next().await {
            let permit = tokio::select! {
                biased;
                permit = to.reserve() => permit.ok(),
                () = hurry.cancelled() => to.try_reserve().ok(),
            };
            let Some(permit) = permit else { break };
            permit.send(event);
        }
        // Whoever pushes from now on, or waits for room, waits for nobody.
        let lost = self.clear();
        self.taken.notify_waiters();
        if lost > 0 {
            tracing::debug!(lost, "events without a reader");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kurir_core::domain::{MessageId, Timestamp};
    use kurir_core::port::{Receipt, ReceiptKind, Stored};

    fn receipt(id: &str) -> MessengerEvent {
        let ids = vec![MessageId::from_wire(id)];
        let receipt = Receipt { ids, kind: ReceiptKind::Read, at: Timestamp::from_millis(0) };
        MessengerEvent::Receipt { receipt, stored: Stored::unawaited() }
    }

    async fn is_pending(future: impl Future<Output = ()>) -> bool {
        tokio::pin!(future);
        std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test]
    async fn events_keep_their_order_and_end_after_the_last() {
        let queue = EventQueue::new(16);
        queue.push(MessengerEvent::Connected);
        queue.push(receipt("a"));
        queue.push(MessengerEvent::Replaced);
        queue.finish();
        queue.push(MessengerEvent::Connected);
        let (to, mut reader) = mpsc::channel(8);
        queue.hand_out(to, CancellationToken::new()).await;
        assert!(matches!(reader.recv().await, Some(MessengerEvent::Connected)));
        assert!(matches!(reader.recv().await, Some(MessengerEvent::Receipt { .. })));
        assert!(matches!(reader.recv().await, Some(MessengerEvent::Replaced)));
        assert!(reader.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_slow_reader_holds_the_socket_back_and_loses_no_change_of_state() {
        let queue = EventQueue::new(16);
        for n in 0..8 {
            assert!(!is_pending(queue.room()).await, "{n} events");
            queue.push(receipt("x"));
        }
        assert!(is_pending(queue.room()).await);
        for _ in 0..20 {
            queue.push(receipt("y"));
        }
        queue.push(MessengerEvent::Disconnected);
        {
            let inner = queue.lock();
            assert_eq!((inner.waiting.len(), inner.dropped), (17, 12));
        }
        for _ in 0..10 {
            queue.next().await.unwrap();
        }
        assert!(!is_pending(queue.room()).await);
    }

    #[tokio::test]
    async fn in_a_hurry_only_what_fits_is_handed_out() {
        let queue = EventQueue::new(16);
        for _ in 0..5 {
            queue.push(receipt("x"));
        }
        let (to, mut reader) = mpsc::channel(2);
        let hurry = CancellationToken::new();
        hurry.cancel();
        queue.hand_out(to, hurry).await;
        assert_eq!(reader.recv_many(&mut Vec::new(), 9).await, 2);
        assert!(reader.recv().await.is_none());
        assert!(!is_pending(queue.room()).await, "nobody waits for a reader that is gone");
    }
}
