//! kurir's own rules, asked by the model: it keeps entries in a few bytes, and makes real ones of them for every
//! decision that the domain and the policies take.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kurir_core::domain::{
    Content, EventId, EventKind, FailReason, Job, JobId, Lane, LedgerEntry, MessageId, MessageState, Outcome,
    PhoneNumber, Secret, SendAnswer, SessionId, Target, TenantId, Timestamp,
};
use kurir_core::policy::{AttemptRule, Backoff, verdict};
use kurir_core::wire::MessageDataV1;
use uuid::Uuid;

use super::invariant::Breach;
use super::state::{Entry, JOBS, OTP, Time};
use super::variant::Variant;

const DEADLINE: Timestamp = Timestamp::from_millis(10_000);
const PAUSE: Duration = Duration::from_secs(1);

/// How often a job may be put on the wire here.
const ATTEMPTS: u32 = 2;

/// A fact: a job came to stand in a state. It may be delayed more than once, so the version tells these apart.
type Fact = (usize, EventKind, u64);

/// Numbers for what has long names.
#[derive(Default)]
struct Names {
    messages: Vec<MessageId>,
    events: Vec<EventId>,
    facts: HashMap<Fact, EventId>,
    told: HashMap<EventId, Fact>,
    /// Making an event takes long, and the same ones are asked for again and again.
    known: HashMap<(usize, Entry, MessageState), Result<u32, Breach>>,
}

/// The rules of one protocol.
pub struct Rules {
    pub variant: Variant,
    only: Option<Breach>,
    session: SessionId,
    jobs: Vec<Job>,
    fresh: Vec<LedgerEntry>,
    names: RefCell<Names>,
}

impl Rules {
    /// Of this protocol; `only`: looks for this damage and for no other.
    pub fn new(variant: Variant, only: Option<Breach>) -> Self {
        let session = SessionId::new("s1").expect("a name");
        let tenant = TenantId::new("acme").expect("a name");
        let job = |number: usize| Job {
            id: JobId::new(Uuid::from_u128(number as u128 + 1)),
            tenant: tenant.clone(),
            target: Target::Session(session.clone()),
            to: PhoneNumber::parse("+6281234567890", None).expect("a number").into(),
            lane: if number == OTP { Lane::Otp } else { Lane::Bulk },
            content: Content::Text(Secret::new("hello".to_owned())),
            reply_to: None,
            expires_at: (number == OTP).then_some(DEADLINE),
            enqueued_at: None,
            metadata: BTreeMap::new(),
        };
        let jobs: Vec<Job> = (0..JOBS).map(job).collect();
        let fresh = jobs.iter().map(|job| LedgerEntry::new(job, moment(Time::Early))).collect();
        Self { variant, only, session, jobs, fresh, names: RefCell::default() }
    }

    /// Whether this breach counts.
    pub fn minds(&self, breach: Breach) -> bool {
        self.only.is_none_or(|only| only == breach)
    }

    /// Whether the job's deadline has passed.
    pub fn expired(&self, job: usize, now: Time) -> bool {
        self.jobs[job].expired(moment(now))
    }

    /// Whether something that waits for a pause would come too late.
    pub fn too_late(&self, job: usize, now: Time) -> bool {
        self.jobs[job].expired(moment(now).plus(PAUSE))
    }

    /// Whether an entry may be put on the wire once more.
    pub fn may_try(entry: Entry) -> bool {
        u32::from(entry.attempts) < ATTEMPTS
    }

    /// The entry after a step to `to`; `seen` is `None` where the ledger had none.
    pub fn advance(&self, job: usize, seen: Option<Entry>, to: MessageState, now: Time) -> Result<Entry, Breach> {
        let before = self.real(job, seen);
        let after = before.advance(to, moment(now)).map_err(|_| Breach::Forbidden)?;
        Ok(Entry {
            version: u8::try_from(after.version).expect("few writes"),
            state: after.state,
            attempts: u8::try_from(after.attempts).expect("few attempts"),
        })
    }

    /// The id under which an attempt goes out, as a bit.
    pub fn message(&self, job: usize, attempt: Entry, worker: usize) -> u16 {
        let id = if self.variant == Variant::OwnMessageId {
            MessageId::from_wire(format!("{job}/{}/{worker}", attempt.attempts))
        } else {
            self.real(job, Some(attempt)).message_id
        };
        let messages = &mut self.names.borrow_mut().messages;
        1 << number(messages, &id)
    }

    /// The events of a write, as bits. `entry` carries the version that it was made from.
    pub fn events(&self, job: usize, entry: Entry, before: MessageState) -> Result<u32, Breach> {
        let mut names = self.names.borrow_mut();
        if let Some(known) = names.known.get(&(job, entry, before)) {
            return *known;
        }
        let bits = self.name_events(&mut names, job, entry, before);
        names.known.insert((job, entry, before), bits);
        bits
    }

    fn name_events(&self, names: &mut Names, job: usize, entry: Entry, before: MessageState) -> Result<u32, Breach> {
        let real = self.real(job, Some(entry));
        let mut bits = 0;
        for event in MessageDataV1::events(&real, before, Some(&self.session), moment(Time::Early)) {
            let version = if event.kind == EventKind::MessageDelayed { real.version } else { 0 };
            let fact = (job, event.kind, version);
            let id = if self.variant == Variant::EventIdByAttempt {
                EventId::of_job(&real.key, event.kind, real.attempts)
            } else {
                event.id
            };
            if *names.facts.entry(fact).or_insert(id) != id || *names.told.entry(id).or_insert(fact) != fact {
                return Err(Breach::TwoIds);
            }
            bits |= bit(number(&mut names.events, &id));
        }
        Ok(bits)
    }

    /// What becomes of a job after an answer.
    pub fn verdict(&self, job: usize, answer: SendAnswer, attempts: u8, now: Time) -> Outcome {
        let rule = AttemptRule { attempts: ATTEMPTS, backoff: Backoff { base: PAUSE, max: PAUSE } };
        verdict(answer, attempts.into(), rule, self.jobs[job].expires_at, moment(now), 1.0, None)
    }

    /// What becomes of a job that met no connection.
    pub fn disconnected(now: Time) -> Outcome {
        Outcome::ParkUntil(moment(now).plus(PAUSE), FailReason::SenderDisconnected)
    }

    fn real(&self, job: usize, entry: Option<Entry>) -> LedgerEntry {
        let mut real = self.fresh[job].clone();
        if let Some(Entry { version, state, attempts }) = entry {
            real.version = version.into();
            real.state = state;
            real.attempts = attempts.into();
            real.session = Some(self.session.clone());
        }
        real
    }
}

fn number<T: PartialEq + Clone>(names: &mut Vec<T>, name: &T) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.clone());
        names.len() - 1
    })
}

fn bit(number: usize) -> u32 {
    u32::try_from(number).ok().and_then(|number| 1_u32.checked_shl(number)).expect("few events")
}

/// A wall clock that shows three moments.
const fn moment(now: Time) -> Timestamp {
    match now {
        Time::Early => Timestamp::from_millis(0),
        Time::Near => Timestamp::from_millis(9500),
        Time::Late => DEADLINE,
    }
}
