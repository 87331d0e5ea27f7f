//! Countries by their calling codes: which of them get codes.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::calling_codes;
use crate::domain::{NumberPrefix, PhoneNumber};

/// The calling code of a number's country, the longest that it begins with; `None`: no country has it.
pub fn calling_code(number: &PhoneNumber) -> Option<&'static str> {
    calling_codes::code(number.digits())
}

/// The calling code of the country whose numbers begin so.
pub fn calling_code_of(prefix: &NumberPrefix) -> Option<&'static str> {
    calling_codes::code(prefix.digits())
}

/// Calling codes in one line of text: `62 60 65`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Countries(BTreeSet<&'static str>);

/// A part of a list that is no calling code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("part {0} is no calling code, like 62 or 1876; codes are separated by spaces")]
pub struct NoSuchCountry(usize);

impl FromStr for Countries {
    type Err = NoSuchCountry;

    fn from_str(text: &str) -> Result<Self, NoSuchCountry> {
        let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        let known = |(at, part): (usize, &str)| {
            let digits = part.trim_start_matches('+');
            calling_codes::code(digits).filter(|code| *code == digits).ok_or(NoSuchCountry(at))
        };
        (1..).zip(parts).map(known).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<_> = self.0.iter().copied().collect();
        f.write_str(&codes.join(" "))
    }
}

/// Which countries get codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountryRule {
    /// These and no others; none: all.
    pub allowed: Countries,
    /// Never these.
    pub blocked: Countries,
}

impl CountryRule {
    /// Whether numbers of a country get codes; `None`: a number of no country.
    pub fn allows(&self, code: Option<&str>) -> bool {
        let Some(code) = code else { return self.allowed.0.is_empty() };
        !self.blocked.0.contains(code) && (self.allowed.0.is_empty() || self.allowed.0.contains(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_of_codes_and_a_longer_code_is_another_country() {
        let rule = CountryRule { allowed: "62, +1".parse().unwrap(), blocked: Countries::default() };
        let of = |digits: &str| calling_code(&PhoneNumber::parse(digits, None).unwrap());
        assert_eq!((of("6281234567890"), of("18761234567"), of("99912345678")), (Some("62"), Some("1876"), None));
        assert!(rule.allows(of("6281234567890")) && rule.allows(of("12125550001")));
        assert!(!rule.allows(of("18761234567")) && !rule.allows(of("99912345678")));
        let rule = CountryRule { allowed: Countries::default(), blocked: "62".parse().unwrap() };
        assert!(!rule.allows(Some("62")) && rule.allows(Some("65")) && rule.allows(None));
        assert_eq!("62 999".parse::<Countries>(), Err(NoSuchCountry(2)));
        assert_eq!("65 62".parse::<Countries>().unwrap().to_string(), "62 65");
    }
}
