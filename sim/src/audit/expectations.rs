//! What a tester expects to arrive, and by when.
//!
//! Each arrival of a registered id is noted here when it happens, so that it is known also after the
//! journal has dropped its entry.

use std::collections::BTreeMap;

use super::{LateArrival, Missing};
use crate::account::{DeviceAddress, PhoneNumber};
use crate::error::SimError;
use crate::journal::{JournalEntry, JournalEvent};

/// Ids that may be registered.
const MOST: usize = 2_000_000;
/// Longest id, in bytes.
const LONGEST_ID: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    phone: PhoneNumber,
    from: DeviceAddress,
    at: u64,
}

#[derive(Debug)]
struct Expectation {
    deadline: u64,
    seen: Option<Seen>,
    /// Whether every arrival up to now could be seen.
    watched: bool,
}

/// The registered ids.
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    ids: BTreeMap<String, Expectation>,
}

/// What the expectations came to.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    pub late: Vec<(DeviceAddress, LateArrival)>,
    pub missing: Vec<Missing>,
    pub undecided: Vec<Missing>,
}

fn arrival(entry: &JournalEntry) -> Option<(&str, Seen)> {
    match &entry.event {
        JournalEvent::Arrived { phone, from, id, .. } => Some((id, Seen { phone: *phone, from: *from, at: entry.at })),
        _ => None,
    }
}

impl Expectations {
    /// Registers deadlines in milliseconds since 1970; an id registered again gets the new one. `kept` gives
    /// the arrivals of an id that the journal still has, `all` says whether it has all there ever were. Returns
    /// how many ids are registered now.
    pub(crate) fn register<'a>(
        &mut self,
        deadlines: BTreeMap<String, u64>,
        kept: impl Fn(&str) -> Vec<&'a JournalEntry>,
        all: bool,
    ) -> Result<usize, SimError> {
        let wrong = |reason| Err(SimError::BadDeadlines { reason });
        let new = deadlines.keys().filter(|id| !self.ids.contains_key(*id)).count();
        if self.ids.len() + new > MOST {
            return wrong("2000000 ids are the most; forget the others first");
        }
        if deadlines.keys().any(|id| id.is_empty() || id.len() > LONGEST_ID) {
            return wrong("an id has 1 to 256 bytes");
        }
        for (id, deadline) in deadlines {
            if let Some(known) = self.ids.get_mut(&id) {
                known.deadline = deadline;
                continue;
            }
            let arrived = kept(&id);
            self.ids.insert(id, Expectation { deadline, seen: None, watched: all });
            for entry in arrived {
                self.note(entry);
            }
        }
        Ok(self.ids.len())
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.ids.clear();
    }

    /// Hears of a new entry.
    pub(crate) fn note(&mut self, entry: &JournalEntry) {
        if self.ids.is_empty() {
            return;
        }
        if let Some((id, seen)) = arrival(entry)
            && let Some(expectation) = self.ids.get_mut(id)
        {
            let first = expectation.seen.get_or_insert(seen);
            if seen.at < first.at {
                *first = seen;
            }
        }
    }

    /// What they came to at `now`.
    pub(crate) fn verdicts(&self, now: u64) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for (id, Expectation { deadline, seen, watched }) in &self.ids {
            let (id, deadline) = (id.clone(), *deadline);
            match seen {
                Some(Seen { phone, from, at }) if *at > deadline => {
                    let late = LateArrival { id, phone: *phone, deadline, arrived_at: *at };
                    verdicts.late.push((*from, late));
                }
                Some(_) => {}
                None => {
                    let missing = Missing { id, deadline, overdue: deadline < now };
                    if *watched { verdicts.missing.push(missing) } else { verdicts.undecided.push(missing) }
                }
            }
        }
        verdicts
    }
}
