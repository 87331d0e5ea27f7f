//! Who gets a message: a phone number, or a group.

use std::fmt;

use super::{PhoneError, PhoneNumber};

/// What a group's address ends with.
const GROUP: &str = "@g.us";

/// A WhatsApp group, by the part of its address before `@g.us`.
///
/// `Debug` and `Display` print it masked: the ids of older groups begin with the phone number of who made them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(String);

/// A text that is no group's address. It is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a group's address is digits, perhaps with one `-` between them, and `@g.us`")]
pub struct GroupError;

impl GroupId {
    /// Reads an address, `120363000000000001@g.us`.
    pub fn parse(address: &str) -> Result<Self, GroupError> {
        let id = address.trim().strip_suffix(GROUP).ok_or(GroupError)?;
        Self::from_id(id)
    }

    /// Takes the part before `@g.us`.
    pub fn from_id(id: &str) -> Result<Self, GroupError> {
        let digits = |part: &str| (5..=25).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let fits = match id.split_once('-') {
            Some((number, moment)) => digits(number) && digits(moment),
            None => digits(id),
        };
        if fits { Ok(Self(id.to_owned())) } else { Err(GroupError) }
    }

    /// The part before `@g.us`. Not for logs.
    pub fn id(&self) -> &str {
        &self.0
    }

    /// The whole address. Not for logs.
    pub fn address(&self) -> String {
        format!("{}{GROUP}", self.0)
    }

    /// The first and the last digits, fit for logs: `1203…01@g.us`.
    pub fn masked(&self) -> String {
        format!("{}…{}{GROUP}", &self.0[..4], &self.0[self.0.len() - 2..])
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Who gets a message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// One person.
    Number(PhoneNumber),
    /// All members of a group. Whether it can be written in is known to WhatsApp alone.
    Group(GroupId),
}

/// Why a text names no recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// It is no phone number.
    #[error(transparent)]
    Number(#[from] PhoneError),
    /// It is no group's address.
    #[error(transparent)]
    Group(#[from] GroupError),
}

impl Recipient {
    /// Reads a number in the usual notations (see [`PhoneNumber::parse`]) or a group's address.
    pub fn parse(text: &str, country: Option<&str>) -> Result<Self, RecipientError> {
        if text.contains('@') {
            return Ok(Self::Group(GroupId::parse(text)?));
        }
        Ok(Self::Number(PhoneNumber::parse(text, country)?))
    }

    /// The number of one person.
    pub const fn number(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Number(number) => Some(number),
            Self::Group(_) => None,
        }
    }

    /// The group.
    pub const fn group(&self) -> Option<&GroupId> {
        match self {
            Self::Number(_) => None,
            Self::Group(group) => Some(group),
        }
    }

    /// What may be shown and kept of it.
    pub fn masked(&self) -> String {
        match self {
            Self::Number(number) => number.masked(),
            Self::Group(group) => group.masked(),
        }
    }
}

impl From<PhoneNumber> for Recipient {
    fn from(number: PhoneNumber) -> Self {
        Self::Number(number)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_numbers_are_told_apart() {
        let group = Recipient::parse(" 120363000000000001@g.us ", None).unwrap();
        assert_eq!(group.group().unwrap().address(), "120363000000000001@g.us");
        assert_eq!(format!("{group:?} {group}"), "1203…01@g.us 1203…01@g.us");
        let old = Recipient::parse("6281234567890-1512345678@g.us", None).unwrap();
        assert!(!format!("{old:?}").contains("34567890"));
        let number = Recipient::parse("0812 3456 7890", Some("62")).unwrap();
        assert_eq!(number.number().unwrap().digits(), "6281234567890");
    }

    #[test]
    fn what_is_no_address_of_a_group_is_refused() {
        for bad in
            ["@g.us", "abc@g.us", "6281234567890@s.whatsapp.net", "1-2@g.us", "120363000000000001@g.us.x", "é@g.us"]
        {
            assert_eq!(Recipient::parse(bad, None), Err(RecipientError::Group(GroupError)), "{bad}");
        }
    }
}
