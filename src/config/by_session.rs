//! Settings that name single sessions, each in one line of text.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use kurir_core::domain::{IdentError, SessionId};
use kurir_core::policy::{UnknownZone, Zone};

/// Time zones by session: `s1=Asia/Makassar s2=America/Manaus`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZones(pub BTreeMap<SessionId, Zone>);

/// Names of sessions: `s1 s2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionNames(pub BTreeSet<SessionId>);

/// Why a text does not name sessions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BySessionError {
    /// No `=`, or nothing on one of its sides.
    #[error("part {0} does not read <session>=<time zone>, like s1=Asia/Makassar")]
    Form(usize),
    /// Not a session's name.
    #[error("part {0} names no session: {1}")]
    Session(usize, IdentError),
    /// Not a time zone.
    #[error("part {0}: {1}")]
    Zone(usize, UnknownZone),
    /// A session twice.
    #[error("part {0} names a session a second time")]
    Twice(usize),
}

fn parts(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()))
}

impl FromStr for TimeZones {
    type Err = BySessionError;

    fn from_str(text: &str) -> Result<Self, BySessionError> {
        let mut zones = BTreeMap::new();
        for (at, part) in parts(text) {
            let (session, zone) = part.split_once('=').ok_or(BySessionError::Form(at))?;
            let session = SessionId::new(session).map_err(|error| BySessionError::Session(at, error))?;
            let zone = zone.parse().map_err(|error| BySessionError::Zone(at, error))?;
            if zones.insert(session, zone).is_some() {
                return Err(BySessionError::Twice(at));
            }
        }
        Ok(Self(zones))
    }
}

impl FromStr for SessionNames {
    type Err = BySessionError;

    fn from_str(text: &str) -> Result<Self, BySessionError> {
        let mut names = BTreeSet::new();
        for (at, part) in parts(text) {
            let session = SessionId::new(part).map_err(|error| BySessionError::Session(at, error))?;
            if !names.insert(session) {
                return Err(BySessionError::Twice(at));
            }
        }
        Ok(Self(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_named_in_one_line() {
        let zones: TimeZones = " s1=Asia/Makassar, s2=America/Manaus ".parse().unwrap();
        let shown: Vec<_> = zones.0.iter().map(|(id, zone)| format!("{id} {zone}")).collect();
        assert_eq!(shown, ["s1 Asia/Makassar", "s2 America/Manaus"]);
        let names: SessionNames = "s1 s2".parse().unwrap();
        assert_eq!(names.0.len(), 2);
        assert_eq!(("".parse(), "".parse()), (Ok(TimeZones::default()), Ok(SessionNames::default())));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert_eq!("s1=UTC s2".parse::<TimeZones>(), Err(BySessionError::Form(2)));
        assert!(matches!("s1=Mars/Base".parse::<TimeZones>(), Err(BySessionError::Zone(1, _))));
        assert!(matches!("a/b=UTC".parse::<TimeZones>(), Err(BySessionError::Session(1, _))));
        assert_eq!("s1=UTC s1=UTC".parse::<TimeZones>(), Err(BySessionError::Twice(2)));
        assert_eq!("s1,s1".parse::<SessionNames>(), Err(BySessionError::Twice(2)));
    }
}
