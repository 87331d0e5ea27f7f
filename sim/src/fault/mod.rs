//! Faults on demand.
//!
//! A [`Fault`] either happens at once, or is a rule that waits for its occasion: a message, a login,
//! a receipt or any stanza. Rules are narrowed by account, device, phone, and chance.

mod chance;
mod decide;
mod engine;
mod order;
mod restriction;
mod rule;
mod scenario;
mod schedule;

use serde::{Deserialize, Serialize};

use crate::account::PhoneNumber;

pub(crate) use decide::{MessageFate, ReceiptFate, Verdict};
pub(crate) use engine::FaultRules;
pub(crate) use order::order;
pub(crate) use restriction::{NewChatQuota, Restriction, Restrictions, Timelock, quota_json, timelock_json};
pub(crate) use rule::Facts;
pub use rule::{Direction, Effect, FaultRule, Moment, Probability, ReceiptKind, StanzaMatch};
pub use scenario::{Scenario, ScenarioStep};
pub(crate) use schedule::run as run_scenario;

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
        /// Seconds until the ban ends by the simulator's clock; a login before is told how many are
        /// left. For good when absent.
        #[serde(default)]
        expire_secs: Option<u64>,
    },
    /// Let a banned account log in again.
    LiftBan {
        /// The account.
        account: PhoneNumber,
    },
    /// Lock an account out of new chats: messages to numbers with which it has no chat yet get ack
    /// error 463. Its devices are notified, and their queries for the timelock tell of it.
    ReachoutTimelock {
        /// The account.
        account: PhoneNumber,
        /// Seconds until it ends by the simulator's clock; until it is lifted when absent.
        #[serde(default)]
        for_secs: Option<u64>,
        /// Why, in WhatsApp's words, like `BIZ_QUALITY`; `DEFAULT` when absent.
        #[serde(default)]
        enforcement_type: Option<String>,
    },
    /// End an account's timelock, and notify its devices.
    LiftTimelock {
        /// The account.
        account: PhoneNumber,
    },
    /// Let an account begin only so many new chats. Messages to further numbers get an ack error;
    /// its devices are notified, and their queries for the quota tell what is used.
    NewChatQuota {
        /// The account.
        account: PhoneNumber,
        /// New chats it may begin; without any limit, as at the start, when absent.
        #[serde(default)]
        total: Option<u32>,
        /// Seconds until the count begins anew by the simulator's clock; a day when absent.
        #[serde(default)]
        cycle_secs: Option<u64>,
        /// The error beyond the quota: 463 when absent. whatsapp-rust 0.7 and Baileys 7 also know 475
        /// by the name of capped new chats.
        #[serde(default)]
        code: Option<u16>,
    },
    /// A rule for messages, logins, receipts or stanzas.
    Rule(FaultRule),
}

/// Names a waiting rule, to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FaultId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_read_from_json_refuse_unknown_fields() {
        let good = r#"{"kind":"ack_error","code":463,"to":"15551230002"}"#;
        assert!(serde_json::from_str::<Fault>(good).is_ok());
        let bad = r#"{"kind":"ack_error","code":463,"tow":"15551230002"}"#;
        assert!(serde_json::from_str::<Fault>(bad).is_err());
    }

    #[test]
    fn a_rule_reads_from_json_and_refuses_what_it_does_not_know() {
        let good = r#"{"kind":"rule","account":"15551230001","probability":0.5,"seed":7,
            "effect":{"do":"cut","moment":"during"},"stanza":{"tag":"message","direction":"from_client"}}"#;
        let Fault::Rule(rule) = serde_json::from_str(good).expect("a rule") else {
            panic!("another fault");
        };
        assert_eq!(rule.effect, Effect::Cut { moment: Moment::During });
        let written = serde_json::to_string(&Fault::Rule(rule.clone())).expect("writes");
        assert_eq!(serde_json::from_str::<Fault>(&written).expect("reads"), Fault::Rule(rule));
        for bad in [
            r#"{"kind":"rule","effect":{"do":"cut","momend":"during"}}"#,
            r#"{"kind":"rule","effect":{"do":"cut"},"acount":"15551230001"}"#,
            r#"{"kind":"rule","effect":{"do":"cut"},"stanza":{"tags":"message"}}"#,
            r#"{"kind":"rule","effect":{"do":"cut"},"probability":1.5}"#,
            r#"{"kind":"rule","effect":{"do":"vanish"}}"#,
        ] {
            assert!(serde_json::from_str::<Fault>(bad).is_err(), "{bad}");
        }
    }
}
