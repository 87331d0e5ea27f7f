//! How one simulator behaves. Everything that differs between two simulators of one process is here.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::account::PhoneNumber;
use crate::clock::{Clock, SystemClock};
use crate::error::SimError;
use crate::fault::Scenario;
use crate::group::Addressing;
use crate::media::MediaRules;

/// Settings of one simulator.
///
/// The default listens on free loopback ports, lets every number exist and answers at once.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where clients connect by WebSocket; port 0 takes a free one.
    pub websocket: SocketAddr,
    /// Where the HTTP control interface listens; port 0 takes a free one.
    pub control: SocketAddr,
    /// Source of every key and random choice. The same seed gives the same server keys, so that
    /// clients which remember the server's certificate accept a restarted simulator. `None` takes
    /// randomness from the operating system.
    pub seed: Option<u64>,
    /// Which numbers have WhatsApp.
    pub phones: PhonesRule,
    /// When phones answer with receipts, unless a phone was told otherwise.
    pub receipts: ReceiptDelays,
    /// How many QR codes are offered and how long each may be scanned.
    pub qr: QrTimings,
    /// How members are addressed in groups that linked devices make.
    pub group_addressing: Addressing,
    /// How files are taken, kept and handed out.
    pub media: MediaRules,
    /// How codes that are typed on the phone may be used.
    pub pair_codes: PairCodeRules,
    /// Upper bounds that protect the simulator and mimic the service.
    pub limits: Limits,
    /// Where timestamps come from.
    pub clock: Arc<dyn Clock>,
    /// A folder in which accounts, phones and devices are kept, so that they survive the end of the process.
    /// It is made if there is none. What is kept in it decides over `seed`. `None` keeps nothing.
    pub state: Option<PathBuf>,
    /// Faults that are ordered from the start on.
    pub scenario: Option<Scenario>,
}

impl Default for SimConfig {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            websocket: loopback,
            control: loopback,
            seed: None,
            phones: PhonesRule::default(),
            receipts: ReceiptDelays::default(),
            qr: QrTimings::default(),
            group_addressing: Addressing::default(),
            media: MediaRules::default(),
            pair_codes: PairCodeRules::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            state: None,
            scenario: None,
        }
    }
}

impl SimConfig {
    pub(crate) fn check(&self) -> Result<(), SimError> {
        let wrong = |setting, reason| Err(SimError::Config { setting, reason });
        if self.qr.refs == 0 || self.qr.refs > 32 {
            return wrong("qr.refs", "must be between 1 and 32");
        }
        if self.pair_codes.tries == 0 || self.pair_codes.codes_in_a_row == 0 {
            return wrong("pair_codes", "tries and codes_in_a_row must be at least 1");
        }
        if self.limits.devices_per_account == 0 {
            return wrong("limits.devices_per_account", "must be at least 1");
        }
        if self.limits.frame_bytes < 64 * 1024 {
            return wrong(
                "limits.frame_bytes",
                "must be at least 65536, or a first upload of one-time keys does not fit",
            );
        }
        if self.limits.silence.is_zero() {
            return wrong("limits.silence", "must be longer than nothing, or every client is closed at once");
        }
        if self.limits.queued_stanzas == 0 || self.limits.journal_entries == 0 {
            return wrong("limits", "queued_stanzas and journal_entries must be at least 1");
        }
        Ok(())
    }
}

/// Which numbers have WhatsApp.
#[derive(Debug, Clone, Default)]
pub struct PhonesRule {
    /// The base rule.
    pub exist: Existence,
    /// Give meaning to the last four digits of a number: `0000` is not on WhatsApp, `9NNN` (from
    /// 9400 to 9599) gets an ack with error NNN, `9999` gets no ack, `9333` asks for a retry.
    pub magic_endings: bool,
}

/// The base rule of [`PhonesRule`].
#[derive(Debug, Clone)]
pub enum Existence {
    /// Every number exists, except these.
    AllExcept(HashSet<PhoneNumber>),
    /// Only these numbers exist.
    Only(HashSet<PhoneNumber>),
}

impl Default for Existence {
    fn default() -> Self {
        Self::AllExcept(HashSet::new())
    }
}

/// What the last four digits of a number ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MagicEnding {
    /// The number has no WhatsApp.
    NotRegistered,
    /// Messages to it are refused with this code.
    AckError(u16),
    /// Messages to it are swallowed without an answer.
    NoAck,
    /// The phone asks for every message a second time.
    AsksForRetry,
}

impl PhonesRule {
    /// What the number's ending asks for, if endings have a meaning.
    pub fn ending(&self, number: PhoneNumber) -> Option<MagicEnding> {
        if !self.magic_endings {
            return None;
        }
        match number.last_four() {
            0 => Some(MagicEnding::NotRegistered),
            9999 => Some(MagicEnding::NoAck),
            9333 => Some(MagicEnding::AsksForRetry),
            code @ 9400..=9599 => Some(MagicEnding::AckError(code - 9000)),
            _ => None,
        }
    }

    /// Whether the number has WhatsApp.
    pub fn registered(&self, number: PhoneNumber) -> bool {
        if self.ending(number) == Some(MagicEnding::NotRegistered) {
            return false;
        }
        match &self.exist {
            Existence::AllExcept(absent) => !absent.contains(&number),
            Existence::Only(present) => present.contains(&number),
        }
    }
}

/// When a phone answers a message. `None` means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptDelays {
    /// From arrival to the delivery receipt.
    pub delivered: Option<Duration>,
    /// From arrival to the read receipt; never sent before the delivery receipt.
    pub read: Option<Duration>,
}

impl Default for ReceiptDelays {
    fn default() -> Self {
        Self { delivered: Some(Duration::ZERO), read: Some(Duration::ZERO) }
    }
}

/// How many QR codes one unlinked connection is offered, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct QrTimings {
    /// Codes per connection. WhatsApp offers six.
    pub refs: u8,
    /// How long the first code may be scanned.
    pub first: Duration,
    /// How long each following code may be scanned.
    pub following: Duration,
}

impl Default for QrTimings {
    fn default() -> Self {
        Self { refs: 6, first: Duration::from_mins(1), following: Duration::from_secs(20) }
    }
}

/// How the codes may be used that a client shows and that are typed on the phone.
#[derive(Debug, Clone, Copy)]
pub struct PairCodeRules {
    /// How long a code may be typed.
    pub valid: Duration,
    /// How often a code may be typed for one client: with whatsapp-rust 0.7 it answers the phone three times.
    pub tries: u32,
    /// Codes that may be asked for one number, each before the one before it expires.
    pub codes_in_a_row: u32,
}

impl Default for PairCodeRules {
    fn default() -> Self {
        Self { valid: Duration::from_mins(3), tries: 3, codes_in_a_row: 5 }
    }
}

/// Upper bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Linked devices per account. WhatsApp allows four.
    pub devices_per_account: usize,
    /// Open client connections; one more is refused.
    pub connections: usize,
    /// Largest frame a client may send, in bytes.
    pub frame_bytes: usize,
    /// Stanzas that wait for one device; the oldest is dropped (and journaled) beyond it.
    pub queued_stanzas: usize,
    /// Journal entries that are kept; the oldest is dropped (and counted) beyond it.
    pub journal_entries: usize,
    /// How long a client may take from connecting to the end of the handshake.
    pub handshake: Duration,
    /// How long a scanned client may take to answer with its signature.
    pub pairing: Duration,
    /// A connection from which nothing comes for this long is closed; after half of it the server
    /// asks whether the client is there. Clients give a sign of life every 30 s or sooner.
    pub silence: Duration,
    /// A device that has this many one-time keys left, or fewer, is told so.
    pub low_one_time_keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            devices_per_account: 4,
            connections: 20_000,
            frame_bytes: 4 << 20,
            queued_stanzas: 20_000,
            journal_entries: 2_000_000,
            handshake: Duration::from_secs(20),
            pairing: Duration::from_secs(15),
            silence: Duration::from_mins(2),
            low_one_time_keys: 10,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        text.parse().expect("a valid number")
    }

    #[test]
    fn endings_mean_something_only_when_switched_on() {
        let mut rule = PhonesRule::default();
        assert!(rule.registered(number("15550000000")));
        rule.magic_endings = true;
        assert!(!rule.registered(number("15550000000")));
        assert_eq!(rule.ending(number("15550009463")), Some(MagicEnding::AckError(463)));
        assert_eq!(rule.ending(number("15550009999")), Some(MagicEnding::NoAck));
        assert_eq!(rule.ending(number("15550009333")), Some(MagicEnding::AsksForRetry));
        assert_eq!(rule.ending(number("15550009012")), None);
    }

    #[test]
    fn a_list_of_numbers_excludes_all_others() {
        let rule = PhonesRule { exist: Existence::Only([number("15550001111")].into()), magic_endings: false };
        assert!(rule.registered(number("15550001111")));
        assert!(!rule.registered(number("15550001112")));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let mut config = SimConfig::default();
        config.qr.refs = 0;
        let error = config.check().expect_err("no QR code at all");
        assert!(error.to_string().contains("qr.refs"), "{error}");
    }
}
