//! What the simulator kept from a phone, whichever client sent it.

use kurir_sim::{JournalEvent, SimHandle};

/// How many messages went nowhere because one of the two has blocked the other.
pub fn withheld(sim: &SimHandle) -> usize {
    let journal = sim.journal(0, 1000);
    journal.iter().filter(|entry| matches!(entry.event, JournalEvent::Withheld { .. })).count()
}
