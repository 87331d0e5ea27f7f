//! From entries of the journal to findings.

use std::collections::HashMap;
use std::sync::Arc;

use super::expectations::Verdicts;
use super::{AccountCounts, Arrival, Audit, AuditTotals, KeyReuse, SocketOverlap};
use crate::account::{DeviceAddress, PhoneNumber};
use crate::journal::{JournalEntry, JournalEvent};

/// What is judged.
pub(crate) struct Evidence {
    pub after: u64,
    pub until: u64,
    /// The kept entries after `after`.
    pub entries: Vec<Arc<JournalEntry>>,
    /// Entries after `after` that are no longer kept.
    pub lost: u64,
    pub verdicts: Verdicts,
}

/// A message at a phone, with what makes it a finding.
struct Story {
    arrival: Arrival,
    readable: u32,
    /// The phone knew the id already.
    known: bool,
}

/// Ids are chosen by the senders, so one id of two accounts is two messages. A phone tells them apart
/// by account, too: two devices of one account share their ids.
type Key = (PhoneNumber, PhoneNumber, String);

#[derive(Default)]
struct Stories {
    index: HashMap<Key, usize>,
    told: Vec<Story>,
}

impl Stories {
    fn of(&mut self, phone: PhoneNumber, from: DeviceAddress, id: &str) -> &mut Story {
        let next = self.told.len();
        let index = *self.index.entry((phone, from.account, id.to_owned())).or_insert(next);
        if index == next {
            let arrival =
                Arrival { id: id.to_owned(), phone, from, first_at: None, arrivals: 0, unreadable: 0, shown: 0 };
            self.told.push(Story { arrival, readable: 0, known: false });
        }
        &mut self.told[index]
    }
}

/// Judges a run.
pub(crate) fn judge(evidence: Evidence) -> Audit {
    let Evidence { after, until, entries, lost, verdicts } = evidence;
    let mut audit = Audit {
        after,
        until,
        complete: lost == 0,
        lost_entries: lost,
        clean: false,
        totals: AuditTotals::default(),
        truncated: false,
        arrived: Vec::new(),
        twice_on_wire: Vec::new(),
        shown_twice: Vec::new(),
        late: Vec::new(),
        missing: verdicts.missing,
        undecided: verdicts.undecided,
        keys_used_twice: Vec::new(),
        overlaps: Vec::new(),
        accounts: std::collections::BTreeMap::new(),
    };
    let mut stories = Stories::default();
    for entry in &entries {
        hear(entry, &mut audit, &mut stories);
    }
    for story in stories.told {
        close(story, &mut audit);
    }
    for (from, late) in verdicts.late {
        count(&mut audit, from.account).late += 1;
        audit.late.push(late);
    }
    audit.totals = totals(&audit);
    audit.clean = AuditTotals { arrived: 0, pending: 0, ..audit.totals } == AuditTotals::default();
    audit
}

fn count(audit: &mut Audit, account: PhoneNumber) -> &mut AccountCounts {
    audit.accounts.entry(account).or_default()
}

fn hear(entry: &JournalEntry, audit: &mut Audit, stories: &mut Stories) {
    let (seq, at) = (entry.seq, entry.at);
    match &entry.event {
        JournalEvent::Accepted { from, .. } => count(audit, from.account).accepted += 1,
        JournalEvent::Refused { from, .. } => count(audit, from.account).refused += 1,
        JournalEvent::Connected { device } => count(audit, device.account).logins += 1,
        JournalEvent::Overlap { device } => {
            count(audit, device.account).overlaps += 1;
            audit.overlaps.push(SocketOverlap { seq, at, device: *device });
        }
        JournalEvent::Arrived { phone, from, id, duplicate } => {
            let story = stories.of(*phone, *from, id);
            story.readable += 1;
            story.known |= duplicate;
            story.arrival.arrivals += 1;
            story.arrival.shown += u32::from(!duplicate);
            if !duplicate {
                story.arrival.first_at.get_or_insert(at);
            }
        }
        JournalEvent::Unreadable { phone, from, id, .. } => {
            count(audit, from.account).unreadable += 1;
            let story = stories.of(*phone, *from, id);
            story.arrival.arrivals += 1;
            story.arrival.unreadable += 1;
        }
        JournalEvent::CounterReplayed { phone, from, id, duplicate } => {
            count(audit, from.account).keys_used_twice += 1;
            let story = stories.of(*phone, *from, id);
            story.arrival.arrivals += 1;
            story.known |= duplicate;
            audit.keys_used_twice.push(KeyReuse { seq, at, phone: *phone, from: *from, id: id.clone() });
        }
        _ => {}
    }
}

/// Sorts a message into the lists.
fn close(story: Story, audit: &mut Audit) {
    let Story { arrival, readable, known } = story;
    let twice = readable > 1 || known;
    let counts = count(audit, arrival.from.account);
    counts.arrived += u64::from(readable > 0);
    counts.twice_on_wire += u64::from(twice);
    counts.shown_twice += u64::from(arrival.shown > 1);
    if twice {
        audit.twice_on_wire.push(arrival.clone());
    }
    if arrival.shown > 1 {
        audit.shown_twice.push(arrival.clone());
    }
    if readable > 0 {
        audit.arrived.push(arrival);
    }
}

fn totals(audit: &Audit) -> AuditTotals {
    let overdue = audit.missing.iter().filter(|missing| missing.overdue).count() as u64;
    AuditTotals {
        arrived: audit.arrived.len() as u64,
        twice_on_wire: audit.twice_on_wire.len() as u64,
        shown_twice: audit.shown_twice.len() as u64,
        late: audit.late.len() as u64,
        overdue,
        pending: audit.missing.len() as u64 - overdue,
        undecided: audit.undecided.len() as u64,
        keys_used_twice: audit.keys_used_twice.len() as u64,
        overlaps: audit.overlaps.len() as u64,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
