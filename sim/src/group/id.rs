//! Names of groups.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wacore_binary::{Jid, JidExt as _};

use crate::error::SimError;

/// A group's address: 18 digits and `@g.us`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^120363[0-9]{12}(@g[.]us)?$", example = "120363000000000001@g.us")]
pub struct GroupId(u64);

impl GroupId {
    /// WhatsApp's groups have 18 digits that begin like this.
    const FIRST: u64 = 120_363_000_000_000_000;
    const COUNT: u64 = 1_000_000_000_000;

    /// The `number`th of all possible groups.
    pub(crate) fn nth(number: u64) -> Self {
        Self(Self::FIRST + number % Self::COUNT)
    }

    /// The address after this one.
    pub(crate) fn next(self) -> Self {
        Self::nth(self.0 - Self::FIRST + 1)
    }

    pub(crate) fn from_jid(jid: &Jid) -> Option<Self> {
        if jid.is_group() { Self::from_digits(&jid.user) } else { None }
    }

    fn from_digits(digits: &str) -> Option<Self> {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = digits.parse().ok().filter(|_| plain)?;
        (Self::FIRST..Self::FIRST + Self::COUNT).contains(&number).then_some(Self(number))
    }

    /// The digits, as they stand in descriptions of groups.
    pub(crate) fn digits(self) -> String {
        self.0.to_string()
    }

    pub(crate) fn jid(self) -> Jid {
        Jid::group(self.digits())
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@g.us", self.0)
    }
}

impl FromStr for GroupId {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let digits = text.strip_suffix("@g.us").unwrap_or(text);
        Self::from_digits(digits).ok_or_else(|| SimError::NotAGroup { given: text.chars().take(32).collect() })
    }
}

impl Serialize for GroupId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GroupId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_back() {
        let group = GroupId::nth(7);
        assert_eq!(group.to_string(), "120363000000000007@g.us");
        assert_eq!(group.to_string().parse::<GroupId>().expect("its own address"), group);
        assert_eq!(group.digits().parse::<GroupId>().expect("its digits"), group);
        assert_eq!(GroupId::from_jid(&group.jid()), Some(group));
        assert_eq!(group.next(), GroupId::nth(8));
        assert_eq!(GroupId::nth(u64::MAX).digits().len(), 18);
    }

    #[test]
    fn other_addresses_are_refused() {
        for text in ["", "15551230001@s.whatsapp.net", "123-456@g.us", "120363@g.us", "+120363000000000007@g.us"] {
            assert!(text.parse::<GroupId>().is_err(), "{text}");
        }
        assert_eq!(GroupId::from_jid(&Jid::pn("120363000000000007")), None);
    }
}
