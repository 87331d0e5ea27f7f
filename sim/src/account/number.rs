//! Phone numbers, linked identities (LIDs) and device addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wacore_binary::{Jid, Server};

use crate::error::SimError;

/// A phone number in international form, digits only.
///
/// `Display` gives all digits; `Debug` hides the middle, so that a log line never holds a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^[+]?[1-9][0-9]{4,14}$", example = "15551230001")]
pub struct PhoneNumber(u64);

impl PhoneNumber {
    /// The last four digits.
    pub fn last_four(self) -> u16 {
        u16::try_from(self.0 % 10_000).unwrap_or_default()
    }

    /// The digits as an integer, as a client's login carries them.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The number of a login; `None` when it has too few or too many digits.
    pub fn from_u64(digits: u64) -> Option<Self> {
        (10_000..=999_999_999_999_999).contains(&digits).then_some(Self(digits))
    }

    /// User part of the account's LID. The simulator's rule is reversible, so it needs no table: a
    /// `1` and the number padded to 14 digits.
    pub fn lid_user(self) -> String {
        format!("1{:014}", self.0)
    }

    /// The number behind a LID's user part.
    pub fn from_lid_user(user: &str) -> Option<Self> {
        let digits = user.strip_prefix('1')?;
        // A fifteenth digit means that nothing was padded, so it can't be a leading zero.
        let plain = digits.len() == 14 || (digits.len() == 15 && !digits.starts_with('0'));
        if !plain || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().and_then(Self::from_u64)
    }

    /// `N@s.whatsapp.net`.
    pub(crate) fn jid(self) -> Jid {
        Jid::pn(self.to_string())
    }

    /// `L@lid`.
    pub(crate) fn lid(self) -> Jid {
        Jid::lid(self.lid_user())
    }
}

impl FromStr for PhoneNumber {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let wrong = || SimError::NotANumber { given: text.chars().take(24).collect() };
        let digits = text.strip_prefix('+').unwrap_or(text);
        let plain = (5..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain {
            return Err(wrong());
        }
        digits.parse().ok().and_then(Self::from_u64).ok_or_else(wrong)
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{:04}", self.last_four())
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One device of an account: 0 is the phone, others are linked devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
pub struct DeviceAddress {
    /// The account's number.
    pub account: PhoneNumber,
    /// The device number.
    pub device: u16,
}

impl DeviceAddress {
    /// Reads a number or LID address; `None` for groups, servers and addresses that are none of ours.
    pub(crate) fn from_jid(jid: &Jid) -> Option<Self> {
        let account = match jid.server {
            Server::Pn => jid.user.parse().ok()?,
            Server::Lid => PhoneNumber::from_lid_user(&jid.user)?,
            _ => return None,
        };
        Some(Self { account, device: jid.device })
    }

    /// `N:device@s.whatsapp.net`; the phone has no device part.
    pub(crate) fn jid(self) -> Jid {
        self.account.jid().with_device(self.device)
    }

    /// `L:device@lid`.
    pub(crate) fn lid(self) -> Jid {
        self.account.lid().with_device(self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_from_its_lid() {
        for digits in [12_345, 15_551_230_001, 99_999_999_999_999, 100_000_000_000_000, 999_999_999_999_999] {
            let number = PhoneNumber::from_u64(digits).expect("in range");
            assert_eq!(PhoneNumber::from_lid_user(&number.lid_user()), Some(number));
        }
    }

    #[test]
    fn lids_of_other_shapes_are_refused() {
        for user in [
            "",
            "1",
            "15551230001",
            "200015551230001",
            "1+0015551230001",
            "100000000000001",
            "1000015551230001",
            "10001555123000x",
        ] {
            assert_eq!(PhoneNumber::from_lid_user(user), None, "{user}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "+", "1234", "0123456789", "1555 1230001", "1234567890123456", "１５５５１２３"] {
            assert!(text.parse::<PhoneNumber>().is_err(), "{text}");
        }
        assert_eq!("+15551230001".parse::<PhoneNumber>().expect("plus sign").to_string(), "15551230001");
    }

    #[test]
    fn addresses_name_phone_and_linked_device() {
        let account: PhoneNumber = "15551230001".parse().expect("valid");
        let phone = DeviceAddress { account, device: 0 };
        let linked = DeviceAddress { account, device: 3 };
        assert_eq!(phone.jid().to_string(), "15551230001@s.whatsapp.net");
        assert_eq!(linked.jid().to_string(), "15551230001:3@s.whatsapp.net");
        assert_eq!(linked.lid().to_string(), "100015551230001:3@lid");
        assert_eq!(DeviceAddress::from_jid(&linked.lid()), Some(linked));
        assert_eq!(DeviceAddress::from_jid(&phone.jid()), Some(phone));
        assert_eq!(DeviceAddress::from_jid(&Jid::group("123-456")), None);
    }

    #[test]
    fn debug_hides_the_number() {
        let number: PhoneNumber = "15551230001".parse().expect("valid");
        assert_eq!(format!("{number:?}"), "…0001");
    }
}
