//! A sender's day: how many messages it may still send today, and to how many people for the first time.

use super::{WarmUp, Zone};
use crate::domain::{DayCount, FailReason, Lane, Timestamp};

/// What a sender may do in a day of its own calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayRule {
    /// At most this many messages; 0: no such limit.
    pub per_day: u32,
    /// Fewer while its number is new.
    pub warm_up: WarmUp,
    /// At most this many recipients for the first time; 0: no such limit.
    pub cold_per_day: u32,
    /// This share of both budgets, in percent, is kept for one-time passwords.
    pub otp_reserve: u8,
}

/// Why a message may not go today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// When the sender's next day begins.
    pub until: Timestamp,
    /// Which budget is spent.
    pub reason: FailReason,
}

/// What is left of a day; `None` where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayLeft {
    /// Today's cap on messages.
    pub cap: Option<u32>,
    /// Messages that one-time passwords may still use.
    pub otp: Option<u32>,
    /// Messages that bulk jobs may still use.
    pub bulk: Option<u32>,
    /// New recipients of one-time passwords.
    pub cold_otp: Option<u32>,
    /// New recipients of bulk jobs.
    pub cold_bulk: Option<u32>,
}

/// A sender's budget of the day. One per session, in its owner's hands.
#[derive(Clone, Debug)]
pub struct Budget {
    rule: DayRule,
    zone: Zone,
    /// Since when the session has its number; `None` before it is linked.
    linked: Option<Timestamp>,
    spent: DayCount,
}

impl Budget {
    /// Goes on from a saved count. `linked` is when the session got its number.
    pub const fn new(rule: DayRule, zone: Zone, linked: Option<Timestamp>, saved: DayCount) -> Self {
        Self { rule, zone, linked, spent: saved }
    }

    /// The session has been linked to a number, at `linked` for the first time, that lives in `zone`.
    pub const fn settle(&mut self, zone: Zone, linked: Timestamp) {
        self.zone = zone;
        self.linked = Some(linked);
    }

    /// Another rule from now on; what was counted stays.
    pub fn change(&mut self, rule: DayRule) {
        self.rule = rule;
    }

    /// Counts one message at `now` if it may go. `cold`: the session has never written to the recipient.
    pub fn take(&mut self, now: Timestamp, lane: Lane, cold: bool) -> Result<(), Over> {
        self.look(now, lane, cold)?;
        self.spent = self.today(now);
        self.spent.count(lane, cold);
        Ok(())
    }

    /// Whether a message may go at `now`; counts nothing.
    pub fn look(&self, now: Timestamp, lane: Lane, cold: bool) -> Result<(), Over> {
        let left = self.left(now);
        let (messages, new) = match lane {
            Lane::Otp => (left.otp, left.cold_otp),
            Lane::Bulk => (left.bulk, left.cold_bulk),
        };
        let over = |reason| Err(Over { until: self.zone.next_day(now), reason });
        if messages == Some(0) {
            return over(self.cap(now).map_or(FailReason::SenderDailyCap, |(_, reason)| reason));
        }
        if cold && new == Some(0) {
            return over(FailReason::SenderColdContacts);
        }
        Ok(())
    }

    /// What is left at `now`.
    pub fn left(&self, now: Timestamp) -> DayLeft {
        let spent = self.today(now);
        let cap = self.cap(now).map(|(cap, _)| cap);
        let cold = Some(self.rule.cold_per_day).filter(|cold| *cold > 0);
        let otp = |cap: u32, all: u32| cap.saturating_sub(all);
        // What one-time passwords did not use of their share stays theirs until the day is over.
        let bulk = |cap: u32, all: u32, own: u32| otp(cap, all).min(self.open(cap).saturating_sub(own));
        DayLeft {
            cap,
            otp: cap.map(|cap| otp(cap, spent.sent())),
            bulk: cap.map(|cap| bulk(cap, spent.sent(), spent.bulk)),
            cold_otp: cold.map(|cap| otp(cap, spent.cold())),
            cold_bulk: cold.map(|cap| bulk(cap, spent.cold(), spent.cold_bulk)),
        }
    }

    /// What was counted on the day of `now`.
    pub fn today(&self, now: Timestamp) -> DayCount {
        let day = self.zone.day(now);
        // A saved day that is just ahead comes from a clock a little before ours, or from a zone that was changed: it
        // goes on, or the day would be spent twice. One further ahead comes from a clock that was wrong; following it
        // could stop the sender for years.
        if (day..=day.saturating_add(1)).contains(&self.spent.day) { self.spent } else { DayCount::of(day) }
    }

    /// The count as it is to be saved.
    pub const fn count(&self) -> DayCount {
        self.spent
    }

    /// The zone that the days are of.
    pub const fn zone(&self) -> Zone {
        self.zone
    }

    /// The age of the sender's number, in days of its calendar; 0 on the day of its first link, and before.
    pub fn age(&self, now: Timestamp) -> u32 {
        let age = self.linked.map(|linked| self.zone.day(now).saturating_sub(self.zone.day(linked)));
        // Nothing is sent before the link, and a clock before it is wrong: the number counts as new.
        u32::try_from(age.unwrap_or(0)).unwrap_or(0)
    }

    /// Today's cap, and what to say when it is reached; `None`: no cap.
    pub fn cap(&self, now: Timestamp) -> Option<(u32, FailReason)> {
        let warm_up = self.rule.warm_up.cap(self.age(now)).map(|cap| (cap, FailReason::SenderWarmingUp));
        let daily = Some((self.rule.per_day, FailReason::SenderDailyCap)).filter(|(cap, _)| *cap > 0);
        [warm_up, daily].into_iter().flatten().min_by_key(|(cap, _)| *cap)
    }

    /// How much of a budget is open to bulk jobs.
    fn open(&self, cap: u32) -> u32 {
        let reserved = u64::from(cap) * u64::from(self.rule.otp_reserve.min(100)) / 100;
        cap.saturating_sub(u32::try_from(reserved).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// Noon in Jakarta.
    fn noon() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-21T12:00:00+07:00").unwrap()
    }

    fn midnight() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-22T00:00:00+07:00").unwrap()
    }

    fn rule(per_day: u32, cold_per_day: u32, otp_reserve: u8) -> DayRule {
        DayRule { per_day, cold_per_day, otp_reserve, warm_up: WarmUp::default() }
    }

    fn budget(rule: DayRule) -> Budget {
        Budget::new(rule, "Asia/Jakarta".parse().unwrap(), Some(noon()), DayCount::default())
    }

    #[test]
    fn the_cap_holds_until_midnight_where_the_number_lives() {
        let mut budget = budget(rule(3, 0, 0));
        for _ in 0..3 {
            budget.take(noon(), Lane::Bulk, true).unwrap();
        }
        let over = Over { until: midnight(), reason: FailReason::SenderDailyCap };
        assert_eq!(budget.take(noon(), Lane::Otp, false), Err(over));
        assert_eq!(budget.take(midnight().minus(Duration::from_millis(1)), Lane::Bulk, false), Err(over));
        budget.take(midnight(), Lane::Bulk, false).unwrap();
        assert_eq!(budget.count(), DayCount { bulk: 1, ..DayCount::of(budget.zone().day(midnight())) });
    }

    #[test]
    fn bulk_jobs_can_not_use_what_is_kept_for_otps() {
        let mut budget = budget(rule(10, 5, 20));
        let taken = (0..20).filter(|_| budget.take(noon(), Lane::Bulk, false).is_ok()).count();
        assert_eq!(taken, 8);
        budget.take(noon(), Lane::Otp, false).unwrap();
        assert!(budget.take(noon(), Lane::Bulk, false).is_err(), "an OTP's use of the share does not open it");
        budget.take(noon(), Lane::Otp, false).unwrap();
        assert!(budget.take(noon(), Lane::Otp, false).is_err());
    }

    #[test]
    fn otps_may_use_all_of_the_day() {
        let mut budget = budget(rule(10, 0, 20));
        let taken = (0..20).filter(|_| budget.take(noon(), Lane::Otp, true).is_ok()).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn new_recipients_have_a_budget_of_their_own() {
        let mut budget = budget(rule(100, 4, 25));
        let taken = (0..9).filter(|_| budget.take(noon(), Lane::Bulk, true).is_ok()).count();
        assert_eq!(taken, 3);
        let over = Over { until: midnight(), reason: FailReason::SenderColdContacts };
        assert_eq!(budget.look(noon(), Lane::Bulk, true), Err(over));
        budget.take(noon(), Lane::Bulk, false).unwrap();
        budget.take(noon(), Lane::Otp, true).unwrap();
        assert_eq!(budget.take(noon(), Lane::Otp, true), Err(over));
    }

    #[test]
    fn a_new_number_is_warmed_up() {
        let warm_up: WarmUp = "2d:2 4d:5".parse().unwrap();
        let mut budget = budget(DayRule { warm_up, ..rule(8, 0, 0) });
        let mut of_day = |days: u32| {
            let at = noon().plus(24 * HOUR * days);
            let sent = (0..20).filter(|_| budget.take(at, Lane::Bulk, true).is_ok()).count();
            (sent, budget.look(at, Lane::Bulk, true).unwrap_err().reason)
        };
        let (warming, warm) = (FailReason::SenderWarmingUp, FailReason::SenderDailyCap);
        let expected = [(2, warming), (2, warming), (5, warming), (5, warming), (8, warm), (8, warm)];
        assert_eq!([0, 1, 2, 3, 4, 5].map(&mut of_day), expected);
    }

    #[test]
    fn a_count_from_a_wrong_clock_does_not_stop_the_sender_and_a_clock_behind_is_no_new_day() {
        let day = budget(rule(1, 0, 0)).zone().day(noon());
        let of = |saved| Budget::new(rule(1, 0, 0), "Asia/Jakarta".parse().unwrap(), None, saved);
        assert!(of(DayCount { bulk: 1, ..DayCount::of(day) }).take(noon(), Lane::Bulk, false).is_err());
        assert!(of(DayCount { bulk: 1, ..DayCount::of(day + 1) }).take(noon(), Lane::Bulk, false).is_err());
        assert!(of(DayCount { bulk: 1, ..DayCount::of(day + 2) }).take(noon(), Lane::Bulk, false).is_ok());
        assert!(of(DayCount { bulk: 1, ..DayCount::of(day - 1) }).take(noon(), Lane::Bulk, false).is_ok());
    }

    #[test]
    fn without_limits_everything_goes() {
        let mut budget = budget(DayRule::default());
        for _ in 0..1000 {
            budget.take(noon(), Lane::Bulk, true).unwrap();
        }
        assert_eq!(budget.left(noon()), DayLeft { cap: None, otp: None, bulk: None, cold_otp: None, cold_bulk: None });
    }

    proptest! {
        /// Whatever comes, in whatever order, and whoever owns the session meanwhile.
        #[test]
        fn no_day_is_overspent_by_any_order_of_messages_and_owners(
            per_day in 1..30_u32,
            cold_per_day in 1..30_u32,
            otp_reserve in 0..=100_u8,
            steps in proptest::collection::vec((0..7_200_000_u64, any::<bool>(), any::<bool>(), any::<bool>()), 1..400),
        ) {
            let rule = rule(per_day, cold_per_day, otp_reserve);
            let mut budget = budget(rule.clone());
            let mut now = noon();
            let mut sent: std::collections::BTreeMap<i32, DayCount> = std::collections::BTreeMap::new();
            for (pause, otp, cold, taken_over) in steps {
                now = now.plus(Duration::from_millis(pause));
                if taken_over {
                    budget = Budget::new(rule.clone(), budget.zone(), Some(noon()), budget.count());
                }
                let lane = if otp { Lane::Otp } else { Lane::Bulk };
                let day = sent.entry(budget.zone().day(now)).or_default();
                let answer = budget.take(now, lane, cold);
                match answer {
                    Ok(()) => day.count(lane, cold),
                    Err(over) => {
                        prop_assert_eq!(over.until, budget.zone().next_day(now));
                        // An OTP is refused only when the whole day is spent.
                        let spent = day.sent() == per_day || cold && day.cold() == cold_per_day;
                        prop_assert!(!otp || spent);
                    }
                }
                prop_assert!(day.sent() <= per_day && day.cold() <= cold_per_day);
                prop_assert!(day.bulk <= budget.open(per_day) && day.cold_bulk <= budget.open(cold_per_day));
            }
        }
    }
}
