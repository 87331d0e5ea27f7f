//! Sends that wait for the answer of WhatsApp's server.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kurir_core::port::SendAnswer;
use tokio::sync::oneshot;

/// Who waits for which message id. Two sends may wait for the same id: WhatsApp answers each stanza, so each answer
/// goes to one of them, in order.
#[derive(Default)]
pub(super) struct Pending {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    waiting: HashMap<String, VecDeque<(u64, oneshot::Sender<SendAnswer>)>>,
    next: u64,
}

/// One send's place; given back when dropped.
pub(super) struct Place {
    pending: Arc<Pending>,
    id: String,
    number: u64,
    answer: oneshot::Receiver<SendAnswer>,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the answer to this id from now on; to be called before the message is sent.
    pub fn register(self: &Arc<Self>, id: &str) -> Place {
        let (answered, answer) = oneshot::channel();
        let mut inner = self.lock();
        let number = inner.next;
        inner.next += 1;
        inner.waiting.entry(id.to_owned()).or_default().push_back((number, answered));
        Place { pending: Arc::clone(self), id: id.to_owned(), number, answer }
    }

    /// WhatsApp has answered. An answer that nobody waits for any more is dropped.
    pub fn answer(&self, id: &str, answer: SendAnswer) {
        let mut inner = self.lock();
        let Some(places) = inner.waiting.get_mut(id) else { return };
        let first = places.pop_front();
        if places.is_empty() {
            inner.waiting.remove(id);
        }
        drop(inner);
        if let Some((_, answered)) = first {
            // A place that is just being given back does not listen any more.
            let _ = answered.send(answer);
        }
    }

    /// The connection is gone, and with it the answers that had not come.
    pub fn give_up(&self) {
        self.lock().waiting.clear();
    }
}

impl Place {
    /// The answer; [`SendAnswer::Unknown`] if the connection went before it came.
    pub async fn answer(&mut self) -> SendAnswer {
        (&mut self.answer).await.unwrap_or(SendAnswer::Unknown)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.pending.lock();
        if let Some(places) = inner.waiting.get_mut(&self.id) {
            places.retain(|(number, _)| *number != self.number);
            if places.is_empty() {
                inner.waiting.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_sends_of_one_id_get_an_answer_each() {
        let pending = Arc::new(Pending::default());
        let (mut first, mut second) = (pending.register("A"), pending.register("A"));
        pending.answer("A", SendAnswer::Refused(429));
        pending.answer("B", SendAnswer::Accepted);
        pending.answer("A", SendAnswer::Accepted);
        assert_eq!(first.answer().await, SendAnswer::Refused(429));
        assert_eq!(second.answer().await, SendAnswer::Accepted);
    }

    #[tokio::test]
    async fn a_send_that_gave_up_takes_no_answer_from_the_next() {
        let pending = Arc::new(Pending::default());
        let first = pending.register("A");
        let mut second = pending.register("A");
        drop(first);
        pending.answer("A", SendAnswer::Accepted);
        assert_eq!(second.answer().await, SendAnswer::Accepted);
        drop(second);
        assert!(pending.lock().waiting.is_empty());
    }

    #[tokio::test]
    async fn a_cut_leaves_it_unknown() {
        let pending = Arc::new(Pending::default());
        let mut place = pending.register("A");
        pending.give_up();
        assert_eq!(place.answer().await, SendAnswer::Unknown);
    }
}
