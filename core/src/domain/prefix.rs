//! Prefixes of numbers: whose codes never come back.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{PhoneNumber, Timestamp};

/// How many digits at a number's end are not its prefix.
const TAIL: usize = 4;

/// A number without its last four digits: ten thousand numbers that one operator handed out together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NumberPrefix(String);

impl NumberPrefix {
    /// Of a number.
    pub fn of(number: &PhoneNumber) -> Self {
        let digits = number.digits();
        Self(digits[..digits.len().saturating_sub(TAIL)].to_owned())
    }

    /// From digits that a store has kept; `None` if they are none.
    pub fn from_digits(digits: &str) -> Option<Self> {
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| Self(digits.to_owned()))
    }

    /// Its digits. Not for logs.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NumberPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", &self.0[..self.0.len().min(4)])
    }
}

/// Names a tenant's prefix without its digits: a keyed fingerprint, made by the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrefixId(pub [u8; 16]);

impl fmt::Display for PrefixId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for PrefixId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes()))
    }
}

/// What happened to a verification, as far as its prefix is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// It was begun.
    Begun,
    /// Its code came back.
    Approved,
    /// It ended without its code.
    Lost,
}

/// When a prefix is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversionRule {
    /// Counts begin anew after this span.
    pub window: Duration,
    /// So many that ended without their code, and none that was approved; 0: never.
    pub most_lost: u32,
    /// For how long.
    pub block: Duration,
}

/// What is known of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixRecord {
    /// Names it.
    pub id: PrefixId,
    /// The prefix.
    pub prefix: NumberPrefix,
    /// Since when is counted.
    pub since: Timestamp,
    /// Verifications begun since then.
    pub begun: u32,
    /// Of these and earlier ones: approved since then.
    pub approved: u32,
    /// Ended without their code since then.
    pub lost: u32,
    /// Until when it gets no codes.
    pub blocked_until: Option<Timestamp>,
}

impl PrefixRecord {
    /// Nothing was counted yet.
    pub const fn new(id: PrefixId, prefix: NumberPrefix, since: Timestamp) -> Self {
        Self { id, prefix, since, begun: 0, approved: 0, lost: 0, blocked_until: None }
    }

    /// Until when it is blocked, if it is at `now`.
    pub fn blocked(&self, now: Timestamp) -> Option<Timestamp> {
        self.blocked_until.filter(|until| now < *until)
    }

    /// The record after somebody unblocked it: its counts begin anew, or the next loss would block it again.
    #[must_use]
    pub fn unblocked(&self, now: Timestamp) -> Self {
        Self::new(self.id, self.prefix.clone(), now)
    }
}
