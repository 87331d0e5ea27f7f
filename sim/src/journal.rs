//! The journal: what happened, in order. Audits rest on it, so nothing in it is an estimate.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{broadcast, watch};

use crate::account::{DeviceAddress, PhoneNumber};
use crate::audit::{Evidence, Expectations};
use crate::error::SimError;
use crate::group::{GroupChange, GroupId};

/// Entries a slow listener may lag behind before it misses some.
const LISTENER_BACKLOG: usize = 4096;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct JournalEntry {
    /// Position in the journal, from 1, without gaps.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: JournalEvent,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum JournalEvent {
    /// A device was linked.
    Linked {
        /// The new device.
        device: DeviceAddress,
    },
    /// A device was logged out.
    LoggedOut {
        /// The device that is gone.
        device: DeviceAddress,
        /// Whether the device itself asked for it.
        by_device: bool,
    },
    /// A device logged in.
    Connected {
        /// The device.
        device: DeviceAddress,
    },
    /// A device's connection ended.
    Disconnected {
        /// The device.
        device: DeviceAddress,
        /// Why.
        reason: String,
    },
    /// A device logged in while another live connection of it was open. The older one was closed.
    Overlap {
        /// The device.
        device: DeviceAddress,
    },
    /// A login was refused.
    LoginRefused {
        /// The device that tried.
        device: DeviceAddress,
        /// The failure code it got.
        code: u16,
    },
    /// A device handed a message to the server, which took it.
    Accepted {
        /// The sender.
        from: DeviceAddress,
        /// The message id.
        id: String,
    },
    /// The server answered a message with an error, or not at all (`code` 0).
    Refused {
        /// The sender.
        from: DeviceAddress,
        /// The message id.
        id: String,
        /// The error code.
        code: u16,
        /// Whether the phone got the message all the same.
        delivered: bool,
    },
    /// A readable message reached a phone.
    Arrived {
        /// The phone.
        phone: PhoneNumber,
        /// The sender.
        from: DeviceAddress,
        /// The message id.
        id: String,
        /// Whether the phone had shown the id before.
        duplicate: bool,
    },
    /// A message reached a phone, which could not read it and asked for it again.
    Unreadable {
        /// The phone.
        phone: PhoneNumber,
        /// The sender.
        from: DeviceAddress,
        /// The message id.
        id: String,
        /// How often this id was unreadable.
        count: u32,
        /// What the Signal library said.
        reason: String,
    },
    /// A phone could not download the file of a message, or it was not the announced one.
    BrokenMedia {
        /// The phone.
        phone: PhoneNumber,
        /// The sender.
        from: DeviceAddress,
        /// The message id.
        id: String,
        /// What is wrong with the file.
        reason: String,
    },
    /// A message was encrypted with a message key that was used before.
    CounterReplayed {
        /// The phone.
        phone: PhoneNumber,
        /// The sender.
        from: DeviceAddress,
        /// The message id.
        id: String,
        /// Whether the phone had shown the id before.
        duplicate: bool,
    },
    /// A phone sent a message.
    Written {
        /// The phone.
        phone: PhoneNumber,
        /// The account it wrote to.
        to: PhoneNumber,
        /// The message id.
        id: String,
    },
    /// A phone sent a message to a group.
    WrittenInGroup {
        /// The phone.
        phone: PhoneNumber,
        /// The group.
        group: GroupId,
        /// The message id.
        id: String,
    },
    /// A group was made or changed.
    GroupChanged {
        /// The group.
        group: GroupId,
        /// Who did it.
        by: PhoneNumber,
        /// What was done; absent when the group was made.
        #[serde(skip_serializing_if = "Option::is_none")]
        what: Option<GroupChange>,
    },
    /// The oldest stanza that waited for a device was dropped, because too many waited.
    QueueOverflow {
        /// The device.
        device: DeviceAddress,
        /// The id of the stanza.
        id: String,
    },
    /// A message was taken, but its recipient blocks the sender, so it goes nowhere.
    Withheld {
        /// The sender.
        from: DeviceAddress,
        /// The account that blocks it.
        to: PhoneNumber,
        /// The message id.
        id: String,
    },
    /// An account trusted a contact with a new privacy token.
    Trusted {
        /// The account.
        by: PhoneNumber,
        /// The contact who got the token.
        contact: PhoneNumber,
    },
    /// A device sent a privacy token with a message: a good one for the first time, or a wrong one.
    TokenShown {
        /// The device.
        from: DeviceAddress,
        /// The account that was to have issued the token.
        to: PhoneNumber,
        /// Whether that account issued it, and no newer one.
        valid: bool,
    },
    /// A device was told that it has few one-time keys left.
    KeysLow {
        /// The device.
        device: DeviceAddress,
        /// How many were left.
        left: usize,
    },
    /// A phone was reinstalled: it has a new identity, and its linked devices are gone.
    Reinstalled {
        /// The phone.
        phone: PhoneNumber,
    },
    /// A fault was ordered.
    FaultSet {
        /// Its number; 0 for a fault that happened at once.
        fault: u64,
    },
    /// A fault struck.
    FaultFired {
        /// Its number; 0 for a fault that happened at once.
        fault: u64,
        /// What it did.
        effect: &'static str,
        /// Whom it struck: the sender of the message, or whose connection it was.
        #[serde(skip_serializing_if = "Option::is_none")]
        device: Option<DeviceAddress>,
        /// The phone on the other side.
        #[serde(skip_serializing_if = "Option::is_none")]
        phone: Option<PhoneNumber>,
        /// The id of the message or stanza.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// The service stops for a restart.
    Restarting {
        /// Milliseconds for which it accepts nobody.
        down_ms: u64,
    },
    /// The service accepts clients again after a restart.
    Restarted,
    /// A fault of the scenario could not be ordered.
    ScenarioStepFailed {
        /// Which of its faults, from 1.
        step: usize,
        /// Why.
        reason: String,
    },
}

/// Totals since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counters {
    /// Messages that devices handed in and the server took.
    pub accepted: u64,
    /// Messages that were answered with an error or not at all.
    pub refused: u64,
    /// Messages that phones showed.
    pub shown: u64,
    /// Readable messages whose id the phone had shown before.
    pub duplicates: u64,
    /// Messages that phones could not read.
    pub unreadable: u64,
    /// Message keys that were used twice.
    pub counter_replays: u64,
    /// Times that one device had two live connections.
    pub overlaps: u64,
    /// Stanzas that were dropped because too many waited.
    pub overflowed: u64,
    /// Journal entries that are no longer kept.
    pub forgotten: u64,
    /// Handshakes of clients that remembered the server's key (Noise IK).
    pub resumed: u64,
}

impl Counters {
    fn count(&mut self, event: &JournalEvent) {
        match event {
            JournalEvent::Accepted { .. } => self.accepted += 1,
            JournalEvent::Refused { .. } => self.refused += 1,
            JournalEvent::Arrived { duplicate: false, .. } => self.shown += 1,
            JournalEvent::Arrived { duplicate: true, .. } => self.duplicates += 1,
            JournalEvent::Unreadable { .. } => self.unreadable += 1,
            JournalEvent::CounterReplayed { .. } => self.counter_replays += 1,
            JournalEvent::Overlap { .. } => self.overlaps += 1,
            JournalEvent::QueueOverflow { .. } => self.overflowed += 1,
            _ => {}
        }
    }
}

#[derive(Default)]
struct Pages {
    entries: VecDeque<Arc<JournalEntry>>,
    /// The positions of the arrivals among these, by message id: an id may be expected when it has arrived already, and a
    /// long journal is not to be read for each.
    arrivals: HashMap<String, VecDeque<u64>>,
    last: u64,
    counters: Counters,
    expectations: Expectations,
}

impl Pages {
    /// Drops the oldest entry.
    fn forget_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.counters.forgotten += 1;
        let JournalEvent::Arrived { id, .. } = &entry.event else { return };
        if let Some(places) = self.arrivals.get_mut(id) {
            // They are in the journal's order, so the oldest is the first.
            places.pop_front();
            if places.is_empty() {
                self.arrivals.remove(id);
            }
        }
    }
}

/// The journal of one simulator.
pub(crate) struct Journal {
    pages: Mutex<Pages>,
    limit: usize,
    live: broadcast::Sender<Arc<JournalEntry>>,
    changes: watch::Sender<u64>,
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            pages: Mutex::default(),
            limit,
            live: broadcast::Sender::new(LISTENER_BACKLOG),
            changes: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an entry. `at` is in milliseconds since 1970.
    pub(crate) fn write(&self, at: u64, event: JournalEvent) {
        let mut pages = self.lock();
        pages.counters.count(&event);
        pages.last += 1;
        let entry = Arc::new(JournalEntry { seq: pages.last, at, event });
        if pages.entries.len() == self.limit {
            pages.forget_first();
        }
        if let JournalEvent::Arrived { id, .. } = &entry.event {
            pages.arrivals.entry(id.clone()).or_default().push_back(entry.seq);
        }
        pages.expectations.note(&entry);
        pages.entries.push_back(Arc::clone(&entry));
        // Sent under the lock, so that listeners see the journal's order. Without a listener the
        // entry is simply not sent.
        drop(self.live.send(entry));
        drop(pages);
        self.touch();
    }

    /// Wakes those who wait for a state that is not journaled, like an acknowledgement.
    pub(crate) fn touch(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Up to `limit` entries after position `after`.
    pub(crate) fn read(&self, after: u64, limit: usize) -> Vec<Arc<JournalEntry>> {
        let pages = self.lock();
        let first = pages.last - pages.entries.len() as u64;
        let skip = usize::try_from(after.saturating_sub(first)).unwrap_or(usize::MAX);
        pages.entries.iter().skip(skip).take(limit).cloned().collect()
    }

    /// Registers by when ids should arrive. Returns how many are registered now.
    pub(crate) fn expect(&self, deadlines: BTreeMap<String, u64>) -> Result<usize, SimError> {
        let mut pages = self.lock();
        let Pages { entries, arrivals, last, counters, expectations } = &mut *pages;
        let before = *last - entries.len() as u64;
        let kept = |id: &str| -> Vec<&JournalEntry> {
            let places = arrivals.get(id).into_iter().flatten().map(|seq| usize::try_from(seq - before - 1));
            places.filter_map(|place| entries.get(place.ok()?)).map(|entry| &**entry).collect()
        };
        expectations.register(deadlines, kept, counters.forgotten == 0)
    }

    /// Forgets what was expected.
    pub(crate) fn expect_nothing(&self) {
        self.lock().expectations.clear();
    }

    /// What an audit of everything after position `after` is made from. `now` is in milliseconds since 1970.
    pub(crate) fn evidence(&self, after: u64, now: u64) -> Evidence {
        let pages = self.lock();
        let first = pages.last - pages.entries.len() as u64;
        let skip = usize::try_from(after.saturating_sub(first)).unwrap_or(usize::MAX);
        Evidence {
            after,
            until: pages.last,
            entries: pages.entries.iter().skip(skip).cloned().collect(),
            lost: first.saturating_sub(after),
            verdicts: pages.expectations.verdicts(now),
        }
    }

    /// Position of the newest entry; 0 when there is none.
    pub(crate) fn last(&self) -> u64 {
        self.lock().last
    }

    /// Counts a handshake of a client that remembered the server's key.
    pub(crate) fn count_resumed(&self) {
        self.lock().counters.resumed += 1;
    }

    pub(crate) fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// New entries as they are written.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Arc<JournalEntry>> {
        self.live.subscribe()
    }

    /// Grows whenever something happened.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(fault: u64) -> JournalEvent {
        JournalEvent::FaultSet { fault }
    }

    #[test]
    fn positions_have_no_gaps_and_reading_goes_on_where_it_stopped() {
        let journal = Journal::new(3);
        for number in 1..=5 {
            journal.write(number * 10, fault(number));
        }
        let seqs = |after, limit| journal.read(after, limit).iter().map(|entry| entry.seq).collect::<Vec<_>>();
        assert_eq!(seqs(0, 10), [3, 4, 5]);
        assert_eq!(seqs(3, 1), [4]);
        assert!(seqs(5, 10).is_empty());
        assert_eq!(journal.counters().forgotten, 2);
        assert_eq!(*journal.changes().borrow(), 5);
    }

    #[test]
    fn shown_and_duplicates_are_counted_apart() {
        let journal = Journal::new(10);
        let phone = "15551230001".parse().expect("valid");
        let from = DeviceAddress { account: phone, device: 1 };
        for duplicate in [false, true, true] {
            journal.write(0, JournalEvent::Arrived { phone, from, id: "a".into(), duplicate });
        }
        assert_eq!((journal.counters().shown, journal.counters().duplicates), (1, 2));
    }

    #[test]
    fn an_id_may_be_expected_after_it_arrived_as_long_as_that_is_kept() {
        let journal = Journal::new(3);
        let phone = "15551230001".parse().expect("valid");
        let from = DeviceAddress { account: phone, device: 1 };
        for (at, id) in [(1, "gone"), (2, "twice"), (3, "once"), (4, "twice"), (5, "last")] {
            journal.write(at, JournalEvent::Arrived { phone, from, id: id.into(), duplicate: false });
        }
        let deadlines = ["gone", "twice", "once", "last"].map(|id| (id.to_owned(), 4));
        assert_eq!(journal.expect(deadlines.into()).expect("few and short"), 4);
        let verdicts = journal.evidence(0, 10).verdicts;
        let late: Vec<_> = verdicts.late.iter().map(|(_, late)| (late.id.as_str(), late.arrived_at)).collect();
        assert_eq!(late, [("last", 5)], "the second arrival of `twice` is kept, and in time");
        let undecided: Vec<_> = verdicts.undecided.iter().map(|missing| missing.id.as_str()).collect();
        assert_eq!((undecided, verdicts.missing.len()), (vec!["gone"], 0));
        for at in 6..9 {
            journal.write(at, fault(at));
        }
        assert!(journal.lock().arrivals.is_empty(), "what is not kept is not indexed");
    }
}
