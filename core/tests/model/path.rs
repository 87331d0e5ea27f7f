//! The path of one job in a worker's hands, step by step as `workers/src/job` takes it.

use std::fmt;

use kurir_core::domain::{MessageState, Outcome, SendAnswer};

use super::invariant::Breach;
use super::rules::Rules;
use super::state::{At, Ending, Entry, Fate, JOBS, Link, Phase, State, Task};
use super::step::{Step, after, allowed, take_key};
use super::variant::Variant;

/// What a worker does with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Take,
    Decide,
    GiveUpWaiting,
    Encrypt,
    GiveUpSending,
    Write,
    WriteRefused,
    Answer,
    NoAnswer,
    LoseAnswer,
    Publish,
    Settle,
    Acknowledge,
}

impl Move {
    /// Whether it need not happen.
    pub const fn is_trouble(self) -> bool {
        matches!(self, Self::GiveUpWaiting | Self::WriteRefused | Self::LoseAnswer)
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Take => "takes from the queue, and looks up in the ledger,",
            Self::Decide => "decides, and writes down the intent or the end of",
            Self::GiveUpWaiting => "waits no longer for the connection, and puts off",
            Self::Encrypt => "looks at the clock and encrypts",
            Self::GiveUpSending => "drops at its deadline the send of",
            Self::Write => "writes to the socket",
            Self::WriteRefused => "writes to the socket, and WhatsApp refuses,",
            Self::Answer => "hears WhatsApp's answer and writes down the result of",
            Self::NoAnswer => "hears no answer and writes down the result of",
            Self::LoseAnswer => "misses WhatsApp's answer and writes down the result of",
            Self::Publish => "publishes the events of",
            Self::Settle => "settles the delivery of",
            Self::Acknowledge => "acknowledges the original of the parked",
        })
    }
}

/// All that a worker may do next with its jobs.
pub fn moves(rules: &Rules, state: &State, w: usize, all: &mut Vec<(Step, State)>) {
    if state.workers[w].phase != Phase::Serving {
        return;
    }
    for j in 0..JOBS {
        let Some(task) = state.workers[w].tasks[j] else {
            // A second copy beside one in work is put off in the code; here it stays where it is, which is the same.
            if state.jobs[j].ready > 0 && !state.workers[w].lost {
                all.push((Step::Job(w, j, Move::Take), after(state, |s| take(s, w, j))));
            }
            continue;
        };
        let mut add = |what, change: &dyn Fn(&mut Path)| {
            let mut changed = *state;
            let mut path = Path { rules, state: &mut changed, w, j, held: task.held };
            change(&mut path);
            all.push((Step::Job(w, j, what), changed));
        };
        match task.at {
            At::Read(seen) => {
                add(Move::Decide, &|p| p.decide(seen));
                let open = seen.is_none_or(|entry| entry.state.is_open());
                if state.left.waits > 0 && open && state.workers[w].link == Link::Cut {
                    add(Move::GiveUpWaiting, &|p| p.put_off(seen));
                }
            }
            At::Intent { entry, doubt } => add(Move::Encrypt, &|p| p.encrypt(entry, doubt)),
            At::Encrypted { entry, doubt } => {
                add(Move::Write, &|p| p.write(entry, doubt, false));
                if state.left.refusals > 0 && connected(state, w) {
                    add(Move::WriteRefused, &|p| p.write(entry, doubt, true));
                }
                if rules.expired(j, state.now) {
                    add(Move::GiveUpSending, &|p| p.answered(entry, doubt, SendAnswer::Unknown));
                }
            }
            At::OnWire { entry, doubt, fate } => {
                match fate {
                    Fate::Taken => add(Move::Answer, &|p| p.answered(entry, doubt, SendAnswer::Accepted)),
                    Fate::Refused => add(Move::Answer, &|p| p.answered(entry, doubt, SendAnswer::Refused(503))),
                    Fate::Lost => {}
                }
                if fate == Fate::Lost {
                    add(Move::NoAnswer, &|p| p.answered(entry, doubt, SendAnswer::Unknown));
                } else if state.left.answers > 0 {
                    add(Move::LoseAnswer, &|p| {
                        p.state.left.answers -= 1;
                        p.answered(entry, doubt, SendAnswer::Unknown);
                    });
                }
            }
            At::Publish { events, ending } => add(Move::Publish, &|p| p.publish(events, ending)),
            At::Settle(ending) => add(Move::Settle, &|p| p.settle(ending)),
            At::Copied => add(Move::Acknowledge, &|p| p.copied()),
            At::Left => {}
        }
    }
}

/// Whether what the worker writes reaches WhatsApp.
fn connected(state: &State, w: usize) -> bool {
    state.socket.is_some_and(|owner| usize::from(owner) == w)
}

fn take(state: &mut State, w: usize, j: usize) {
    state.jobs[j].ready -= 1;
    let at = At::Read(state.store.entries[j]);
    state.workers[w].tasks[j] = Some(Task { at, held: true });
}

/// A write that the store has accepted: the entry, and with it the events that tell of it.
pub fn commit(rules: &Rules, state: &mut State, j: usize, before: MessageState, entry: Entry) -> u32 {
    let stored = state.store.entries[j];
    let from = stored.map_or(MessageState::Queued, |stored| stored.state);
    if !from.may_become(entry.state) {
        state.breach = Some(Breach::Overwritten);
    }
    let events = rules.events(j, entry, before).unwrap_or_else(|breach| {
        state.breach = Some(breach);
        0
    });
    state.store.entries[j] = Some(Entry { version: stored.map_or(0, |stored| stored.version) + 1, ..entry });
    state.owed |= events;
    if rules.variant != Variant::OutboxApart {
        // An id that is there already is kept as it is.
        state.store.outbox |= events;
    }
    events
}

/// One delivery and the state it changes.
struct Path<'a> {
    rules: &'a Rules,
    state: &'a mut State,
    w: usize,
    j: usize,
    held: bool,
}

/// What a step in the ledger came to.
enum Written {
    Done(Entry, u32),
    /// Nothing was written, and it was seen to.
    Not,
}

impl Path<'_> {
    fn go(&mut self, at: At) {
        self.state.workers[self.w].tasks[self.j] = Some(Task { at, held: self.held });
    }

    fn gone(&mut self) {
        self.state.workers[self.w].tasks[self.j] = None;
    }

    /// `job/step.rs`: the entry's next state, under the epoch and the version.
    fn step(&mut self, seen: Option<Entry>, to: MessageState, unspent: bool) -> Written {
        let mut entry = match self.rules.advance(self.j, seen, to, self.state.now) {
            Ok(entry) => entry,
            Err(breach) => {
                self.state.breach = Some(breach);
                return Written::Not;
            }
        };
        if unspent {
            entry.attempts = entry.attempts.saturating_sub(1);
        }
        let epoch = self.state.workers[self.w].epoch;
        if !allowed(self.state, epoch, self.rules.variant == Variant::LedgerUnfenced) {
            self.state.workers[self.w].lost = true;
            self.go(At::Left);
            return Written::Not;
        }
        let stored = self.state.store.entries[self.j];
        if stored.map_or(0, |stored| stored.version) != entry.version && self.rules.variant != Variant::NoVersion {
            // Read again, decide again.
            self.go(At::Read(stored));
            return Written::Not;
        }
        let before = seen.map_or(MessageState::Queued, |seen| seen.state);
        let events = commit(self.rules, self.state, self.j, before, entry);
        Written::Done(Entry { version: entry.version + 1, ..entry }, events)
    }

    /// `attempt` and `ready` of `job/path.rs`, up to the durable intent.
    fn decide(&mut self, seen: Option<Entry>) {
        if seen.is_some_and(|entry| !entry.state.is_open()) {
            return self.go(At::Settle(Ending::Ack));
        }
        // Put on the wire before, and nobody knows whether it arrived.
        let doubt = seen.filter(|entry| entry.state == MessageState::Sending);
        if self.rules.expired(self.j, self.state.now) {
            let outcome = if doubt.is_some() { Outcome::Uncertain } else { Outcome::Expire };
            return self.conclude(seen, &outcome, false, doubt.is_some());
        }
        if doubt.is_some_and(|entry| !Rules::may_try(entry)) {
            return self.conclude(seen, &Outcome::Uncertain, false, true);
        }
        if self.state.workers[self.w].link == Link::Cut {
            // Waits for it.
            return;
        }
        if self.rules.variant == Variant::NoIntent {
            return match self.rules.advance(self.j, seen, MessageState::Sending, self.state.now) {
                Ok(entry) => self.go(At::Intent { entry, doubt: doubt.is_some() }),
                Err(breach) => self.state.breach = Some(breach),
            };
        }
        if let Written::Done(entry, _) = self.step(seen, MessageState::Sending, false) {
            self.go(At::Intent { entry, doubt: doubt.is_some() });
        }
    }

    /// The connection did not come back while the job could wait for it.
    fn put_off(&mut self, seen: Option<Entry>) {
        self.state.left.waits -= 1;
        let doubt = seen.is_some_and(|entry| entry.state == MessageState::Sending);
        let outcome = match (self.rules.expired(self.j, self.state.now), doubt) {
            (true, true) => Outcome::Uncertain,
            (true, false) => Outcome::Expire,
            (false, _) => Rules::disconnected(self.state.now),
        };
        self.conclude(seen, &outcome, false, doubt);
    }

    /// The last look at the clock, and the message key.
    fn encrypt(&mut self, entry: Entry, doubt: bool) {
        if self.rules.expired(self.j, self.state.now) {
            if self.rules.variant == Variant::NoLastLook {
                self.state.breach = Some(Breach::LateOtp);
            } else {
                let outcome = if doubt { Outcome::Uncertain } else { Outcome::Expire };
                return self.conclude(Some(entry), &outcome, false, doubt);
            }
        }
        if self.state.workers[self.w].link == Link::Cut {
            let outcome = Rules::disconnected(self.state.now);
            return self.conclude(Some(entry), &outcome, false, doubt);
        }
        let Some(key) = take_key(self.rules, self.state, self.w) else {
            self.state.workers[self.w].lost = true;
            return self.go(At::Left);
        };
        let bit = 1_u32.checked_shl(key.into()).expect("few message keys");
        if self.state.used & bit != 0 {
            self.state.breach = Some(Breach::KeyReused);
        }
        self.state.used |= bit;
        self.go(At::Encrypted { entry, doubt });
    }

    fn write(&mut self, entry: Entry, doubt: bool, refused: bool) {
        let fate = match (connected(self.state, self.w), refused) {
            (false, _) => Fate::Lost,
            (true, false) => Fate::Taken,
            (true, true) => Fate::Refused,
        };
        if fate == Fate::Taken {
            self.state.jobs[self.j].shown |= self.rules.message(self.j, entry, self.w);
            if self.rules.variant == Variant::AckBeforePersist {
                self.held = false;
            }
        }
        if fate == Fate::Refused {
            self.state.left.refusals -= 1;
        }
        self.go(At::OnWire { entry, doubt, fate });
    }

    fn answered(&mut self, entry: Entry, doubt: bool, answer: SendAnswer) {
        let outcome = self.rules.verdict(self.j, answer, entry.attempts, self.state.now);
        let no_answer = answer == SendAnswer::Unknown && matches!(outcome, Outcome::RetryAfter(..));
        let doubt = doubt || no_answer;
        self.conclude(Some(entry), &outcome, true, doubt && self.rules.variant != Variant::NoDoubt);
    }

    /// `conclude` of `job/path.rs`: the outcome becomes a state, its event and a settlement.
    fn conclude(&mut self, entry: Option<Entry>, outcome: &Outcome, on_wire: bool, doubt: bool) {
        let wanted = match outcome {
            Outcome::Done(_) => MessageState::Sent,
            Outcome::Fail(_) => MessageState::Failed,
            Outcome::Expire => MessageState::Expired,
            Outcome::Uncertain => MessageState::Uncertain,
            Outcome::ParkUntil(..) | Outcome::RetryAfter(..) => MessageState::Delayed,
            Outcome::Abandon => return self.go(At::Left),
        };
        let too_late = wanted == MessageState::Delayed && self.rules.too_late(self.j, self.state.now);
        let next = match wanted {
            MessageState::Delayed if doubt && !too_late => return self.go(At::Settle(Ending::Park)),
            MessageState::Delayed | MessageState::Failed | MessageState::Expired if doubt => MessageState::Uncertain,
            MessageState::Delayed if too_late => MessageState::Expired,
            next => next,
        };
        let unspent = entry.is_some_and(|entry| entry.state == MessageState::Sending) && !on_wire && !doubt;
        if let Written::Done(_, events) = self.step(entry, next, unspent) {
            let ending = if next == MessageState::Delayed { Ending::Park } else { Ending::Ack };
            self.go(At::Publish { events, ending });
        }
    }

    fn publish(&mut self, events: u32, ending: Ending) {
        self.state.published |= events;
        // Nobody waits for this clean-up in the code; what a crash leaves there is published again under the same id.
        self.state.store.outbox &= !events;
        self.go(At::Settle(ending));
    }

    fn settle(&mut self, ending: Ending) {
        match ending {
            Ending::Ack => self.gone(),
            Ending::Park if self.rules.variant == Variant::AckBeforeCopy => {
                self.held = false;
                self.go(At::Copied);
            }
            Ending::Park => {
                self.state.jobs[self.j].parked += 1;
                self.go(At::Copied);
            }
        }
    }

    fn copied(&mut self) {
        if self.rules.variant == Variant::AckBeforeCopy {
            self.state.jobs[self.j].parked += 1;
        }
        self.gone();
    }
}
