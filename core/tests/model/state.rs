//! Everything that there is in the model, small enough to be kept by the million.

use std::fmt;

use kurir_core::domain::{Epoch, MessageState};

use super::invariant::Breach;

/// Job 0 is an OTP with a deadline, job 1 a bulk job without. Both go to one recipient, so they share its Signal
/// session.
pub const JOBS: usize = 2;
pub const OTP: usize = 0;

/// Workers A and B; both would like to hold the one session that there is.
pub const WORKERS: usize = 2;

/// Seen from the OTP's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Time {
    /// There is time for another attempt.
    Early,
    /// A pause would end behind the deadline.
    Near,
    /// It has passed.
    Late,
}

/// A ledger entry as far as the protocol goes; `rules` makes a real one of it and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub version: u8,
    pub state: MessageState,
    pub attempts: u8,
}

/// What is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub epoch: Epoch,
    /// The next message key that nobody has reserved.
    pub reserved: u8,
    pub entries: [Option<Entry>; JOBS],
    /// Events that wait, one bit each.
    pub outbox: u32,
}

/// One job outside of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Outside {
    /// Copies in its queue.
    pub ready: u8,
    /// Copies in the delay queues.
    pub parked: u8,
    /// The message ids under which the phone has it, one bit each: it shows each once.
    pub shown: u16,
}

/// How far a worker is on its way to serve the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Idle,
    /// Has got the lease.
    Leased,
    /// Has minted its epoch.
    Claimed,
    /// Has connected, and takes jobs.
    Serving,
}

/// The connection as its worker knows it. WhatsApp may have closed it long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    Up,
    /// Known to be down; the client is about to connect again.
    Cut,
}

/// Message keys in a worker's memory: it may use those from `next` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keys {
    pub next: u8,
    pub end: u8,
}

/// What the worker makes of a delivery once the ledger is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    Ack,
    Park,
}

/// Where one delivery is on the path of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// The ledger said this.
    Read(Option<Entry>),
    /// The intent is durable; `doubt`: an earlier attempt may have arrived.
    Intent { entry: Entry, doubt: bool },
    /// A message key was spent on it, and the deadline was not over.
    Encrypted { entry: Entry, doubt: bool },
    /// Written to the socket. What WhatsApp made of it is not known to the worker yet.
    OnWire { entry: Entry, doubt: bool, fate: Fate },
    /// The ledger is written; these events are to be confirmed before the delivery is settled.
    Publish { events: u32, ending: Ending },
    /// Nothing is left but to settle it.
    Settle(Ending),
    /// The parked copy is confirmed, the original not acknowledged.
    Copied,
    /// Left to the broker, which delivers it again once the channel is gone.
    Left,
}

/// What became of bytes written to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Taken,
    Refused,
    /// The socket had been closed at the other end.
    Lost,
}

/// A delivery in a worker's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    pub at: At,
    /// Whether the broker still waits for this very delivery to be settled. The worker does not know.
    pub held: bool,
}

/// A worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Worker {
    pub phase: Phase,
    pub epoch: Epoch,
    pub link: Link,
    /// A write was refused because of its epoch: it is about to let go.
    pub lost: bool,
    pub keys: Keys,
    pub tasks: [Option<Task>; JOBS],
}

impl Worker {
    /// A process that has just started.
    pub const FRESH: Self = Self {
        phase: Phase::Idle,
        epoch: Epoch(0),
        link: Link::Cut,
        lost: false,
        keys: Keys { next: 0, end: 0 },
        tasks: [None; JOBS],
    };
}

/// How often each kind of trouble may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Trouble {
    pub crashes: u8,
    /// A lease ends although its holder lives: it sleeps, it is cut off, Redis forgot, or somebody took over early.
    pub leases: u8,
    pub duplicates: u8,
    /// The broker gives up a worker's channel and delivers again.
    pub channels: u8,
    /// WhatsApp's connection is cut.
    pub cuts: u8,
    /// WhatsApp has taken a message, and its answer is lost.
    pub answers: u8,
    /// WhatsApp refuses a message for now.
    pub refusals: u8,
    /// A job is put off because the connection did not come back in time.
    pub waits: u8,
    /// Steps that the time takes towards the deadline and beyond.
    pub ticks: u8,
    /// A receipt from the phone.
    pub receipts: u8,
}

/// One state of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub now: Time,
    pub store: Store,
    /// Who holds the lease by Redis's word.
    pub lease: Option<u8>,
    pub jobs: [Outside; JOBS],
    /// Whose connection WhatsApp regards as the session's.
    pub socket: Option<u8>,
    pub workers: [Worker; WORKERS],
    /// Events that the broker has confirmed.
    pub published: u32,
    /// Events that the ledger's writes owe.
    pub owed: u32,
    /// Message keys that were used.
    pub used: u32,
    pub left: Trouble,
    /// What the last step broke.
    pub breach: Option<Breach>,
}

impl State {
    /// `jobs` jobs have been published, nobody has looked at them.
    pub fn first(jobs: usize, left: Trouble) -> Self {
        let mut outside = [Outside::default(); JOBS];
        for job in outside.iter_mut().take(jobs) {
            job.ready = 1;
        }
        Self {
            now: Time::Early,
            store: Store { epoch: Epoch(0), reserved: 0, entries: [None; JOBS], outbox: 0 },
            lease: None,
            jobs: outside,
            socket: None,
            workers: [Worker::FRESH; WORKERS],
            published: 0,
            owed: 0,
            used: 0,
            left,
            breach: None,
        }
    }
}

/// What a worker is called.
pub fn name(worker: usize) -> char {
    if worker == 0 { 'A' } else { 'B' }
}

/// What a job is called.
pub fn title(job: usize) -> &'static str {
    if job == OTP { "otp" } else { "bulk" }
}

impl fmt::Display for State {
    /// One line for a trace: what is durable, who holds what, what the phone shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder = |worker: Option<u8>| worker.map_or('-', |worker| name(worker.into()));
        write!(f, "epoch {} lease {} socket {}", self.store.epoch, holder(self.lease), holder(self.socket))?;
        for (job, outside) in self.jobs.iter().enumerate() {
            match self.store.entries[job] {
                Some(entry) => write!(f, " | {} {} v{}", title(job), entry.state, entry.version)?,
                None if outside.ready + outside.parked == 0 && !self.workers.iter().any(|w| w.tasks[job].is_some()) => {
                    continue;
                }
                None => write!(f, " | {} unknown", title(job))?,
            }
            write!(f, ", {}+{} queued, shown {}", outside.ready, outside.parked, outside.shown.count_ones())?;
        }
        Ok(())
    }
}
