//! Who may go when: the sender's rest, its day, its pace, and the line before it. Moments are passed in.

use std::collections::VecDeque;
use std::time::Duration;

use kurir_core::domain::{FailReason, Lane, Rest, SenderPace, Timestamp};
use kurir_core::policy::{Budget, DayRule, PaceRule, Pacer, Zone};
use tokio::sync::oneshot;

use super::standing::{Standing, Standings, priority};
use crate::job::{HELD, HELD_FOR_POOL};

/// What a job asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// In which lane it stands.
    pub(crate) lane: Lane,
    /// Past this moment it has no use for a turn.
    pub(crate) deadline: Option<Timestamp>,
    /// Whether the session has never written to the recipient.
    pub(crate) cold: bool,
    /// Whether it was on the wire before and is in doubt: it was counted then.
    pub(crate) repeated: bool,
    /// Whether others could send it as well: it is not to wait here for long, and takes no place in a later line.
    pub(crate) elsewhere: bool,
}

/// The answer to a job that asked for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It goes now; this state is to be saved with it.
    Go(SenderPace),
    /// Not before about this moment, for this reason: too long to wait for here.
    Park(Timestamp, FailReason),
    /// The turnstile is closed.
    Closed,
}

/// A job that waits for its turn.
pub(super) struct Waiting {
    pub(super) ask: Ask,
    pub(super) answer: oneshot::Sender<Turn>,
}

/// What a gate goes by.
pub(crate) struct Limits {
    /// The sender's pace, as it was saved.
    pub(crate) pacer: Pacer,
    /// The sender's day, as it was saved.
    pub(crate) budget: Budget,
    /// The rest that was demanded, as it was saved.
    pub(crate) rest: Option<Rest>,
    /// How many changes were saved so far.
    pub(crate) turn: u64,
    /// Who would have to wait longer than this for a rest or a new day is sent away.
    pub(crate) max_wait: Duration,
}

/// Those who were sent away until one moment.
#[derive(Default)]
struct Parked {
    until: Timestamp,
    count: u32,
}

/// The gate.
pub(super) struct Gate {
    limits: Limits,
    parked: Parked,
    otp: VecDeque<Waiting>,
    bulk: VecDeque<Waiting>,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, parked: Parked::default(), otp: VecDeque::new(), bulk: VecDeque::new() }
    }

    /// Lines a job up.
    pub(super) fn line_up(&mut self, waiting: Waiting) {
        match waiting.ask.lane {
            Lane::Otp => self.otp.push_back(waiting),
            Lane::Bulk => self.bulk.push_back(waiting),
        }
    }

    /// Rests until the later of this rest and the one that goes on already.
    pub(super) fn rest(&mut self, rest: Rest) -> SenderPace {
        if self.limits.rest.is_none_or(|resting| resting.until < rest.until) {
            self.limits.rest = Some(rest);
        }
        self.changed()
    }

    /// WhatsApp has lifted its restriction.
    pub(super) fn lift(&mut self) {
        self.limits.rest.take_if(|rest| rest.reason == FailReason::SenderRestricted);
        self.changed();
    }

    /// The session has been linked to a number of this zone, at this moment for the first time.
    pub(super) const fn settle(&mut self, zone: Zone, linked: Timestamp) {
        self.limits.budget.settle(zone, linked);
    }

    /// From now on these rules hold; what was spent stays spent. Who would wait too long under a slower pace goes back to its
    /// queue: what waits here is held unsettled.
    pub(super) fn change(&mut self, pace: PaceRule, day: DayRule, now: Timestamp) {
        self.limits.pacer.change(pace, now);
        self.limits.budget.change(day);
        let mut place = 0;
        for queue in [&mut self.otp, &mut self.bulk] {
            let mut stay = VecDeque::with_capacity(queue.len());
            for waiting in queue.drain(..) {
                place += 1;
                let held = if waiting.ask.elsewhere { HELD_FOR_POOL } else { HELD };
                // The first one waits as one that comes now would.
                if place > 1 && pace.every.saturating_mul(place) > held {
                    let _ = waiting.answer.send(Turn::Park(now.plus(held), FailReason::SenderLimited));
                } else {
                    stay.push_back(waiting);
                }
            }
            *queue = stay;
        }
    }

    /// Where a job would be sent away at once, whoever waits before it.
    pub(super) fn look(&mut self, ask: Ask, now: Timestamp) -> Option<(Timestamp, FailReason)> {
        self.too_long(ask, now).map(|(until, reason)| (self.spread(until, ask), reason))
    }

    /// What it could take of a pool's jobs.
    pub(super) fn standings(&self, now: Timestamp) -> Standings {
        if let Some(Rest { until, .. }) = self.resting(now) {
            return Standings { otp: Standing::Shut { until }, bulk: Standing::Shut { until } };
        }
        let budget = &self.limits.budget;
        let of = |left| match left {
            Some(0) => Standing::Shut { until: budget.zone().next_day(now) },
            left => Standing::Open { priority: priority(left) },
        };
        let left = budget.left(now);
        Standings { otp: of(left.otp), bulk: of(left.bulk) }
    }

    /// Lets through whom the limits allow; tells how long to wait before the next one may go, `None` when nobody waits.
    pub(super) fn serve(&mut self, now: Timestamp) -> Option<Duration> {
        loop {
            // Who has stopped waiting must not cost a turn.
            for queue in [&mut self.otp, &mut self.bulk] {
                queue.retain(|waiting| !waiting.answer.is_closed());
            }
            let ask = self.otp.front().or(self.bulk.front())?.ask;
            if let Some((until, reason)) = self.too_long(ask, now) {
                let until = self.spread(until, ask);
                self.answer_first(Turn::Park(until, reason));
                continue;
            }
            match self.go(ask, now) {
                Ok(()) => {
                    let pace = self.changed();
                    self.answer_first(Turn::Go(pace));
                }
                Err((pause, reason)) => {
                    self.send_away(now.plus(pause), reason);
                    if self.otp.is_empty() && self.bulk.is_empty() {
                        return None;
                    }
                    return Some(pause.max(Duration::from_millis(1)));
                }
            }
        }
    }

    fn answer_first(&mut self, turn: Turn) {
        if let Some(first) = self.otp.pop_front().or_else(|| self.bulk.pop_front()) {
            // Who has just stopped waiting costs a turn.
            let _ = first.answer.send(turn);
        }
    }

    /// The next state to save.
    const fn changed(&mut self) -> SenderPace {
        let limits = &mut self.limits;
        limits.turn = limits.turn.saturating_add(1);
        SenderPace { turn: limits.turn, next: limits.pacer.state(), day: limits.budget.count(), rest: limits.rest }
    }

    fn resting(&self, now: Timestamp) -> Option<Rest> {
        self.limits.rest.filter(|rest| rest.until > now)
    }

    /// Takes a turn, or tells how long to wait for one and for what.
    fn go(&mut self, ask: Ask, now: Timestamp) -> Result<(), (Duration, FailReason)> {
        if let Some(rest) = self.resting(now) {
            return Err((rest.until.since(now), rest.reason));
        }
        let Limits { pacer, budget, .. } = &mut self.limits;
        if !ask.repeated {
            budget.look(now, ask.lane, ask.cold).map_err(|over| (over.until.since(now), over.reason))?;
        }
        pacer.take(now).map_err(|pause| (pause, FailReason::SenderLimited))?;
        if !ask.repeated {
            // It was looked at above, and nobody came between.
            let _ = budget.take(now, ask.lane, ask.cold);
        }
        Ok(())
    }

    /// What a job would have to wait for longer than anybody waits here: a rest, or a new day.
    fn too_long(&self, ask: Ask, now: Timestamp) -> Option<(Timestamp, FailReason)> {
        let long = |until: Timestamp| until.since(now) > self.limits.max_wait;
        if let Some(rest) = self.resting(now).filter(|rest| long(rest.until)) {
            return Some((rest.until, rest.reason));
        }
        let over = (!ask.repeated).then(|| self.limits.budget.look(now, ask.lane, ask.cold).err()).flatten();
        over.filter(|over| long(over.until)).map(|over| (over.until, over.reason))
    }

    /// A place after `until` for one who is sent away, so that not all come back at once. OTPs come first: they seldom
    /// live that long, and are few. Beyond a day's worth the places begin anew; who comes too early then waits again.
    fn spread(&mut self, until: Timestamp, ask: Ask) -> Timestamp {
        const DAY: Duration = Duration::from_hours(24);
        if ask.lane == Lane::Otp || ask.elsewhere {
            return until;
        }
        if self.parked.until != until {
            self.parked = Parked { until, count: 0 };
        }
        let place = until.plus(self.limits.pacer.rule().every.saturating_mul(self.parked.count));
        self.parked.count = if place.since(until) < DAY { self.parked.count.saturating_add(1) } else { 0 };
        place
    }

    /// Parks those whose deadline comes before their turn, each until its own place in the line.
    fn send_away(&mut self, next: Timestamp, reason: FailReason) {
        let every = self.limits.pacer.rule().every;
        let mut place = 0;
        for queue in [&mut self.otp, &mut self.bulk] {
            let mut stay = VecDeque::with_capacity(queue.len());
            for waiting in queue.drain(..) {
                let turn = next.plus(every.saturating_mul(place));
                place += 1;
                if waiting.ask.deadline.is_some_and(|deadline| turn >= deadline) {
                    let _ = waiting.answer.send(Turn::Park(turn, reason));
                } else {
                    stay.push_back(waiting);
                }
            }
            *queue = stay;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use kurir_core::domain::{DayCount, PaceState};
    use kurir_core::policy::{DayRule, PaceRule, WarmUp};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap()
    }

    fn midnight() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-22T00:00:00Z").unwrap()
    }

    fn ask(lane: Lane) -> Ask {
        Ask { lane, deadline: None, cold: false, repeated: false, elsewhere: false }
    }

    /// A gate that goes on from a saved state: a message a second, bursts of 3, and this rule of the day.
    fn gate(rule: DayRule, saved: SenderPace) -> Gate {
        let pace = PaceRule { every: Duration::from_secs(1), burst: NonZeroU32::new(3).unwrap() };
        Gate::new(Limits {
            pacer: Pacer::new(pace, saved.next),
            budget: Budget::new(rule, Zone::UTC, Some(now()), saved.day),
            rest: saved.rest,
            turn: saved.turn,
            max_wait: Duration::from_secs(2),
        })
    }

    fn per_day(per_day: u32) -> DayRule {
        DayRule { per_day, ..DayRule::default() }
    }

    /// Asks, and serves once.
    fn turn(gate: &mut Gate, ask: Ask, at: Timestamp) -> Option<Turn> {
        let (answer, mut answered) = oneshot::channel();
        gate.line_up(Waiting { ask, answer });
        gate.serve(at);
        answered.try_recv().ok()
    }

    #[test]
    fn over_the_day_each_is_parked_until_its_place_tomorrow() {
        let mut gate = gate(per_day(2), SenderPace::default());
        for _ in 0..2 {
            assert!(matches!(turn(&mut gate, ask(Lane::Bulk), now()), Some(Turn::Go(_))));
        }
        for place in 0..3 {
            let until = midnight().plus(Duration::from_secs(place));
            let parked = Some(Turn::Park(until, FailReason::SenderDailyCap));
            assert_eq!(turn(&mut gate, ask(Lane::Bulk), now()), parked);
        }
        let looked = gate.look(ask(Lane::Otp), now());
        assert_eq!(looked, Some((midnight(), FailReason::SenderDailyCap)), "an OTP does not stand in that line");
        assert!(matches!(turn(&mut gate, ask(Lane::Bulk), midnight()), Some(Turn::Go(_))));
    }

    #[test]
    fn a_slower_pace_sends_back_who_would_be_held_too_long() {
        let mut gate = gate(DayRule::default(), SenderPace::default());
        for _ in 0..3 {
            assert!(matches!(turn(&mut gate, ask(Lane::Bulk), now()), Some(Turn::Go(_))));
        }
        let mut line = || {
            let (answer, answered) = oneshot::channel();
            gate.line_up(Waiting { ask: ask(Lane::Bulk), answer });
            answered
        };
        let mut line: Vec<_> = (0..4).map(|_| line()).collect();
        let slow = PaceRule { every: HELD / 2, burst: NonZeroU32::MIN };
        gate.change(slow, DayRule::default(), now());
        let parked = Turn::Park(now().plus(HELD), FailReason::SenderLimited);
        let told: Vec<_> = line.iter_mut().map(|answered| answered.try_recv().ok()).collect();
        assert_eq!(told, [None, None, Some(parked), Some(parked)]);
        assert!(gate.serve(now()).is_some_and(|wait| wait <= HELD), "the first one waits on");
    }

    #[test]
    fn shortly_before_midnight_a_job_waits_for_the_new_day() {
        let mut gate = gate(per_day(1), SenderPace::default());
        assert!(matches!(turn(&mut gate, ask(Lane::Bulk), now()), Some(Turn::Go(_))));
        let late = midnight().minus(Duration::from_secs(1));
        let (answer, mut answered) = oneshot::channel();
        gate.line_up(Waiting { ask: ask(Lane::Bulk), answer });
        assert_eq!(gate.serve(late), Some(Duration::from_secs(1)));
        assert!(answered.try_recv().is_err());
        assert_eq!(gate.serve(midnight()), None);
        assert!(matches!(answered.try_recv(), Ok(Turn::Go(_))));
    }

    #[test]
    fn who_writes_to_somebody_new_is_parked_and_who_does_not_goes() {
        let rule = DayRule { cold_per_day: 1, ..DayRule::default() };
        let mut gate = gate(rule, SenderPace::default());
        let cold = Ask { cold: true, ..ask(Lane::Bulk) };
        assert!(matches!(turn(&mut gate, cold, now()), Some(Turn::Go(_))));
        assert_eq!(turn(&mut gate, cold, now()), Some(Turn::Park(midnight(), FailReason::SenderColdContacts)));
        assert!(matches!(turn(&mut gate, ask(Lane::Bulk), now()), Some(Turn::Go(_))));
    }

    #[test]
    fn who_can_go_elsewhere_takes_no_place_in_tomorrows_line() {
        let mut gate = gate(per_day(1), SenderPace::default());
        assert!(matches!(turn(&mut gate, ask(Lane::Bulk), now()), Some(Turn::Go(_))));
        let elsewhere = Ask { elsewhere: true, ..ask(Lane::Bulk) };
        for _ in 0..3 {
            assert_eq!(gate.look(elsewhere, now()), Some((midnight(), FailReason::SenderDailyCap)));
        }
        let parked = Some(Turn::Park(midnight(), FailReason::SenderDailyCap));
        assert_eq!(turn(&mut gate, ask(Lane::Bulk), now()), parked, "the first place is free");
    }

    #[test]
    fn a_repetition_is_not_counted_and_not_stopped_by_the_day() {
        let mut gate = gate(per_day(1), SenderPace::default());
        assert!(matches!(turn(&mut gate, ask(Lane::Bulk), now()), Some(Turn::Go(_))));
        let repeated = Ask { repeated: true, ..ask(Lane::Bulk) };
        let Some(Turn::Go(pace)) = turn(&mut gate, repeated, now()) else { panic!("stopped") };
        assert_eq!(pace.day.bulk, 1);
    }

    #[test]
    fn the_next_owner_has_no_new_burst_no_new_day_and_the_same_rest() {
        let warm_up: WarmUp = "3d:4".parse().unwrap();
        let rule = DayRule { warm_up, ..DayRule::default() };
        let mut first = gate(rule.clone(), SenderPace::default());
        let mut saved = SenderPace::default();
        for _ in 0..3 {
            let Some(Turn::Go(pace)) = turn(&mut first, ask(Lane::Bulk), now()) else { panic!("no turn") };
            assert!(pace.turn > saved.turn);
            saved = pace;
        }
        let mut second = gate(rule.clone(), saved);
        assert_eq!(turn(&mut second, ask(Lane::Bulk), now()), None, "the burst is spent");
        let after = now().plus(Duration::from_secs(9));
        assert!(matches!(turn(&mut second, ask(Lane::Bulk), after), Some(Turn::Go(_))));
        let parked = Some(Turn::Park(midnight(), FailReason::SenderWarmingUp));
        assert_eq!(turn(&mut second, ask(Lane::Bulk), after), parked, "the day is spent");

        let rest = Rest { until: now().plus(DAY * 2), reason: FailReason::SenderRestricted };
        let saved = second.rest(rest);
        let mut third = gate(rule, saved);
        let parked = Some(Turn::Park(rest.until, FailReason::SenderRestricted));
        assert_eq!(turn(&mut third, ask(Lane::Otp), now().plus(DAY)), parked);
        third.lift();
        assert!(matches!(turn(&mut third, ask(Lane::Otp), now().plus(DAY)), Some(Turn::Go(_))));
    }

    #[test]
    fn a_shorter_rest_does_not_end_a_longer_one() {
        let mut gate = gate(DayRule::default(), SenderPace::default());
        let long = Rest { until: now().plus(DAY), reason: FailReason::SenderRestricted };
        gate.rest(long);
        let saved = gate.rest(Rest { until: now().plus(Duration::from_mins(1)), reason: FailReason::RateLimited });
        assert_eq!(saved.rest, Some(long));
    }

    #[test]
    fn a_number_that_becomes_known_brings_its_calendar() {
        let saved = SenderPace { next: PaceState::default(), day: DayCount::default(), ..SenderPace::default() };
        let mut gate = gate(per_day(1), saved);
        gate.settle("Asia/Jakarta".parse().unwrap(), now());
        assert!(matches!(turn(&mut gate, ask(Lane::Bulk), now()), Some(Turn::Go(_))));
        let there = Timestamp::parse_rfc3339("2026-11-22T00:00:00+07:00").unwrap();
        let parked = Some(Turn::Park(there, FailReason::SenderDailyCap));
        assert_eq!(turn(&mut gate, ask(Lane::Bulk), now()), parked);
    }
}
