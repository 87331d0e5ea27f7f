//! What the rules mean for one occasion, with its entry in the journal.

use std::time::Duration;

use super::engine::{FaultRules, Hit};
use super::rule::{Effect, Facts, ReceiptKind};
use crate::account::{Account, DeviceAddress, PhoneNumber};
use crate::config::MagicEnding;
use crate::journal::JournalEvent;
use crate::world::World;

/// Whether a message is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Taken and acknowledged.
    Accept,
    /// Refused with a code.
    Error(u16),
    /// Not answered.
    Silence { deliver: bool },
}

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageFate {
    pub verdict: Verdict,
    /// How long the acknowledgement takes.
    pub ack_after: Duration,
    /// Acknowledgements beyond the first.
    pub ack_copies: u16,
}

impl MessageFate {
    /// Taken, and acknowledged once and at once.
    pub(crate) const ACCEPT: Self = Self { verdict: Verdict::Accept, ack_after: Duration::ZERO, ack_copies: 0 };

    fn of(verdict: Verdict) -> Self {
        Self { verdict, ..Self::ACCEPT }
    }
}

/// What happens to one receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiptFate {
    /// It is sent this many times, so much later.
    Send { copies: u16, later: Duration },
    /// It is lost.
    Lost,
}

impl World {
    fn fired(&self, hit: &Hit, device: Option<DeviceAddress>, phone: Option<PhoneNumber>, id: Option<&str>) {
        self.log(JournalEvent::FaultFired {
            fault: hit.fault,
            effect: hit.effect.name(),
            device,
            phone,
            id: id.map(str::to_owned),
        });
    }

    /// What happens to a message, by the rules of faults, by what restricts the account, and by the
    /// number's ending.
    pub(crate) fn fate(&self, from: DeviceAddress, to: PhoneNumber, id: &str) -> MessageFate {
        if let Some(fate) = self.ruled(from, to, id) {
            return fate;
        }
        if let Some(code) = self.restricted(from.account, to) {
            return MessageFate::of(Verdict::Error(code));
        }
        match self.config.phones.ending(to) {
            Some(MagicEnding::AckError(code)) => MessageFate::of(Verdict::Error(code)),
            Some(MagicEnding::NoAck) => MessageFate::of(Verdict::Silence { deliver: false }),
            _ => MessageFate::ACCEPT,
        }
    }

    /// What happens to a message to a group. No number stands for a group, so only rules for all recipients apply: the
    /// sender's own number is none that it writes to.
    pub(crate) fn fate_in_group(&self, from: DeviceAddress, id: &str) -> MessageFate {
        self.ruled(from, from.account, id).unwrap_or(MessageFate::ACCEPT)
    }

    /// What a rule has for a message.
    fn ruled(&self, from: DeviceAddress, to: PhoneNumber, id: &str) -> Option<MessageFate> {
        let hit = self.faults.message(from, to)?;
        self.fired(&hit, Some(from), Some(to), Some(id));
        match hit.effect {
            Effect::AckError { code } => Some(MessageFate::of(Verdict::Error(code))),
            Effect::NoAck { deliver } => Some(MessageFate::of(Verdict::Silence { deliver })),
            Effect::SlowAck { delay_ms } => {
                Some(MessageFate { ack_after: Duration::from_millis(delay_ms), ..MessageFate::ACCEPT })
            }
            Effect::DuplicateAck { copies } => Some(MessageFate { ack_copies: copies, ..MessageFate::ACCEPT }),
            _ => None,
        }
    }

    /// The error of a message that begins a chat which its account may not begin.
    fn restricted(&self, from: PhoneNumber, to: PhoneNumber) -> Option<u16> {
        if !self.restrictions.watches(from) || self.have_a_chat(from, to) {
            return None;
        }
        self.restrictions.begin_chat(from, to, self.now_millis())
    }

    /// Whether one of two accounts has got a message of the other before.
    fn have_a_chat(&self, one: PhoneNumber, other: PhoneNumber) -> bool {
        let got = |account: PhoneNumber, from: PhoneNumber| {
            let account: Option<std::sync::Arc<Account>> = self.registry.get(account);
            account.is_some_and(|account| account.phone().messages().iter().any(|message| message.from == from))
        };
        got(one, other) || got(other, one)
    }

    /// The failure with which a rule refuses a login: code and the seconds it names.
    pub(crate) fn login_fault(&self, device: DeviceAddress) -> Option<(u16, Option<u64>)> {
        let hit = self.faults.login(device)?;
        self.fired(&hit, Some(device), None, None);
        match hit.effect {
            Effect::LoginFailure { code, expire_secs } => Some((code, expire_secs)),
            _ => None,
        }
    }

    /// What happens to the receipt of `phone` for message `id`.
    pub(crate) fn receipt_fate(&self, to: DeviceAddress, phone: PhoneNumber, id: &str, read: bool) -> ReceiptFate {
        let covers = |effect: &Effect| match effect {
            Effect::LoseReceipt { receipt }
            | Effect::LateReceipt { receipt, .. }
            | Effect::DuplicateReceipt { receipt, .. } => ReceiptKind::covers(*receipt, read),
            _ => false,
        };
        let whole = ReceiptFate::Send { copies: 1, later: Duration::ZERO };
        let Some(hit) = self.faults.receipt(to, phone, covers) else {
            return whole;
        };
        self.fired(&hit, Some(to), Some(phone), Some(id));
        match hit.effect {
            Effect::LoseReceipt { .. } => ReceiptFate::Lost,
            Effect::LateReceipt { delay_ms, .. } => {
                ReceiptFate::Send { copies: 1, later: Duration::from_millis(delay_ms) }
            }
            Effect::DuplicateReceipt { copies, .. } => {
                ReceiptFate::Send { copies: copies.saturating_add(1), later: Duration::ZERO }
            }
            _ => whole,
        }
    }

    /// Whether the read receipt of message `id` comes before its delivery receipt.
    pub(crate) fn swaps_receipts(&self, to: DeviceAddress, phone: PhoneNumber, id: &str) -> bool {
        let hit = self.faults.receipt(to, phone, |effect| *effect == Effect::SwapReceipts);
        if let Some(hit) = &hit {
            self.fired(hit, Some(to), Some(phone), Some(id));
        }
        hit.is_some()
    }

    /// What happens on a stanza's way over the connection of `device`.
    pub(crate) fn stanza_fault<'a>(
        &self,
        device: Option<DeviceAddress>,
        facts: impl FnOnce() -> Facts<'a>,
    ) -> Option<Effect> {
        let (hit, id) = self.faults.stanza(device, facts)?;
        self.fired(&hit, device, None, Some(&id));
        Some(hit.effect)
    }

    /// The connected devices that an effect without a stanza hits now.
    pub(crate) fn hit_at_once(&self, rule: &super::FaultRule) -> Vec<DeviceAddress> {
        let accounts = self.registry.all();
        let connected = accounts.iter().flat_map(|account| account.linked()).filter(|device| device.link().is_some());
        FaultRules::at_once(rule, connected.map(|device| device.address))
    }

    /// Whether the account is locked out of new chats, and until when: by a timelock, or by a rule that
    /// refuses whatever it sends with 463.
    pub(crate) fn timelock(&self, account: PhoneNumber) -> Option<super::Timelock> {
        const TIMELOCKED: u16 = 463;
        let own = self.restrictions.of(account, self.now_millis()).timelock;
        own.or_else(|| self.faults.refuses_all(account, TIMELOCKED).then(|| super::Timelock::new(None, None)))
    }
}
