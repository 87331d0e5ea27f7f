//! What waits for one device.
//!
//! Everything the server has for a device goes through its mailbox, connected or not, and stays
//! until the device has acknowledged it. So a cut between delivery and acknowledgement leads to a
//! second delivery after the next login, as with WhatsApp.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wacore_binary::Node;

/// Kinds of stanzas that a client acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StanzaClass {
    Message,
    Receipt,
    Notification,
}

/// The `type` attributes that take part in acknowledgements.
pub(super) const KINDS: &[&str] = &["read", "retry", "played", "read-self", "sender", "inactive", "peer_msg"];

/// One stanza for a device.
#[derive(Debug)]
pub(crate) struct Stanza {
    pub class: StanzaClass,
    pub id: String,
    /// The `type` attribute where it takes part in the acknowledgement: `read` and plain receipts
    /// of one message share their id.
    pub kind: Option<&'static str>,
    pub node: Node,
}

#[derive(Debug)]
struct Entry {
    stanza: Stanza,
    sent: bool,
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    unsent: usize,
}

/// How many stanzas of each kind wait, as a login announces them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub messages: usize,
    pub receipts: usize,
    pub notifications: usize,
}

impl Waiting {
    pub(crate) fn total(self) -> usize {
        self.messages + self.receipts + self.notifications
    }
}

/// The queue of one device.
#[derive(Debug)]
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    limit: usize,
    filled: Notify,
    /// Whether it is another than when it was last saved.
    changed: AtomicBool,
}

impl Mailbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self { queue: Mutex::default(), limit, filled: Notify::new(), changed: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stanza. Returns the id of the oldest one if it had to go.
    pub(crate) fn push(&self, stanza: Stanza) -> Option<String> {
        debug_assert!(stanza.kind.is_none_or(|kind| KINDS.contains(&kind)), "a kind that can't be kept");
        let dropped = {
            let mut queue = self.lock();
            self.changed.store(true, Ordering::Release);
            queue.entries.push_back(Entry { stanza, sent: false });
            queue.unsent += 1;
            let dropped = (queue.entries.len() > self.limit).then(|| queue.entries.pop_front()).flatten();
            if dropped.as_ref().is_some_and(|entry| !entry.sent) {
                queue.unsent -= 1;
            }
            dropped
        };
        self.filled.notify_one();
        dropped.map(|entry| entry.stanza.id)
    }

    /// Completes when something was added since the last call.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Begins a new connection: everything unacknowledged is to be sent again.
    pub(crate) fn rewind(&self) -> Waiting {
        let mut queue = self.lock();
        queue.unsent = queue.entries.len();
        let mut waiting = Waiting::default();
        for entry in &mut queue.entries {
            entry.sent = false;
            match entry.stanza.class {
                StanzaClass::Message => waiting.messages += 1,
                StanzaClass::Receipt => waiting.receipts += 1,
                StanzaClass::Notification => waiting.notifications += 1,
            }
        }
        waiting
    }

    /// Hands every unsent stanza to `write`, oldest first, and remembers that it was sent.
    pub(crate) fn send_pending(&self, mut write: impl FnMut(&Node)) {
        let mut queue = self.lock();
        if queue.unsent == 0 {
            return;
        }
        let first = queue.entries.len() - queue.unsent;
        for entry in queue.entries.range_mut(first..) {
            entry.sent = true;
            write(&entry.stanza.node);
        }
        queue.unsent = 0;
    }

    /// Removes what the device acknowledged. Returns whether it was known.
    pub(crate) fn settle(&self, class: StanzaClass, id: &str, kind: Option<&str>) -> bool {
        let mut queue = self.lock();
        let found = queue.entries.iter().position(|Entry { stanza, .. }| {
            stanza.class == class && stanza.id == id && (class != StanzaClass::Receipt || stanza.kind == kind)
        });
        let removed = found.and_then(|index| queue.entries.remove(index));
        if removed.as_ref().is_some_and(|entry| !entry.sent) {
            queue.unsent -= 1;
        }
        self.changed.store(true, Ordering::Release);
        removed.is_some()
    }

    /// Loses everything. Returns how much that was.
    pub(crate) fn clear(&self) -> usize {
        let mut queue = self.lock();
        queue.unsent = 0;
        self.changed.store(true, Ordering::Release);
        std::mem::take(&mut queue.entries).len()
    }

    /// Whether it changed since the last call.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// Shows every unacknowledged stanza, oldest first.
    pub(super) fn for_each(&self, mut look: impl FnMut(&Stanza)) {
        self.lock().entries.iter().for_each(|entry| look(&entry.stanza));
    }

    /// How many stanzas are unacknowledged.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_binary::builder::NodeBuilder;

    fn receipt(id: &str, kind: Option<&'static str>) -> Stanza {
        let node = NodeBuilder::new("receipt").attr("id", id).build();
        Stanza { class: StanzaClass::Receipt, id: id.into(), kind, node }
    }

    fn sent(mailbox: &Mailbox) -> Vec<String> {
        let mut ids = Vec::new();
        mailbox.send_pending(|node| ids.push(node.attrs.get("id").expect("id").to_string()));
        ids
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_after_a_new_login() {
        let mailbox = Mailbox::new(10);
        mailbox.push(receipt("a", None));
        mailbox.push(receipt("a", Some("read")));
        mailbox.push(receipt("b", None));
        assert_eq!(sent(&mailbox), ["a", "a", "b"]);
        assert!(sent(&mailbox).is_empty());
        assert!(mailbox.settle(StanzaClass::Receipt, "a", None));
        assert!(!mailbox.settle(StanzaClass::Message, "b", None));
        let waiting = mailbox.rewind();
        assert_eq!((waiting.receipts, waiting.total()), (2, 2));
        assert_eq!(sent(&mailbox), ["a", "b"]);
    }

    #[test]
    fn an_early_acknowledgement_keeps_the_rest_in_order() {
        let mailbox = Mailbox::new(10);
        for id in ["a", "b", "c"] {
            mailbox.push(receipt(id, None));
        }
        assert!(mailbox.settle(StanzaClass::Receipt, "b", None));
        assert_eq!(sent(&mailbox), ["a", "c"]);
    }

    #[test]
    fn a_full_mailbox_drops_the_oldest_and_says_so() {
        let mailbox = Mailbox::new(2);
        assert_eq!(mailbox.push(receipt("a", None)), None);
        assert_eq!(mailbox.push(receipt("b", None)), None);
        assert_eq!(mailbox.push(receipt("c", None)), Some("a".into()));
        assert_eq!(sent(&mailbox), ["b", "c"]);
        assert_eq!(mailbox.push(receipt("d", None)), Some("b".into()));
        assert_eq!(sent(&mailbox), ["d"]);
        assert_eq!(mailbox.len(), 2);
    }
}
