//! All that can happen next: what workers, relay and broker do by themselves, and trouble.

use std::fmt;

use kurir_core::domain::Epoch;

use super::path;
use super::rules::Rules;
use super::state::{At, Keys, Link, Phase, State, Time, WORKERS, Worker, name, title};
use super::trouble;
use super::variant::Variant;

/// What a message key reservation covers.
const RESERVATION: u8 = 2;

/// One thing that happens. Workers and jobs by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Acquire(usize),
    Claim(usize),
    Connect(usize),
    Reconnect(usize),
    LetGo(usize),
    DeadLeaseEnds,
    Job(usize, usize, path::Move),
    Return(usize),
    Sweep,
    Trouble(trouble::Kind),
}

impl Step {
    /// Whether it need not happen.
    pub const fn is_trouble(self) -> bool {
        match self {
            Self::Trouble(_) => true,
            Self::Job(_, _, what) => what.is_trouble(),
            _ => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Acquire(w) => write!(f, "{} gets the lease", name(w)),
            Self::Claim(w) => write!(f, "{} mints its epoch", name(w)),
            Self::Connect(w) => write!(f, "{} reads the message keys and connects", name(w)),
            Self::Reconnect(w) => write!(f, "{}'s client connects again", name(w)),
            Self::LetGo(w) => write!(f, "{} finds the session lost and lets go of it", name(w)),
            Self::DeadLeaseEnds => f.write_str("the lease of a dead process runs out"),
            Self::Job(w, j, what) => write!(f, "{} {} {}", name(w), what, title(j)),
            Self::Return(j) => write!(f, "the delay of {} is over", title(j)),
            Self::Sweep => f.write_str("the relay publishes what stands in the outbox"),
            Self::Trouble(kind) => write!(f, "trouble: {kind}"),
        }
    }
}

/// All states that may follow, with the step that leads there.
pub fn next(rules: &Rules, state: &State) -> Vec<(Step, State)> {
    let mut all = Vec::new();
    for w in 0..WORKERS {
        own(rules, state, w, &mut all);
        path::moves(rules, state, w, &mut all);
    }
    let mut add = |step, change: &dyn Fn(&mut State)| all.push((step, after(state, change)));
    if state.lease.is_some_and(|w| state.workers[usize::from(w)].phase == Phase::Idle) {
        add(Step::DeadLeaseEnds, &|s| s.lease = None);
    }
    for j in 0..state.jobs.len() {
        if state.jobs[j].parked > 0 {
            add(Step::Return(j), &|s| {
                s.jobs[j].parked -= 1;
                s.jobs[j].ready += 1;
            });
        }
    }
    // What its worker is about to publish it publishes under the same ids, so this order is as good as any.
    if state.store.outbox & !in_hand(state) != 0 {
        add(Step::Sweep, &|s| {
            let swept = s.store.outbox & !in_hand(s);
            s.published |= swept;
            s.store.outbox &= !swept;
        });
    }
    trouble::moves(rules, state, &mut all);
    all
}

/// The events that workers are publishing.
fn in_hand(state: &State) -> u32 {
    let tasks = state.workers.iter().flat_map(|worker| worker.tasks.iter().flatten());
    tasks.fold(0, |all, task| if let At::Publish { events, .. } = task.at { all | events } else { all })
}

/// A copy with a change.
pub fn after(state: &State, change: impl FnOnce(&mut State)) -> State {
    let mut state = *state;
    change(&mut state);
    state
}

/// From the lease to the connection, and back.
fn own(rules: &Rules, state: &State, w: usize, all: &mut Vec<(Step, State)>) {
    let worker = &state.workers[w];
    let me = u8::try_from(w).expect("few workers");
    let mut add = |step, change: &dyn Fn(&mut State)| all.push((step, after(state, change)));
    match worker.phase {
        Phase::Idle => {
            // Who is the first of two equals does not matter: A.
            let first = state.store.epoch == Epoch(0) && state.workers[0].phase == Phase::Idle;
            if state.lease.is_none() && (w == 0 || !first) {
                add(Step::Acquire(w), &|s| {
                    s.lease = Some(me);
                    s.workers[w].phase = Phase::Leased;
                    if rules.variant == Variant::KeysBeforeEpoch {
                        read_keys(s, w);
                    }
                });
            }
            return;
        }
        // The code does not ask for the lease again before it claims, nor must it.
        Phase::Leased => add(Step::Claim(w), &|s| {
            s.store.epoch = Epoch(s.store.epoch.0 + 1);
            s.workers[w].epoch = s.store.epoch;
            s.workers[w].phase = Phase::Claimed;
        }),
        Phase::Claimed => add(Step::Connect(w), &|s| {
            if rules.variant != Variant::KeysBeforeEpoch {
                read_keys(s, w);
            }
            s.workers[w].phase = Phase::Serving;
            s.workers[w].link = Link::Up;
            s.socket = Some(me);
        }),
        Phase::Serving => {
            if worker.link == Link::Cut && !worker.lost {
                add(Step::Reconnect(w), &|s| {
                    s.workers[w].link = Link::Up;
                    s.socket = Some(me);
                });
            }
        }
    }
    let replaced = worker.phase == Phase::Serving && worker.link == Link::Up && state.socket != Some(me);
    if worker.lost || state.lease != Some(me) || replaced {
        add(Step::LetGo(w), &|s| end(s, w));
    }
}

fn read_keys(state: &mut State, w: usize) {
    state.workers[w].keys = Keys { next: state.store.reserved, end: state.store.reserved };
}

/// The worker's part in the session is over: socket, channel and lease are gone. What it held is delivered again.
fn end(state: &mut State, w: usize) {
    let me = u8::try_from(w).expect("few workers");
    if state.socket == Some(me) {
        state.socket = None;
    }
    if state.lease == Some(me) {
        state.lease = None;
    }
    drop_process(state, w);
}

/// All that stood in the worker's memory is gone, and the broker takes back what was not settled.
pub fn drop_process(state: &mut State, w: usize) {
    drop_channel(state, w);
    state.workers[w] = Worker::FRESH;
}

/// The broker takes back what the worker holds. The worker goes on with it and does not know.
pub fn drop_channel(state: &mut State, w: usize) {
    for (job, task) in state.workers[w].tasks.iter_mut().enumerate() {
        if let Some(task) = task.as_mut().filter(|task| task.held) {
            task.held = false;
            state.jobs[job].ready += 1;
        }
    }
}

/// Takes the next message key, reserving more where none is left. `None`: the epoch is over, and nothing was written.
pub fn take_key(rules: &Rules, state: &mut State, w: usize) -> Option<u8> {
    let Worker { keys, epoch, .. } = state.workers[w];
    if keys.next == keys.end {
        let end = keys.next + RESERVATION;
        if !allowed(state, epoch, rules.variant == Variant::SignalUnfenced) {
            return None;
        }
        state.store.reserved = end;
        state.workers[w].keys.end = end;
    }
    state.workers[w].keys.next += 1;
    Some(keys.next)
}

/// Whether the store takes a write under `epoch`; `unfenced` stores do not ask.
pub fn allowed(state: &mut State, epoch: Epoch, unfenced: bool) -> bool {
    let current = epoch == state.store.epoch;
    if !current && unfenced {
        state.breach = Some(super::invariant::Breach::OldEpoch);
    }
    current || unfenced
}

/// Time goes on.
pub const fn later(now: Time) -> Option<Time> {
    match now {
        Time::Early => Some(Time::Near),
        Time::Near => Some(Time::Late),
        Time::Late => None,
    }
}
