//! Faults on demand.
//!
//! Some happen at once to a device; others are rules that wait for a matching message or login.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::account::{Ban, DeviceAddress, PhoneNumber};
use crate::error::SimError;

/// Something that goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// Cut a device's connection without a word, now.
    DropConnection {
        /// The account.
        account: PhoneNumber,
        /// The linked device.
        device: u16,
    },
    /// Log a linked device out as its phone's owner would, now. Later logins fail with 401.
    LogOut {
        /// The account.
        account: PhoneNumber,
        /// The linked device.
        device: u16,
    },
    /// End a device's stream with an error code (like 503, 429 or 515), now.
    StreamError {
        /// The account.
        account: PhoneNumber,
        /// The linked device.
        device: u16,
        /// The code.
        code: u16,
    },
    /// Answer matching messages with an error; they do not reach the phone.
    AckError {
        /// The error code, like 463 or 479.
        code: u16,
        /// Only messages of this account.
        #[serde(default)]
        from: Option<PhoneNumber>,
        /// Only messages to this number.
        #[serde(default)]
        to: Option<PhoneNumber>,
        /// How many messages; without limit when absent.
        #[serde(default)]
        times: Option<u32>,
    },
    /// Do not answer matching messages.
    NoAck {
        /// Only messages of this account.
        #[serde(default)]
        from: Option<PhoneNumber>,
        /// Only messages to this number.
        #[serde(default)]
        to: Option<PhoneNumber>,
        /// How many messages; without limit when absent.
        #[serde(default)]
        times: Option<u32>,
        /// Whether the phone gets them all the same: the answer is lost, not the message.
        #[serde(default)]
        deliver: bool,
    },
    /// Ban an account: end its connections and refuse its logins.
    Ban {
        /// The account.
        account: PhoneNumber,
        /// Seconds until the ban ends, as told to the client; for good when absent. The simulator
        /// itself lifts a ban only on [`Fault::LiftBan`].
        #[serde(default)]
        expire_secs: Option<u64>,
    },
    /// Let a banned account log in again.
    LiftBan {
        /// The account.
        account: PhoneNumber,
    },
}

/// Names a waiting rule, to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FaultId(pub u64);

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageFate {
    /// Taken and acknowledged.
    Accept,
    /// Refused with a code.
    Error(u16),
    /// Not answered.
    Silence { deliver: bool },
}

#[derive(Debug)]
struct Rule {
    id: u64,
    fault: Fault,
    from: Option<PhoneNumber>,
    to: Option<PhoneNumber>,
    fate: MessageFate,
    /// Messages left; `u64::MAX` for no limit.
    left: AtomicU64,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct FaultRules {
    rules: RwLock<Vec<Rule>>,
    /// So that a simulator without faults takes no lock per message.
    count: AtomicUsize,
    last: AtomicU64,
}

impl Fault {
    /// The code of WhatsApp for a ban.
    pub(crate) fn ban(expire_secs: Option<u64>) -> Ban {
        const TOO_MANY_MESSAGES: u16 = 101;
        match expire_secs {
            Some(expire_secs) => Ban::Temporary { code: TOO_MANY_MESSAGES, expire_secs },
            None => Ban::Permanent,
        }
    }
}

impl FaultRules {
    /// Adds a rule for messages. `None` when the fault is not such a rule.
    pub(crate) fn add(&self, fault: &Fault) -> Result<Option<FaultId>, SimError> {
        let (from, to, times, fate) = match *fault {
            Fault::AckError { code, from, to, times } if (400..=599).contains(&code) => {
                (from, to, times, MessageFate::Error(code))
            }
            Fault::AckError { .. } => {
                return Err(SimError::BadFault { reason: "the code of an ack error is between 400 and 599" });
            }
            Fault::NoAck { from, to, times, deliver } => (from, to, times, MessageFate::Silence { deliver }),
            _ => return Ok(None),
        };
        if times == Some(0) {
            return Err(SimError::BadFault { reason: "times must be at least 1, or absent for no limit" });
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let left = AtomicU64::new(times.map_or(u64::MAX, u64::from));
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.retain(|rule| rule.left.load(Ordering::Relaxed) > 0);
        rules.push(Rule { id, fault: fault.clone(), from, to, fate, left });
        self.count.store(rules.len(), Ordering::Release);
        Ok(Some(FaultId(id)))
    }

    /// Takes a rule back. Returns whether it was there.
    pub(crate) fn remove(&self, id: FaultId) -> bool {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        let before = rules.len();
        rules.retain(|rule| rule.id != id.0);
        self.count.store(rules.len(), Ordering::Release);
        rules.len() < before
    }

    /// The rules that still have messages left.
    pub(crate) fn list(&self) -> Vec<(FaultId, Fault)> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules
            .iter()
            .filter(|rule| rule.left.load(Ordering::Relaxed) > 0)
            .map(|rule| (FaultId(rule.id), rule.fault.clone()))
            .collect()
    }

    /// Decides about one message. The oldest matching rule wins and is used up by one.
    pub(crate) fn fate(&self, from: DeviceAddress, to: PhoneNumber) -> MessageFate {
        if self.count.load(Ordering::Acquire) == 0 {
            return MessageFate::Accept;
        }
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        for rule in rules.iter() {
            let matches =
                rule.from.is_none_or(|account| account == from.account) && rule.to.is_none_or(|number| number == to);
            let use_up = |left: u64| match left {
                0 => None,
                u64::MAX => Some(u64::MAX),
                left => Some(left - 1),
            };
            if matches && rule.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, use_up).is_ok() {
                return rule.fate;
            }
        }
        MessageFate::Accept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        text.parse().expect("valid")
    }

    #[test]
    fn a_rule_matches_its_numbers_and_is_used_up() {
        let rules = FaultRules::default();
        let from = DeviceAddress { account: number("15551230001"), device: 1 };
        let to = number("15551230002");
        assert_eq!(rules.fate(from, to), MessageFate::Accept);
        let fault = Fault::AckError { code: 463, from: None, to: Some(to), times: Some(2) };
        rules.add(&fault).expect("a good rule").expect("a rule for messages");
        assert_eq!(rules.fate(from, number("15551230003")), MessageFate::Accept);
        assert_eq!(rules.fate(from, to), MessageFate::Error(463));
        assert_eq!(rules.list().len(), 1);
        assert_eq!(rules.fate(from, to), MessageFate::Error(463));
        assert_eq!(rules.fate(from, to), MessageFate::Accept);
        assert!(rules.list().is_empty());
    }

    #[test]
    fn a_rule_without_limit_lasts_until_it_is_taken_back() {
        let rules = FaultRules::default();
        let from = DeviceAddress { account: number("15551230001"), device: 1 };
        let fault = Fault::NoAck { from: Some(from.account), to: None, times: None, deliver: true };
        let id = rules.add(&fault).expect("good").expect("a rule");
        for _ in 0..10 {
            assert_eq!(rules.fate(from, number("15551230002")), MessageFate::Silence { deliver: true });
        }
        assert!(rules.remove(id));
        assert!(!rules.remove(id));
        assert_eq!(rules.fate(from, number("15551230002")), MessageFate::Accept);
    }

    #[test]
    fn rules_that_can_not_be_meant_are_refused() {
        let rules = FaultRules::default();
        let ack = |code, times| Fault::AckError { code, from: None, to: None, times };
        assert!(rules.add(&ack(200, None)).is_err());
        assert!(rules.add(&ack(463, Some(0))).is_err());
    }

    #[test]
    fn faults_read_from_json_refuse_unknown_fields() {
        let good = r#"{"kind":"ack_error","code":463,"to":"15551230002"}"#;
        assert!(serde_json::from_str::<Fault>(good).is_ok());
        let bad = r#"{"kind":"ack_error","code":463,"tow":"15551230002"}"#;
        assert!(serde_json::from_str::<Fault>(bad).is_err());
    }
}
