//! What may go wrong, each a bounded number of times.

use std::fmt;

use kurir_core::domain::MessageState;

use super::path;
use super::rules::Rules;
use super::state::{JOBS, Link, Phase, State, WORKERS, name, title};
use super::step::{Step, after, allowed, drop_channel, drop_process, later};
use super::variant::Variant;

/// One kind of trouble and whom it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Crash(usize),
    LeaseEnds(usize),
    Duplicate(usize),
    ChannelLost(usize),
    Cut(usize),
    Receipt(usize),
    TimePasses,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Crash(w) => write!(f, "{} is killed and starts again", name(w)),
            Self::LeaseEnds(w) => write!(f, "{}'s lease ends while it lives: it sleeps, or is taken for dead", name(w)),
            Self::Duplicate(j) => write!(f, "{} is published once more", title(j)),
            Self::ChannelLost(w) => write!(f, "the broker takes back what {} holds", name(w)),
            Self::Cut(w) => write!(f, "{}'s connection to WhatsApp is cut", name(w)),
            Self::Receipt(j) => write!(f, "none, the phone confirms {}, and its owner records it", title(j)),
            Self::TimePasses => f.write_str("none, time passes"),
        }
    }
}

/// All the trouble that is left.
pub fn moves(rules: &Rules, state: &State, all: &mut Vec<(Step, State)>) {
    let left = state.left;
    let mut add = |kind, change: &dyn Fn(&mut State)| all.push((Step::Trouble(kind), after(state, change)));
    if let Some(now) = later(state.now).filter(|_| left.ticks > 0) {
        add(Kind::TimePasses, &|s| {
            s.left.ticks -= 1;
            s.now = now;
        });
    }
    for w in 0..WORKERS {
        let me = u8::try_from(w).ok();
        let worker = &state.workers[w];
        if worker.phase == Phase::Idle {
            continue;
        }
        if left.crashes > 0 {
            add(Kind::Crash(w), &|s| {
                s.left.crashes -= 1;
                if s.socket == me {
                    s.socket = None;
                }
                drop_process(s, w);
            });
        }
        if left.leases > 0 && state.lease == me {
            add(Kind::LeaseEnds(w), &|s| {
                s.left.leases -= 1;
                s.lease = None;
            });
        }
        if left.channels > 0 && worker.tasks.iter().flatten().any(|task| task.held) {
            add(Kind::ChannelLost(w), &|s| {
                s.left.channels -= 1;
                drop_channel(s, w);
            });
        }
        if left.cuts > 0 && worker.phase == Phase::Serving && worker.link == Link::Up {
            add(Kind::Cut(w), &|s| {
                s.left.cuts -= 1;
                s.workers[w].link = Link::Cut;
                if s.socket == me {
                    s.socket = None;
                }
            });
        }
    }
    for j in 0..JOBS {
        let outside = &state.jobs[j];
        let published = outside.ready > 0 || outside.parked > 0 || state.store.entries[j].is_some();
        if left.duplicates > 0 && published {
            add(Kind::Duplicate(j), &|s| {
                s.left.duplicates -= 1;
                s.jobs[j].ready += 1;
            });
        }
        if left.receipts > 0 && outside.shown != 0 && state.socket.is_some() {
            add(Kind::Receipt(j), &|s| receipt(rules, s, j));
        }
    }
}

/// The owner of the socket hears that the phone has the message: read, decide and write, as one. What another write
/// could do in between, the version sorts out: the receipt is decided again.
fn receipt(rules: &Rules, state: &mut State, j: usize) {
    state.left.receipts -= 1;
    let Some(w) = state.socket.map(usize::from) else { return };
    let Some(before) = state.store.entries[j] else { return };
    // Repeated, or late.
    let Ok(after) = rules.advance(j, Some(before), MessageState::Delivered, state.now) else { return };
    if !allowed(state, state.workers[w].epoch, rules.variant == Variant::LedgerUnfenced) {
        state.workers[w].lost = true;
        return;
    }
    path::commit(rules, state, j, before.state, after);
}
