//! The truth keeper: what a run of messages came to, judged from the journal.
//!
//! A tester notes the journal's position, registers by when which ids should arrive, lets its clients
//! work, and asks. Nothing here believes a client: what counts is what reached the phones.

mod expectations;
mod judge;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::account::{DeviceAddress, PhoneNumber};
use crate::world::World;

pub(crate) use expectations::Expectations;
pub(crate) use judge::Evidence;

/// One message id at one phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Arrival {
    /// The message id.
    pub id: String,
    /// The phone it reached.
    pub phone: PhoneNumber,
    /// The device that sent it first.
    pub from: DeviceAddress,
    /// When it first arrived and could be read, in milliseconds since 1970; absent if that was before
    /// the run, or if it never could be read.
    pub first_at: Option<u64>,
    /// How often it arrived in the run, readable or not.
    pub arrivals: u32,
    /// How often it could not be read, so that the phone asked for it again.
    pub unreadable: u32,
    /// How often the phone showed it in the run.
    pub shown: u32,
}

/// A message that arrived after its deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LateArrival {
    /// The message id.
    pub id: String,
    /// The phone it reached.
    pub phone: PhoneNumber,
    /// The deadline, in milliseconds since 1970.
    pub deadline: u64,
    /// When it first arrived, in milliseconds since 1970.
    pub arrived_at: u64,
}

/// A message that was expected and did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Missing {
    /// The message id.
    pub id: String,
    /// The deadline, in milliseconds since 1970.
    pub deadline: u64,
    /// Whether the deadline is over.
    pub overdue: bool,
}

/// A message key that was used twice: two ciphertexts with the same counter of the same chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeyReuse {
    /// Where it is in the journal.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The phone that noticed.
    pub phone: PhoneNumber,
    /// The device that used the key again.
    pub from: DeviceAddress,
    /// The id of the message that used it again.
    pub id: String,
}

/// A device that had two open connections at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SocketOverlap {
    /// Where it is in the journal.
    pub seq: u64,
    /// When the second one came, in milliseconds since 1970.
    pub at: u64,
    /// The device.
    pub device: DeviceAddress,
}

/// What an account's devices did in the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AccountCounts {
    /// Messages handed in and taken.
    pub accepted: u64,
    /// Messages answered with an error or not at all.
    pub refused: u64,
    /// Different messages that arrived at phones and could be read.
    pub arrived: u64,
    /// Of these, how many arrived more than once.
    pub twice_on_wire: u64,
    /// Of these, how many were shown more than once.
    pub shown_twice: u64,
    /// Of these, how many were late.
    pub late: u64,
    /// Arrivals that could not be read.
    pub unreadable: u64,
    /// Message keys used twice.
    pub keys_used_twice: u64,
    /// Logins.
    pub logins: u64,
    /// Times that a device had two connections at once.
    pub overlaps: u64,
}

/// How many there are of each, also where a list was shortened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AuditTotals {
    /// Messages that arrived and could be read.
    pub arrived: u64,
    /// See [`Audit::twice_on_wire`].
    pub twice_on_wire: u64,
    /// See [`Audit::shown_twice`].
    pub shown_twice: u64,
    /// See [`Audit::late`].
    pub late: u64,
    /// Of [`Audit::missing`] those whose deadline is over.
    pub overdue: u64,
    /// Of [`Audit::missing`] those whose deadline is still to come.
    pub pending: u64,
    /// See [`Audit::undecided`].
    pub undecided: u64,
    /// See [`Audit::keys_used_twice`].
    pub keys_used_twice: u64,
    /// See [`Audit::overlaps`].
    pub overlaps: u64,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Audit {
    /// The journal's position after which the run began.
    pub after: u64,
    /// The journal's last position when it was judged.
    pub until: u64,
    /// Whether the journal still had every entry of the run. If not, arrivals that are no longer kept
    /// are missing from the lists and counts; what is listed is true all the same, and no registered id is
    /// called missing that may have arrived.
    pub complete: bool,
    /// Entries of the run that are no longer kept.
    pub lost_entries: u64,
    /// Whether nothing is wrong: nothing twice, late, overdue or undecided, no key used twice, no overlap.
    pub clean: bool,
    /// How many there are of each.
    pub totals: AuditTotals,
    /// Whether lists were shortened.
    pub truncated: bool,
    /// What arrived and could be read, in order of first arrival in the run.
    pub arrived: Vec<Arrival>,
    /// What arrived more than once as readable ciphertext, within the run or before it.
    pub twice_on_wire: Vec<Arrival>,
    /// What a phone showed more than once under one id, as one does that was set up anew in between.
    pub shown_twice: Vec<Arrival>,
    /// What arrived after its registered deadline.
    pub late: Vec<LateArrival>,
    /// What was registered and did not arrive.
    pub missing: Vec<Missing>,
    /// What was registered only after the journal had dropped entries, and was not seen since: it may have
    /// arrived before.
    pub undecided: Vec<Missing>,
    /// Message keys that were used twice.
    pub keys_used_twice: Vec<KeyReuse>,
    /// Two sockets of one device.
    pub overlaps: Vec<SocketOverlap>,
    /// By the account whose devices did it.
    pub accounts: BTreeMap<PhoneNumber, AccountCounts>,
}

/// Judges what happened after journal position `after`. With a full journal this takes seconds of work.
pub(crate) fn of(world: &World, after: u64) -> Audit {
    judge::judge(world.journal.evidence(after, world.now_millis()))
}

impl Audit {
    /// Shortens each list to `limit` entries; the totals stay.
    pub(crate) fn shorten(&mut self, limit: usize) {
        fn cut<T>(list: &mut Vec<T>, limit: usize) -> bool {
            let longer = list.len() > limit;
            list.truncate(limit);
            longer
        }
        self.truncated = [
            cut(&mut self.arrived, limit),
            cut(&mut self.twice_on_wire, limit),
            cut(&mut self.shown_twice, limit),
            cut(&mut self.late, limit),
            cut(&mut self.missing, limit),
            cut(&mut self.undecided, limit),
            cut(&mut self.keys_used_twice, limit),
            cut(&mut self.overlaps, limit),
        ]
        .contains(&true);
    }
}
