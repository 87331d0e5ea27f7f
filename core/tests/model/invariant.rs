//! What must hold, whatever happens.

use std::fmt;

use kurir_core::domain::MessageState;

use super::state::{JOBS, State};

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breach {
    /// The phone shows a job under two message ids.
    ShownTwice,
    /// Two messages were encrypted with one key.
    KeyReused,
    /// The store took a write under an epoch that is over.
    OldEpoch,
    /// An OTP was handed to the client at or after its deadline.
    LateOtp,
    /// An entry was overwritten by a state that may not follow the one it had.
    Overwritten,
    /// The ledger says that a message was not sent, and the phone shows it; or that it was, and WhatsApp never had it.
    Untrue,
    /// A worker wanted a step that the ledger's own rules forbid: it would try again for ever.
    Forbidden,
    /// One fact was told under two event ids, or two facts under one.
    TwoIds,
    /// An event was told of what never came to stand in the ledger.
    Invented,
    /// There is no way left to an end of every job that everybody has heard of.
    NoEnd,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShownTwice => "a message is shown twice",
            Self::KeyReused => "a message key was used twice",
            Self::OldEpoch => "a write was accepted under an old epoch",
            Self::LateOtp => "an OTP was begun after its deadline",
            Self::Overwritten => "an outcome was overwritten",
            Self::Untrue => "the ledger says what is not true",
            Self::Forbidden => "a worker wanted a step that the ledger forbids",
            Self::TwoIds => "an event's id does not stand for one fact",
            Self::Invented => "an event tells of what did not happen",
            Self::NoEnd => "a job is lost, or its end is never told",
        })
    }
}

/// What is wrong with this state.
pub fn broken(state: &State) -> impl Iterator<Item = Breach> {
    let invented = (state.published | state.store.outbox) & !state.owed != 0;
    let jobs = (0..JOBS).filter_map(|job| broken_of(state, job));
    state.breach.into_iter().chain(invented.then_some(Breach::Invented)).chain(jobs)
}

fn broken_of(state: &State, job: usize) -> Option<Breach> {
    let shown = state.jobs[job].shown;
    if shown.count_ones() > 1 {
        return Some(Breach::ShownTwice);
    }
    let told = state.store.entries[job]?.state;
    // All other states claim nothing.
    let untrue = match told {
        MessageState::Sent | MessageState::Delivered | MessageState::Read => shown == 0,
        MessageState::Failed | MessageState::Expired => shown != 0,
        _ => false,
    };
    untrue.then_some(Breach::Untrue)
}

/// Whether all is over: every job that was ever published has ended, nothing waits anywhere, and every fact was told.
pub fn ended(state: &State) -> bool {
    let over = |job: usize| {
        let outside = &state.jobs[job];
        outside.ready + outside.parked == 0
            && state.workers.iter().all(|worker| worker.tasks[job].is_none())
            && state.store.entries[job].is_none_or(|entry| !entry.state.is_open())
    };
    (0..JOBS).all(over) && state.store.outbox == 0 && state.published == state.owed
}
