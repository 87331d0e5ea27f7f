//! Holds back what goes to WhatsApp until the receipts that came before it are recorded.
//!
//! The library acknowledges a receipt right after it has told of it (`whatsapp-rust` 0.7, `client/node_io.rs`), and what is
//! acknowledged never comes again. It tells before it sends, and sends in order; so whatever leaves after a receipt was
//! told of, its acknowledgement among it, waits here until that receipt is stored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kurir_core::port::Stored;
use tokio::sync::Notify;
use tokio::time::Instant;

/// One client's receipts on their way to the store.
pub(super) struct ReceiptGate {
    /// How long one may take.
    limit: Duration,
    inner: Mutex<Inner>,
    settled: Notify,
}

#[derive(Default)]
struct Inner {
    next: u64,
    /// Those that are not stored yet, with the moment they came in.
    open: BTreeMap<u64, Instant>,
    /// How many will never be.
    lost: u64,
}

/// A receipt could not be stored: the connection must end before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a receipt could not be recorded, so it must not be acknowledged")]
pub(super) struct Lost;

/// How many were lost before a connection began; its predecessors' losses are not its own, WhatsApp delivers them again.
#[derive(Clone, Copy)]
pub(super) struct Since(u64);

impl ReceiptGate {
    /// A receipt that takes longer than `limit` costs the connection.
    pub fn new(limit: Duration) -> Self {
        Self { limit, inner: Mutex::default(), settled: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receipt came in.
    pub fn enter(self: &Arc<Self>) -> Stored {
        let mut inner = self.lock();
        let number = inner.next;
        inner.next += 1;
        inner.open.insert(number, Instant::now());
        drop(inner);
        let gate = Arc::clone(self);
        Stored::new(move |durable| gate.leave(number, durable))
    }

    fn leave(&self, number: u64, durable: bool) {
        let mut inner = self.lock();
        inner.open.remove(&number);
        if !durable {
            inner.lost += 1;
        }
        drop(inner);
        self.settled.notify_waiters();
    }

    /// For a connection that begins now.
    pub fn since(&self) -> Since {
        Since(self.lock().lost)
    }

    /// Waits until all receipts that came in before this call are stored; none of them longer than the limit, however many
    /// calls wait for it one after another.
    pub async fn pass(&self, since: Since) -> Result<(), Lost> {
        let before = self.lock().next;
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let late = {
                let inner = self.lock();
                if inner.lost > since.0 {
                    return Err(Lost);
                }
                match inner.open.first_key_value() {
                    Some((first, since)) if *first < before => *since + self.limit,
                    _ => return Ok(()),
                }
            };
            if tokio::time::timeout_at(late, settled).await.is_err() {
                return Err(Lost);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn what_comes_after_a_receipt_waits_for_it_and_for_no_later_one() {
        let gate = Arc::new(ReceiptGate::new(Duration::from_mins(1)));
        let since = gate.since();
        assert_eq!(gate.pass(since).now_or_never(), Some(Ok(())), "nothing came");
        let (first, second) = (gate.enter(), gate.enter());
        let mut passing = pin!(gate.pass(since));
        assert_eq!(passing.as_mut().now_or_never(), None);
        let later = gate.enter();
        second.tell();
        assert_eq!(passing.as_mut().now_or_never(), None, "the first one is not stored");
        first.tell();
        assert_eq!(passing.await, Ok(()));
        assert_eq!(gate.pass(since).now_or_never(), None);
        later.tell();
        assert_eq!(gate.pass(since).now_or_never(), Some(Ok(())));
    }

    #[tokio::test]
    async fn a_lost_receipt_ends_its_connection_and_not_the_next() {
        let gate = Arc::new(ReceiptGate::new(Duration::from_mins(1)));
        let first = gate.since();
        let receipt = gate.enter();
        let mut passing = pin!(gate.pass(first));
        assert_eq!(passing.as_mut().now_or_never(), None);
        drop(receipt);
        assert_eq!(passing.await, Err(Lost));
        assert_eq!(gate.pass(first).now_or_never(), Some(Err(Lost)), "nothing goes out on it any more");
        assert_eq!(gate.pass(gate.since()).now_or_never(), Some(Ok(())));
    }

    #[tokio::test]
    async fn a_receipt_that_takes_too_long_ends_the_connection_for_all_who_wait() {
        let gate = Arc::new(ReceiptGate::new(Duration::from_millis(20)));
        let since = gate.since();
        let receipt = gate.enter();
        assert_eq!(gate.pass(since).await, Err(Lost));
        assert_eq!(gate.pass(since).await, Err(Lost), "who comes later does not wait anew");
        receipt.tell();
        assert_eq!(gate.pass(since).await, Ok(()));
    }
}
