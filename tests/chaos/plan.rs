//! What happens in a run and when, all of it from the seed.

use std::fmt;
use std::time::Duration;

use kurir_core::memory::{SeededEntropy, SystemEntropy};
use kurir_core::port::Entropy;

/// A run.
pub struct Plan {
    pub seed: u64,
    pub sessions: usize,
    pub workers: usize,
    pub jobs: usize,
    /// Nodes of RabbitMQ.
    pub nodes: usize,
    /// Between two jobs.
    pub every: Duration,
    pub strikes: Vec<Strike>,
}

/// One fault.
#[derive(Clone, Debug)]
pub struct Strike {
    /// After the start of the load.
    pub at: Duration,
    pub fault: Fault,
}

/// What breaks, and for how long.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A worker is killed, and started again after this span.
    Kill { worker: usize, back: Duration },
    /// A worker hangs.
    Freeze { worker: usize, span: Duration },
    /// A worker is stopped as it should be, and started again after this span.
    Stop { worker: usize, back: Duration },
    /// The relay is killed and started again.
    KillRelay,
    /// A worker is cut off from a server.
    Cut { worker: usize, server: Server, span: Duration },
    /// A worker's connections to a server lead nowhere, without a word.
    Swallow { worker: usize, server: Server, span: Duration },
    /// A node of RabbitMQ is killed.
    KillBroker { node: usize, back: Duration },
    /// Redis ends, and comes back empty.
    RestartRedis { back: Duration },
    /// PostgreSQL restarts.
    RestartPostgres { back: Duration },
    /// WhatsApp as a whole is away.
    RestartWhatsApp { back: Duration },
    /// Something at one session's account.
    Account { session: usize, ill: Ill },
}

/// What a worker talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    RabbitMq,
    Redis,
    Postgres,
    WhatsApp,
}

impl Server {
    pub const ALL: [Self; 4] = [Self::RabbitMq, Self::Redis, Self::Postgres, Self::WhatsApp];
}

/// What WhatsApp does to an account.
#[derive(Clone, Copy, Debug)]
pub enum Ill {
    /// The connection ends with this code.
    StreamError(u16),
    /// The connection is cut around one of the next messages.
    CutAtMessage(&'static str),
    /// The connection leads nowhere.
    HalfOpen,
    /// A frame is damaged.
    CorruptFrame,
    /// Messages get no answer; whether the phone gets them.
    NoAnswer { deliver: bool },
    /// Answers come late.
    SlowAnswer,
    /// Answers come twice.
    TwoAnswers,
    /// Messages are refused with this code.
    Refused(u16),
    /// The account is banned for a while.
    Banned,
    /// Receipts are lost.
    NoReceipts,
}

const ILLS: [Ill; 16] = [
    Ill::StreamError(503),
    Ill::StreamError(515),
    Ill::StreamError(429),
    Ill::CutAtMessage("before"),
    Ill::CutAtMessage("during"),
    Ill::CutAtMessage("after"),
    Ill::HalfOpen,
    Ill::CorruptFrame,
    Ill::NoAnswer { deliver: true },
    Ill::NoAnswer { deliver: false },
    Ill::SlowAnswer,
    Ill::TwoAnswers,
    Ill::Refused(429),
    Ill::Refused(479),
    Ill::Banned,
    Ill::NoReceipts,
];

/// Numbers that are the same for the same seed.
pub struct Dice(SeededEntropy);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// From `0` to below `end`.
    pub fn below(&self, end: usize) -> usize {
        let drawn = self.0.nonce() % u128::try_from(end.max(1)).unwrap();
        usize::try_from(drawn).unwrap()
    }

    fn seconds(&self, from: usize, to: usize) -> Duration {
        Duration::from_millis(u64::try_from(from * 1000 + self.below((to - from) * 1000)).unwrap())
    }
}

fn setting(name: &str, default: usize) -> usize {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text:?}: a number is wanted"))
}

impl Plan {
    /// The run that `KURIR_CHAOS_*` ask for; a new seed when none is given.
    pub fn of_environment() -> Self {
        let fresh = usize::try_from(SystemEntropy.nonce() % 1_000_000_000).unwrap();
        let seed = u64::try_from(setting("KURIR_CHAOS_SEED", fresh)).unwrap();
        let small = match std::env::var("KURIR_CHAOS_SIZE").as_deref() {
            Ok("small") => true,
            Ok("full") | Err(_) => false,
            Ok(other) => panic!("KURIR_CHAOS_SIZE={other:?}: small or full is wanted"),
        };
        let setting = |name: &str, whole: usize, part: usize| setting(name, if small { part } else { whole });
        let jobs = setting("KURIR_CHAOS_JOBS", 10_000, 2500);
        let every = Duration::from_millis(u64::try_from(setting("KURIR_CHAOS_EVERY_MS", 60, 60)).unwrap());
        let mut plan = Self {
            seed,
            sessions: setting("KURIR_CHAOS_SESSIONS", 40, 16),
            workers: setting("KURIR_CHAOS_WORKERS", 4, 3),
            jobs,
            nodes: setting("KURIR_CHAOS_NODES", 3, 1),
            every,
            strikes: Vec::new(),
        };
        let freeze = setting("KURIR_CHAOS_FREEZE_SECS", 30, 12);
        let count = setting("KURIR_CHAOS_FAULTS", 100, 30);
        let dice = Dice::new(seed);
        let span = every * u32::try_from(jobs).unwrap();
        let begin = Duration::from_secs(3);
        for at in 0..count {
            // Spread evenly, each somewhere in its own part of the time.
            let part = span / u32::try_from(count).unwrap();
            let within = part.mul_f64(f64::from(u32::try_from(dice.below(1000)).unwrap()) / 1000.0);
            let at = begin + part * u32::try_from(at).unwrap() + within;
            plan.strikes.push(Strike { at, fault: plan.fault(&dice, freeze) });
        }
        plan
    }

    fn fault(&self, dice: &Dice, freeze: usize) -> Fault {
        let worker = dice.below(self.workers);
        let server = Server::ALL[dice.below(4)];
        match dice.below(100) {
            0..15 => Fault::Kill { worker, back: dice.seconds(1, 6) },
            15..22 => Fault::Freeze { worker, span: Duration::from_secs(u64::try_from(freeze).unwrap()) },
            22..30 => Fault::Stop { worker, back: dice.seconds(0, 3) },
            30..33 => Fault::KillRelay,
            33..45 => Fault::Cut { worker, server, span: dice.seconds(0, 8) },
            45..52 => Fault::Swallow { worker, server, span: dice.seconds(1, 10) },
            52..56 => Fault::KillBroker { node: dice.below(self.nodes), back: dice.seconds(0, 4) },
            56..59 => Fault::RestartRedis { back: dice.seconds(0, 4) },
            59..62 => Fault::RestartPostgres { back: dice.seconds(0, 3) },
            62..65 => Fault::RestartWhatsApp { back: dice.seconds(0, 3) },
            _ => Fault::Account { session: dice.below(self.sessions), ill: ILLS[dice.below(ILLS.len())] },
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, sessions, workers, jobs, nodes, every, strikes } = self;
        let faults = strikes.len();
        write!(
            f,
            "seed {seed}: {jobs} jobs, one each {} ms, {faults} faults, {sessions} sessions, {workers} workers, {nodes} nodes",
            every.as_millis()
        )
    }
}
