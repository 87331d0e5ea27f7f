//! What a sender has spent of its day, what is left, and what holds it back now.

use std::collections::BTreeSet;

use kurir_core::domain::{DayCount, FailReason, Rest, SessionRecord, SessionState, Timestamp, Wanted, WorkerName};
use kurir_core::policy::{DayLeft, PaceRule, SenderRules, Zone};
use kurir_core::port::Beat;

use super::{UseCaseError, UseCases};

/// A sender's day, as its owner saved it with the last intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderDay {
    /// In which time zone its days are.
    pub zone: Zone,
    /// When its next day begins.
    pub next_day: Timestamp,
    /// Since when it has its number; `None` before it is linked.
    pub linked: Option<Timestamp>,
    /// What it has sent today.
    pub spent: DayCount,
    /// What is left of today.
    pub left: DayLeft,
    /// Which day of its number's warm-up it is, from 1; `None` when the warm-up does not bound today's cap.
    pub warm_up: Option<u32>,
    /// Its rest, if it goes on.
    pub rest: Option<Rest>,
}

impl SenderDay {
    /// Of a session, at a moment.
    pub fn of(rules: &SenderRules, record: &SessionRecord, now: Timestamp) -> Self {
        let budget = rules.budget(record);
        let linked = SenderRules::linked(record);
        let warms_up = budget.cap(now).is_some_and(|(_, reason)| reason == FailReason::SenderWarmingUp);
        Self {
            zone: budget.zone(),
            next_day: budget.zone().next_day(now),
            linked,
            spent: budget.today(now),
            left: budget.left(now),
            warm_up: (warms_up && linked.is_some()).then(|| budget.age(now).saturating_add(1)),
            rest: record.resting().filter(|rest| rest.until > now),
        }
    }
}

/// Something that holds a session back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is on its way out.
    Deleted,
    /// It is being logged out.
    LoggingOut,
    /// Somebody stopped it.
    Stopped,
    /// No living worker has it.
    NoWorker,
    /// Its worker has not connected it yet.
    Starting,
    /// A code waits to be scanned.
    AwaitsScan,
    /// Nobody scanned the codes; somebody has to ask for new ones.
    NotScanned,
    /// It was logged out; it has to be linked anew.
    LoggedOut,
    /// The connection is being made.
    Connecting,
    /// WhatsApp bans the account, until then as far as it is known.
    Banned(Option<Timestamp>),
    /// WhatsApp refuses this version of the client.
    Outdated,
    /// WhatsApp demands a rest.
    Rests(Rest),
    /// The day's cap is reached; with the day of the warm-up that set it.
    DayOver {
        /// When the next day begins.
        until: Timestamp,
        /// Which day of the warm-up it is.
        warm_up: Option<u32>,
    },
    /// Bulk jobs have used their share of the day.
    BulkOver(Timestamp),
    /// It may write to nobody new until then.
    NobodyNew(Timestamp),
    /// Bulk jobs may write to nobody new until then.
    NobodyNewInBulk(Timestamp),
}

/// A session's day and what holds it back.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its day.
    pub day: SenderDay,
    /// How fast it may send.
    pub pace: PaceRule,
    /// What holds it back, what weighs most first; empty: it may send.
    pub holds: Vec<Hold>,
}

/// What holds a session back. `workers`: those that live, if that is known.
fn holds(record: &SessionRecord, day: &SenderDay, workers: Option<&BTreeSet<WorkerName>>) -> Vec<Hold> {
    let state = record.status.state;
    let known = |owner: &WorkerName| workers.is_none_or(|workers| workers.contains(owner));
    let owned = record.owner.as_ref().is_some_and(known);
    let mut holds = Vec::new();
    match record.wanted {
        Wanted::Deleted => return vec![Hold::Deleted],
        Wanted::LoggedOut => return vec![Hold::LoggingOut],
        Wanted::Stopped if state == SessionState::ScanTimedOut => return vec![Hold::NotScanned],
        Wanted::Stopped if state == SessionState::LoggedOut => return vec![Hold::LoggedOut],
        Wanted::Stopped => holds.push(Hold::Stopped),
        Wanted::Running if !owned => holds.push(Hold::NoWorker),
        Wanted::Running => {}
    }
    match state {
        SessionState::Created if holds.is_empty() => holds.push(Hold::Starting),
        SessionState::AwaitingScan if holds.is_empty() => holds.push(Hold::AwaitsScan),
        SessionState::ScanTimedOut => holds.push(Hold::NotScanned),
        SessionState::LoggedOut => holds.push(Hold::LoggedOut),
        SessionState::Paired | SessionState::Disconnected if holds.is_empty() => holds.push(Hold::Connecting),
        SessionState::Banned => holds.push(Hold::Banned(record.status.until)),
        SessionState::Outdated => holds.push(Hold::Outdated),
        _ => {}
    }
    holds.extend(day.rest.map(Hold::Rests));
    if record.status.account.is_some() {
        let until = day.next_day;
        match (day.left.otp, day.left.bulk) {
            (Some(0), _) => holds.push(Hold::DayOver { until, warm_up: day.warm_up }),
            (_, Some(0)) => holds.push(Hold::BulkOver(until)),
            _ => {}
        }
        match (day.left.cold_otp, day.left.cold_bulk) {
            (Some(0), _) => holds.push(Hold::NobodyNew(until)),
            (_, Some(0)) => holds.push(Hold::NobodyNewInBulk(until)),
            _ => {}
        }
    }
    holds
}

impl UseCases {
    /// A session's day and what holds it back. `workers`: those that live, if that is known.
    pub fn standing(&self, record: &SessionRecord, workers: Option<&BTreeSet<WorkerName>>) -> Standing {
        let day = SenderDay::of(&self.senders, record, self.ports.clock.now());
        Standing { holds: holds(record, &day, workers), day, pace: self.pace.with(&record.limits) }
    }

    /// The workers that live.
    pub async fn living_workers(&self) -> Result<Vec<Beat>, UseCaseError> {
        Ok(self.ports.members.members().await?)
    }

    /// The names of the workers that live; `None` while nobody can tell.
    pub async fn living_names(&self) -> Option<BTreeSet<WorkerName>> {
        match self.living_workers().await {
            Ok(beats) => Some(beats.into_iter().map(|beat| beat.worker).collect()),
            Err(error) => {
                tracing::debug!(%error, "the register of workers did not answer");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kurir_core::domain::{
        Account, Epoch, FirstLink, Labels, OwnLimits, PhoneNumber, SenderPace, SessionId, SessionStatus, TenantId,
    };
    use kurir_core::policy::DayRule;

    use super::*;

    fn noon() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-21T12:00:00+07:00").unwrap()
    }

    fn midnight() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-22T00:00:00+07:00").unwrap()
    }

    /// A session of a number in Jakarta that was linked two days ago, whose worker is `w1`.
    fn connected() -> SessionRecord {
        let number = PhoneNumber::from_digits("6281234567890".into()).unwrap();
        let linked = noon().minus(Duration::from_hours(48));
        let status = SessionStatus {
            state: SessionState::Connected,
            account: Some(Account { number: number.clone(), device: 1 }),
            first_link: Some(FirstLink { number, at: linked }),
            ..SessionStatus::created(linked)
        };
        SessionRecord {
            id: SessionId::new("s1").unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            pool: None,
            name: None,
            labels: Labels::default(),
            wanted: Wanted::Running,
            restarts: 0,
            epoch: Epoch(1),
            owner: Some(WorkerName::new("w1").unwrap()),
            limits: OwnLimits::default(),
            pace: SenderPace::default(),
            status,
            created_at: linked,
        }
    }

    fn rules() -> SenderRules {
        let warm_up = "3d:10".parse().unwrap();
        let day = DayRule { per_day: 100, warm_up, cold_per_day: 4, otp_reserve: 50 };
        SenderRules { day, ..SenderRules::default() }
    }

    fn held(record: &SessionRecord) -> Vec<Hold> {
        let workers = BTreeSet::from([WorkerName::new("w1").unwrap()]);
        holds(record, &SenderDay::of(&rules(), record, noon()), Some(&workers))
    }

    fn spent(change: impl Fn(&mut DayCount)) -> SessionRecord {
        let mut record = connected();
        record.pace.day = DayCount::of("Asia/Jakarta".parse::<Zone>().unwrap().day(noon()));
        change(&mut record.pace.day);
        record
    }

    #[test]
    fn a_connected_session_with_something_left_is_not_held() {
        assert_eq!(held(&connected()), []);
        let day = SenderDay::of(&rules(), &connected(), noon());
        assert_eq!((day.warm_up, day.left.cap, day.next_day), (Some(3), Some(10), midnight()));
    }

    #[test]
    fn what_is_spent_holds_until_the_next_day() {
        let until = midnight();
        assert_eq!(held(&spent(|day| day.otp = 10)), [Hold::DayOver { until, warm_up: Some(3) }]);
        assert_eq!(held(&spent(|day| day.bulk = 5)), [Hold::BulkOver(until)]);
        assert_eq!(held(&spent(|day| (day.otp, day.cold_otp) = (4, 4))), [Hold::NobodyNew(until)]);
        assert_eq!(held(&spent(|day| (day.bulk, day.cold_bulk) = (2, 2))), [Hold::NobodyNewInBulk(until)]);
    }

    #[test]
    fn a_rest_holds_as_long_as_it_goes_on() {
        let mut record = connected();
        let rest = Rest { until: noon().plus(Duration::from_secs(1)), reason: FailReason::RateLimited };
        record.pace.rest = Some(rest);
        assert_eq!(held(&record), [Hold::Rests(rest)]);
        record.pace.rest = Some(Rest { until: noon(), ..rest });
        assert_eq!(held(&record), []);
    }

    #[test]
    fn state_wish_and_worker_hold_in_this_order() {
        use SessionState as State;
        let with = |state, wanted, owner: Option<&str>| {
            let mut record = connected();
            record.status.state = state;
            record.wanted = wanted;
            record.owner = owner.map(|name| WorkerName::new(name).unwrap());
            held(&record)
        };
        for (state, wanted, owner, hold) in [
            (State::Connected, Wanted::Deleted, Some("w1"), Hold::Deleted),
            (State::Connected, Wanted::LoggedOut, Some("w1"), Hold::LoggingOut),
            (State::Connected, Wanted::Stopped, Some("w1"), Hold::Stopped),
            (State::Connected, Wanted::Running, Some("w2"), Hold::NoWorker),
            (State::Created, Wanted::Running, None, Hold::NoWorker),
            (State::Created, Wanted::Running, Some("w1"), Hold::Starting),
            (State::AwaitingScan, Wanted::Running, Some("w1"), Hold::AwaitsScan),
            (State::ScanTimedOut, Wanted::Stopped, None, Hold::NotScanned),
            (State::LoggedOut, Wanted::Stopped, None, Hold::LoggedOut),
            (State::Disconnected, Wanted::Running, Some("w1"), Hold::Connecting),
            (State::Banned, Wanted::Running, Some("w1"), Hold::Banned(None)),
            (State::Outdated, Wanted::Running, Some("w1"), Hold::Outdated),
        ] {
            assert_eq!(with(state, wanted, owner), [hold], "{state} {wanted:?} {owner:?}");
        }
        let unknown = holds(&connected(), &SenderDay::of(&rules(), &connected(), noon()), None);
        assert_eq!(unknown, [], "who can't tell who lives does not say that nobody does");
    }
}
