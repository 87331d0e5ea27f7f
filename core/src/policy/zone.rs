//! A sender's calendar: in which time zone its number lives, which day it is there, and when the next one begins.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::calling_codes;
use crate::domain::{PhoneNumber, Timestamp};

/// A time zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A name that the IANA database does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time zone of the IANA database, like Asia/Jakarta")]
pub struct UnknownZone(pub String);

/// No day is longer than this, not even one on which clocks are put back, or before one that was left out.
const LONGEST_DAY: Duration = Duration::from_hours(50);

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of a number: of its country, by the calling code. Of a country with several zones it is the one that
    /// most of its people live in; UTC where the code is unknown.
    pub fn of(number: &PhoneNumber) -> Self {
        calling_codes::zone(number.digits()).map_or(Self::UTC, Self)
    }

    /// The day at a moment: days since 1970-01-01 in this zone's calendar.
    pub fn day(self, at: Timestamp) -> i32 {
        // Beyond the calendar's ends it is their day; no clock gets there.
        let end = if at.as_millis() < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        let moment = DateTime::<Utc>::from_timestamp_millis(at.as_millis()).unwrap_or(end);
        let days = moment.with_timezone(&self.0).date_naive().signed_duration_since(NaiveDate::default()).num_days();
        i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX })
    }

    /// The moment at which the day after `at` begins, in milliseconds that is the first one that belongs to it. Not
    /// always midnight: clocks may be put forward then.
    pub fn next_day(self, at: Timestamp) -> Timestamp {
        let today = self.day(at);
        let (mut today_still, mut after) = (at.as_millis(), at.plus(LONGEST_DAY).as_millis());
        while after - today_still > 1 {
            let middle = today_still + (after - today_still) / 2;
            if self.day(Timestamp::from_millis(middle)) > today {
                after = middle;
            } else {
                today_still = middle;
            }
        }
        Timestamp::from_millis(after)
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        name.parse().map(Self).map_err(|_| UnknownZone(name.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(digits: &str) -> PhoneNumber {
        PhoneNumber::from_digits(digits.into()).unwrap()
    }

    fn moment(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_number_lives_where_its_calling_code_says() {
        for (digits, zone) in [
            ("6281234567890", "Asia/Jakarta"),
            ("15551230001", "America/New_York"),
            ("18765550001", "America/Jamaica"),
            ("79161234567", "Europe/Moscow"),
            ("77011234567", "Asia/Almaty"),
            ("5511912345678", "America/Sao_Paulo"),
            ("4915112345678", "Europe/Berlin"),
            ("35312345678", "Europe/Dublin"),
            ("99912345678", "UTC"),
        ] {
            assert_eq!(Zone::of(&number(digits)).to_string(), zone, "{digits}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_there_or_when_the_clocks_say_so() {
        for (zone, at, next) in [
            ("Asia/Jakarta", "2026-11-21T16:59:59.999Z", "2026-11-21T17:00:00.000Z"),
            ("Asia/Jakarta", "2026-11-21T17:00:00.000Z", "2026-11-22T17:00:00.000Z"),
            // Clocks go from 01:00 back to 00:00: the day has 25 hours.
            ("America/Havana", "2026-11-01T05:00:00.000Z", "2026-11-02T05:00:00.000Z"),
            // Clocks go from midnight to one o'clock: the day has no first hour.
            ("Asia/Beirut", "2026-03-28T12:00:00.000Z", "2026-03-28T22:00:00.000Z"),
            // A whole day was left out.
            ("Pacific/Apia", "2011-12-30T08:00:00.000Z", "2011-12-30T10:00:00.000Z"),
        ] {
            let zone: Zone = zone.parse().unwrap();
            assert_eq!(zone.next_day(moment(at)), moment(next), "{zone} {at}");
        }
        assert_eq!("Mars/Olympus".parse::<Zone>(), Err(UnknownZone("Mars/Olympus".into())));
    }

    proptest! {
        #[test]
        fn the_next_day_begins_where_this_one_ends(
            of in 0..calling_codes::ALL.len(),
            // 2000 to 2100.
            at in 946_684_800_000_i64..4_102_444_800_000,
        ) {
            let zone = Zone(calling_codes::ALL[of].1);
            let at = Timestamp::from_millis(at);
            let next = zone.next_day(at);
            prop_assert!(next > at && next.since(at) < LONGEST_DAY);
            prop_assert_eq!(zone.day(next.minus(Duration::from_millis(1))), zone.day(at));
            prop_assert!(zone.day(next) > zone.day(at));
        }
    }
}
