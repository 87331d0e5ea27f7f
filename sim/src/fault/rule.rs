//! What a rule says: when it holds and what it does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wacore_binary::{Node, NodeRef};

pub use super::chance::Probability;
use crate::account::{DeviceAddress, PhoneNumber};
use crate::error::SimError;

/// Longest delay that a fault may ask for: a day.
const LONGEST_MS: u64 = 86_400_000;
/// Most copies that a fault may make of one stanza.
const MOST_COPIES: u16 = 100;

/// A fault that waits for its occasion.
///
/// What is absent does not narrow it. Of several rules that match the same occasion the oldest one
/// wins; the occasions are a message's acknowledgement, a login, a receipt, and a stanza's way over
/// a connection, and each is decided by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Only this account: who sends the message, logs in, is connected, or gets the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<PhoneNumber>,
    /// Only this linked device of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<u16>,
    /// Only this phone on the other side: to which the message goes, from which the receipt comes, or
    /// which the stanza names as `to` or `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneNumber>,
    /// Only stanzas like this, for effects on connections. Such an effect without it happens at once to
    /// every connected device that the rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stanza: Option<StanzaMatch>,
    /// Let this many matches pass first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u32,
    /// How often; without limit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How likely each match is to be hit; certain when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub probability: Option<Probability>,
    /// Where the chance comes from: the same seed makes the same decisions for each device.
    #[serde(default)]
    pub seed: u64,
    /// What happens.
    pub effect: Effect,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn one() -> u16 {
    1
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Effect {
    /// Answer a message with an error; it does not reach the phone.
    AckError {
        /// The error code, like 463, 479, 400 or 429.
        code: u16,
    },
    /// Take a message, but answer late.
    SlowAck {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// Do not answer a message.
    NoAck {
        /// Whether the phone gets it all the same.
        #[serde(default)]
        deliver: bool,
    },
    /// Take a message and answer more than once.
    DuplicateAck {
        /// Answers beyond the first.
        #[serde(default = "one")]
        copies: u16,
    },
    /// Refuse a login of a linked device with this failure. The device stays linked.
    LoginFailure {
        /// 401 logged out, 402 banned for a time, 403 banned, 405 client too old, 503 or 500 try later.
        code: u16,
        /// Seconds that a 402 names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expire_secs: Option<u64>,
    },
    /// Lose a receipt.
    LoseReceipt {
        /// Which.
        #[serde(default)]
        receipt: ReceiptKind,
    },
    /// Send a receipt later than the phone would.
    LateReceipt {
        /// Which.
        #[serde(default)]
        receipt: ReceiptKind,
        /// Additional milliseconds.
        delay_ms: u64,
    },
    /// Send a receipt more than once.
    DuplicateReceipt {
        /// Which.
        #[serde(default)]
        receipt: ReceiptKind,
        /// Receipts beyond the first.
        #[serde(default = "one")]
        copies: u16,
    },
    /// Send the read receipt of a message before its delivery receipt.
    SwapReceipts,
    /// End the stream with an error code instead of the stanza.
    StreamError {
        /// The code, like 515, 503 or 429.
        code: u16,
    },
    /// Log the device out instead of the stanza, with stream error 401 `device_removed`.
    DeviceRemoved,
    /// Tell the device instead of the stanza that another connection replaced it.
    Replaced,
    /// Cut the connection without a word.
    Cut {
        /// When.
        #[serde(default)]
        moment: Moment,
    },
    /// Stop reading and writing, but keep the socket open. The stanza is lost.
    HalfOpen {
        /// Milliseconds until it goes on; for ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Send a frame that can't be decrypted: instead of a stanza to the client, or in front of the answer
    /// to one of the client. whatsapp-rust 0.7 skips such a frame and goes on.
    CorruptFrame,
    /// From now on read only one WebSocket message per so many milliseconds.
    SlowReading {
        /// Milliseconds.
        delay_ms: u64,
    },
}

/// When a connection is cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the stanza: it is neither handled nor written.
    #[default]
    Before,
    /// During: half of its frame is written. A stanza of the client is handled, and half of the first
    /// answer is written.
    During,
    /// After the stanza, and after the answers if it was the client's.
    After,
}

/// Which receipts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptKind {
    /// Both kinds.
    #[default]
    Any,
    /// The message arrived.
    Delivered,
    /// The message was read.
    Read,
}

impl ReceiptKind {
    /// Whether a receipt of this kind is meant.
    pub(crate) fn covers(self, read: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Delivered => !read,
            Self::Read => read,
        }
    }
}

/// Which way a stanza goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The client sends it.
    FromClient,
    /// The client gets it.
    ToClient,
}

/// Which stanzas. What is absent does not narrow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StanzaMatch {
    /// The tag, like `message`, `iq` or `receipt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The namespace, like `encrypt` or `usync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmlns: Option<String>,
    /// How the id begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// Which way it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
}

/// What a rule looks at in a stanza.
pub(crate) struct Facts<'a> {
    direction: Direction,
    tag: &'a str,
    pub id: Cow<'a, str>,
    xmlns: Cow<'a, str>,
    phone: Option<PhoneNumber>,
}

impl<'a> Facts<'a> {
    /// Of a stanza from the client.
    pub(crate) fn incoming(node: &'a NodeRef<'_>) -> Self {
        let text = |name| node.get_attr(name).map(|value| value.as_str()).unwrap_or_default();
        let phone = node.get_attr("to").and_then(|to| DeviceAddress::from_jid(&to.to_jid()?));
        Self {
            direction: Direction::FromClient,
            tag: node.tag.as_ref(),
            id: text("id"),
            xmlns: text("xmlns"),
            phone: phone.map(|address| address.account),
        }
    }

    /// Of a stanza to the client.
    pub(crate) fn outgoing(node: &'a Node) -> Self {
        let text = |name| node.attrs.get(name).map(|value| value.as_str()).unwrap_or_default();
        let phone = node.attrs.get("from").and_then(|from| DeviceAddress::from_jid(&from.to_jid()?));
        Self {
            direction: Direction::ToClient,
            tag: node.tag.as_ref(),
            id: text("id"),
            xmlns: text("xmlns"),
            phone: phone.map(|address| address.account),
        }
    }
}

impl StanzaMatch {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        self.direction.is_none_or(|direction| direction == facts.direction)
            && self.tag.as_ref().is_none_or(|tag| tag == facts.tag)
            && self.xmlns.as_ref().is_none_or(|xmlns| *xmlns == facts.xmlns)
            && self.id_prefix.as_ref().is_none_or(|prefix| facts.id.starts_with(prefix.as_str()))
    }
}

/// What a rule waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Message,
    Login,
    Receipt,
    Stanza,
    /// Nothing: it happens at once.
    Now,
}

impl Effect {
    /// The effect's name, as it is written.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::AckError { .. } => "ack_error",
            Self::SlowAck { .. } => "slow_ack",
            Self::NoAck { .. } => "no_ack",
            Self::DuplicateAck { .. } => "duplicate_ack",
            Self::LoginFailure { .. } => "login_failure",
            Self::LoseReceipt { .. } => "lose_receipt",
            Self::LateReceipt { .. } => "late_receipt",
            Self::DuplicateReceipt { .. } => "duplicate_receipt",
            Self::SwapReceipts => "swap_receipts",
            Self::StreamError { .. } => "stream_error",
            Self::DeviceRemoved => "device_removed",
            Self::Replaced => "replaced",
            Self::Cut { .. } => "cut",
            Self::HalfOpen { .. } => "half_open",
            Self::CorruptFrame => "corrupt_frame",
            Self::SlowReading { .. } => "slow_reading",
        }
    }
}

impl FaultRule {
    /// A rule that matches everything, for ever.
    pub fn new(effect: Effect) -> Self {
        Self {
            account: None,
            device: None,
            phone: None,
            stanza: None,
            skip: 0,
            times: None,
            probability: None,
            seed: 0,
            effect,
        }
    }

    pub(super) fn occasion(&self) -> Occasion {
        match &self.effect {
            Effect::AckError { .. } | Effect::SlowAck { .. } | Effect::NoAck { .. } | Effect::DuplicateAck { .. } => {
                Occasion::Message
            }
            Effect::LoginFailure { .. } => Occasion::Login,
            Effect::LoseReceipt { .. }
            | Effect::LateReceipt { .. }
            | Effect::DuplicateReceipt { .. }
            | Effect::SwapReceipts => Occasion::Receipt,
            _ if self.stanza.is_some() => Occasion::Stanza,
            _ => Occasion::Now,
        }
    }

    /// Refuses what can not be meant.
    pub(super) fn check(&self) -> Result<(), SimError> {
        let wrong = |reason| Err(SimError::BadFault { reason });
        match &self.effect {
            Effect::AckError { code } if !(400..=599).contains(code) => {
                return wrong("the code of an ack error is between 400 and 599");
            }
            Effect::StreamError { code } if !(400..=599).contains(code) => {
                return wrong("the code of a stream error is between 400 and 599");
            }
            Effect::LoginFailure { code, .. } if !(400..=599).contains(code) => {
                return wrong("the code of a login failure is between 400 and 599");
            }
            Effect::SlowAck { delay_ms } | Effect::LateReceipt { delay_ms, .. } | Effect::SlowReading { delay_ms }
                if *delay_ms == 0 || *delay_ms > LONGEST_MS =>
            {
                return wrong("delay_ms is between 1 and 86400000 (a day)");
            }
            Effect::HalfOpen { for_ms: Some(for_ms) } if *for_ms == 0 || *for_ms > LONGEST_MS => {
                return wrong("for_ms is between 1 and 86400000 (a day), or absent for ever");
            }
            Effect::DuplicateAck { copies } | Effect::DuplicateReceipt { copies, .. }
                if *copies == 0 || *copies > MOST_COPIES =>
            {
                return wrong("copies is between 1 and 100");
            }
            _ => {}
        }
        if self.times == Some(0) {
            return wrong("times must be at least 1, or absent for no limit");
        }
        if self.device.is_some() && self.account.is_none() {
            return wrong("device needs the account it belongs to");
        }
        let on_stanzas = matches!(self.occasion(), Occasion::Stanza | Occasion::Now);
        if self.stanza.is_some() && !on_stanzas {
            return wrong("stanza goes with effects on connections only");
        }
        if self.phone.is_some() && matches!(self.occasion(), Occasion::Login | Occasion::Now) {
            return wrong("phone does not narrow this effect; leave it out, or name a stanza");
        }
        Ok(())
    }

    /// Whether the rule is about this device and the phone on the other side.
    pub(super) fn concerns(&self, device: Option<DeviceAddress>, phone: Option<PhoneNumber>) -> bool {
        self.account.is_none_or(|account| device.is_some_and(|device| device.account == account))
            && self.device.is_none_or(|id| device.is_some_and(|device| device.device == id))
            && self.phone.is_none_or(|number| phone == Some(number))
    }

    /// Whether the rule is about this stanza of this device.
    pub(super) fn catches(&self, device: Option<DeviceAddress>, facts: &Facts<'_>) -> bool {
        self.concerns(device, facts.phone) && self.stanza.as_ref().is_some_and(|stanza| stanza.fits(facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use wacore_binary::builder::NodeBuilder;

    #[test]
    fn rules_that_can_not_be_meant_are_refused() {
        let bad = [
            FaultRule::new(Effect::AckError { code: 200 }),
            FaultRule { times: Some(0), ..FaultRule::new(Effect::NoAck { deliver: true }) },
            FaultRule { device: Some(1), ..FaultRule::new(Effect::CorruptFrame) },
            FaultRule { stanza: Some(StanzaMatch::default()), ..FaultRule::new(Effect::SwapReceipts) },
            FaultRule::new(Effect::SlowAck { delay_ms: 0 }),
            FaultRule::new(Effect::DuplicateAck { copies: 0 }),
            FaultRule::new(Effect::HalfOpen { for_ms: Some(LONGEST_MS + 1) }),
            FaultRule::new(Effect::StreamError { code: 7 }),
            FaultRule::new(Effect::LoginFailure { code: 0, expire_secs: None }),
        ];
        for rule in bad {
            assert!(rule.check().is_err(), "{rule:?}");
        }
        let phone = Some("15551230002".parse().expect("valid"));
        assert!(FaultRule { phone, ..FaultRule::new(Effect::CorruptFrame) }.check().is_err());
    }

    /// One of these, or none.
    fn maybe<'a>(rng: &mut StdRng, texts: &[&'a str]) -> Option<&'a str> {
        texts.get(rng.random_range(0..=texts.len())).copied()
    }

    #[test]
    fn a_stanza_is_caught_exactly_when_each_given_part_fits() {
        let mut rng = StdRng::seed_from_u64(2);
        let mut caught = 0;
        for _ in 0..5_000 {
            let (tag, xmlns) = (maybe(&mut rng, &["a", "b"]), maybe(&mut rng, &["x", "y"]));
            let prefix = maybe(&mut rng, &["", "0", "1", "01", "11"]);
            let direction = [None, Some(Direction::ToClient), Some(Direction::FromClient)][rng.random_range(0..3)];
            let stanza = StanzaMatch {
                tag: tag.map(str::to_owned),
                xmlns: xmlns.map(str::to_owned),
                id_prefix: prefix.map(str::to_owned),
                direction,
            };
            let rule = FaultRule { stanza: Some(stanza), ..FaultRule::new(Effect::CorruptFrame) };
            let node_tag = ["a", "b"][rng.random_range(0..2)];
            let node_xmlns = ["x", "y"][rng.random_range(0..2)];
            let id = ["00", "01", "10", "11"][rng.random_range(0..4)];
            let node = NodeBuilder::new(node_tag).attr("id", id).attr("xmlns", node_xmlns).build();
            let mut facts = Facts::outgoing(&node);
            facts.direction = [Direction::ToClient, Direction::FromClient][rng.random_range(0..2)];
            let expected = tag.is_none_or(|tag| tag == node_tag)
                && xmlns.is_none_or(|xmlns| xmlns == node_xmlns)
                && prefix.is_none_or(|prefix| id.starts_with(prefix))
                && direction.is_none_or(|direction| direction == facts.direction);
            assert_eq!(rule.catches(None, &facts), expected, "{rule:?} at {node_tag} {node_xmlns} {id}");
            caught += u32::from(expected);
        }
        assert!((500..4_500).contains(&caught), "{caught}");
    }

    #[test]
    fn a_rule_concerns_exactly_whom_it_names() {
        let number = |last: u64| PhoneNumber::from_u64(15_551_230_000 + last).expect("in range");
        let choices = [None, Some(0), Some(1), Some(2)];
        for index in 0..64 {
            let (account, device, phone) = (choices[index / 16], choices[index / 4 % 4], choices[index % 4]);
            let rule = FaultRule {
                account: account.map(number),
                device: device.map(|device| u16::try_from(device).expect("small")),
                phone: phone.map(number),
                ..FaultRule::new(Effect::SwapReceipts)
            };
            let address = DeviceAddress { account: number(1), device: 1 };
            let expected = [account, device, phone].iter().all(|part| part.is_none_or(|part| part == 1));
            assert_eq!(rule.concerns(Some(address), Some(number(1))), expected, "{rule:?}");
            let nobody = account.is_none() && device.is_none() && phone.is_none();
            assert_eq!(rule.concerns(None, None), nobody, "{rule:?}");
        }
    }
}
