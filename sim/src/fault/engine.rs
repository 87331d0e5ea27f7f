//! The rules in force, and which of them wins.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::chance::Chance;
use super::rule::{Effect, Facts, FaultRule, Occasion};
use super::{Fault, FaultId};
use crate::account::{DeviceAddress, PhoneNumber};
use crate::error::SimError;

/// Rules that may be in force at once: each one in force is looked at for each occasion.
const MOST_RULES: usize = 10_000;

#[derive(Debug)]
struct Armed {
    id: u64,
    /// As it was ordered.
    fault: Fault,
    rule: FaultRule,
    occasion: Occasion,
    chance: Option<Chance>,
    /// Matches that still pass.
    skip: AtomicU64,
    /// Hits left; `u64::MAX` for no limit.
    left: AtomicU64,
}

/// A rule that won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub fault: u64,
    pub effect: Effect,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct FaultRules {
    rules: RwLock<Vec<Armed>>,
    /// A bit per occasion for which there are rules, so that a simulator without faults takes no lock.
    occasions: AtomicU8,
    last: AtomicU64,
}

/// Takes one from a counter. `false` when nothing was left.
fn take(counter: &AtomicU64) -> bool {
    let take = |left: u64| match left {
        0 => None,
        u64::MAX => Some(u64::MAX),
        left => Some(left - 1),
    };
    counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
}

impl Armed {
    /// Uses the rule up by one. `false` when it lets this match pass.
    fn strikes(&self, device: Option<DeviceAddress>) -> bool {
        if self.left.load(Ordering::Acquire) == 0 || take(&self.skip) {
            return false;
        }
        self.chance.as_ref().is_none_or(|chance| chance.strikes(device)) && take(&self.left)
    }

    fn spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

/// The rule that a fault is, if it is one that waits.
fn rule_of(fault: &Fault) -> Option<FaultRule> {
    let of_message = |from, to, times, effect| FaultRule { account: from, phone: to, times, ..FaultRule::new(effect) };
    match fault {
        Fault::AckError { code, from, to, times } => {
            Some(of_message(*from, *to, *times, Effect::AckError { code: *code }))
        }
        Fault::NoAck { from, to, times, deliver } => {
            Some(of_message(*from, *to, *times, Effect::NoAck { deliver: *deliver }))
        }
        Fault::Rule(rule) => Some(rule.clone()),
        _ => None,
    }
}

impl FaultRules {
    /// Puts a rule in force. `None` when the fault is none that waits.
    pub(crate) fn add(&self, fault: &Fault) -> Result<Option<FaultId>, SimError> {
        let Some(rule) = rule_of(fault) else {
            return Ok(None);
        };
        rule.check()?;
        let occasion = rule.occasion();
        if occasion == Occasion::Now {
            return Ok(None);
        }
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|rule| !rule.spent());
        if rules.len() >= MOST_RULES {
            return Err(SimError::BadFault { reason: "10000 rules are in force already; take some back first" });
        }
        let id = self.next_id();
        rules.push(Armed {
            id: id.0,
            fault: fault.clone(),
            occasion,
            chance: rule.probability.map(|probability| Chance::new(probability, rule.seed)),
            skip: AtomicU64::new(rule.skip.into()),
            left: AtomicU64::new(rule.times.map_or(u64::MAX, u64::from)),
            rule,
        });
        self.note_occasions(&rules);
        Ok(Some(id))
    }

    /// A number for a fault.
    pub(crate) fn next_id(&self) -> FaultId {
        FaultId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn note_occasions(&self, rules: &[Armed]) {
        let bits = rules.iter().fold(0, |bits, rule| bits | 1 << rule.occasion as u8);
        self.occasions.store(bits, Ordering::Release);
    }

    /// Takes a rule back. Returns whether it was there.
    pub(crate) fn remove(&self, id: FaultId) -> bool {
        self.keep(|rule| rule.id != id.0) > 0
    }

    /// Takes all rules back. Returns how many there were.
    pub(crate) fn clear(&self) -> usize {
        self.keep(|_| false)
    }

    fn keep(&self, keep: impl Fn(&Armed) -> bool) -> usize {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|rule| !rule.spent());
        let before = rules.len();
        rules.retain(keep);
        self.note_occasions(&rules);
        before - rules.len()
    }

    /// The rules that still have hits left.
    pub(crate) fn list(&self) -> Vec<(FaultId, Fault)> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.iter().filter(|rule| !rule.spent()).map(|rule| (FaultId(rule.id), rule.fault.clone())).collect()
    }

    /// Whether there is any rule for this occasion.
    fn armed(&self, occasion: Occasion) -> bool {
        self.occasions.load(Ordering::Acquire) & 1 << occasion as u8 != 0
    }

    /// The oldest rule for the occasion that matches and strikes.
    fn first(
        &self,
        occasion: Occasion,
        device: Option<DeviceAddress>,
        matches: impl Fn(&FaultRule) -> bool,
    ) -> Option<Hit> {
        if !self.armed(occasion) {
            return None;
        }
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let hit = rules
            .iter()
            .filter(|armed| armed.occasion == occasion && matches(&armed.rule))
            .find(|armed| armed.strikes(device))?;
        Some(Hit { fault: hit.id, effect: hit.rule.effect.clone() })
    }

    /// What happens to a message's acknowledgement.
    pub(super) fn message(&self, from: DeviceAddress, to: PhoneNumber) -> Option<Hit> {
        self.first(Occasion::Message, Some(from), |rule| rule.concerns(Some(from), Some(to)))
    }

    /// What happens to a login.
    pub(super) fn login(&self, device: DeviceAddress) -> Option<Hit> {
        self.first(Occasion::Login, Some(device), |rule| rule.concerns(Some(device), None))
    }

    /// What happens to a receipt of `phone`.
    pub(super) fn receipt(
        &self,
        to: DeviceAddress,
        phone: PhoneNumber,
        covers: impl Fn(&Effect) -> bool,
    ) -> Option<Hit> {
        self.first(Occasion::Receipt, Some(to), |rule| covers(&rule.effect) && rule.concerns(Some(to), Some(phone)))
    }

    /// What happens on a stanza's way; `facts` are only gathered if there is any rule.
    pub(super) fn stanza<'a>(
        &self,
        device: Option<DeviceAddress>,
        facts: impl FnOnce() -> Facts<'a>,
    ) -> Option<(Hit, String)> {
        if !self.armed(Occasion::Stanza) {
            return None;
        }
        let facts = facts();
        let hit = self.first(Occasion::Stanza, device, |rule| rule.catches(device, &facts))?;
        Some((hit, facts.id.into_owned()))
    }

    /// Which of the connected devices an effect without a stanza hits, in the order given.
    pub(super) fn at_once(rule: &FaultRule, devices: impl IntoIterator<Item = DeviceAddress>) -> Vec<DeviceAddress> {
        let chance = rule.probability.map(|probability| Chance::new(probability, rule.seed));
        let times = rule.times.map_or(usize::MAX, |times| usize::try_from(times).unwrap_or(usize::MAX));
        devices
            .into_iter()
            .filter(|device| rule.concerns(Some(*device), None))
            .skip(usize::try_from(rule.skip).unwrap_or(usize::MAX))
            .filter(|device| chance.as_ref().is_none_or(|chance| chance.strikes(Some(*device))))
            .take(times)
            .collect()
    }

    /// Whether a rule in force refuses all new messages of an account with `code`.
    pub(super) fn refuses_all(&self, account: PhoneNumber, code: u16) -> bool {
        if !self.armed(Occasion::Message) {
            return false;
        }
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.iter().any(|armed| {
            let rule = &armed.rule;
            rule.effect == Effect::AckError { code }
                && rule.account.is_none_or(|of| of == account)
                && (rule.device, rule.phone, rule.probability) == (None, None, None)
                && !armed.spent()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn number(text: &str) -> PhoneNumber {
        text.parse().expect("valid")
    }

    fn from() -> DeviceAddress {
        DeviceAddress { account: number("15551230001"), device: 1 }
    }

    fn effect(rules: &FaultRules, to: &str) -> Option<Effect> {
        rules.message(from(), number(to)).map(|hit| hit.effect)
    }

    #[test]
    fn a_rule_matches_its_numbers_and_is_used_up() {
        let rules = FaultRules::default();
        assert_eq!(effect(&rules, "15551230002"), None);
        let fault = Fault::AckError { code: 463, from: None, to: Some(number("15551230002")), times: Some(2) };
        rules.add(&fault).expect("a good rule").expect("a rule for messages");
        assert_eq!(effect(&rules, "15551230003"), None);
        assert_eq!(effect(&rules, "15551230002"), Some(Effect::AckError { code: 463 }));
        assert_eq!(rules.list().len(), 1);
        assert_eq!(effect(&rules, "15551230002"), Some(Effect::AckError { code: 463 }));
        assert_eq!(effect(&rules, "15551230002"), None);
        assert!(rules.list().is_empty());
    }

    #[test]
    fn a_rule_without_limit_lasts_until_it_is_taken_back() {
        let rules = FaultRules::default();
        let fault = Fault::NoAck { from: Some(from().account), to: None, times: None, deliver: true };
        let id = rules.add(&fault).expect("good").expect("a rule");
        for _ in 0..10 {
            assert_eq!(effect(&rules, "15551230002"), Some(Effect::NoAck { deliver: true }));
        }
        assert!(rules.remove(id));
        assert!(!rules.remove(id));
        assert_eq!(effect(&rules, "15551230002"), None);
        rules.add(&fault).expect("good");
        assert_eq!(rules.clear(), 1);
        assert_eq!(effect(&rules, "15551230002"), None);
    }

    #[test]
    fn matches_pass_first_when_the_rule_says_so() {
        let rules = FaultRules::default();
        let rule = FaultRule { skip: 2, times: Some(1), ..FaultRule::new(Effect::NoAck { deliver: false }) };
        rules.add(&Fault::Rule(rule)).expect("good");
        let hits: Vec<bool> = (0..5).map(|_| effect(&rules, "15551230002").is_some()).collect();
        assert_eq!(hits, [false, false, true, false, false]);
    }

    #[test]
    fn an_effect_without_a_stanza_does_not_wait_and_hits_whom_it_names() {
        let rules = FaultRules::default();
        let rule = FaultRule { times: Some(2), ..FaultRule::new(Effect::CorruptFrame) };
        assert_eq!(rules.add(&Fault::Rule(rule.clone())).expect("good"), None);
        let device = |device| DeviceAddress { account: number("15551230001"), device };
        assert_eq!(FaultRules::at_once(&rule, (1..5).map(device)), [device(1), device(2)]);
        let rule = FaultRule { account: Some(number("15551230009")), ..rule };
        assert!(FaultRules::at_once(&rule, (1..5).map(device)).is_empty());
    }

    #[test]
    fn an_account_is_locked_out_only_by_a_rule_for_all_its_messages() {
        let rules = FaultRules::default();
        let account = from().account;
        let ack = |from, to| Fault::AckError { code: 463, from, to, times: None };
        rules.add(&ack(None, Some(number("15551230002")))).expect("good");
        rules.add(&ack(Some(number("15551230009")), None)).expect("good");
        assert!(!rules.refuses_all(account, 463));
        rules.add(&ack(Some(account), None)).expect("good");
        assert!(rules.refuses_all(account, 463));
        assert!(!rules.refuses_all(account, 479));
    }

    /// The engine against the plainest model: the first rule in order that matches and is not used up.
    #[test]
    fn the_oldest_matching_rule_wins() {
        let mut rng = StdRng::seed_from_u64(3);
        let number =
            |rng: &mut StdRng| PhoneNumber::from_u64(15_551_230_000 + rng.random_range(0..3)).expect("in range");
        for round in 0..500 {
            let rules = FaultRules::default();
            let mut model = Vec::new();
            for index in 0..rng.random_range(0..6) {
                let effect = Effect::AckError { code: 400 + index };
                let account = rng.random_bool(0.5).then(|| number(&mut rng));
                let phone = rng.random_bool(0.5).then(|| number(&mut rng));
                let times = rng.random_range(1..4);
                let rule = FaultRule { account, phone, times: Some(times), ..FaultRule::new(effect.clone()) };
                rules.add(&Fault::Rule(rule)).expect("good");
                model.push((account, phone, times, effect));
            }
            for _ in 0..rng.random_range(0..30) {
                let (from, to) = (DeviceAddress { account: number(&mut rng), device: 1 }, number(&mut rng));
                let expected = model.iter_mut().find(|(account, phone, left, _)| {
                    *left > 0
                        && account.is_none_or(|account| account == from.account)
                        && phone.is_none_or(|phone| phone == to)
                });
                let expected = expected.map(|(_, _, left, effect)| {
                    *left -= 1;
                    effect.clone()
                });
                assert_eq!(rules.message(from, to).map(|hit| hit.effect), expected, "round {round}");
            }
        }
    }
}
