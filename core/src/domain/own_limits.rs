//! A session's own limits.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// Where a session's limits differ from those of all; what is `None` is as the settings say. They lie with the session's record,
/// and its owner goes by them: one at a time, so no number is ever sent from under two limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnLimits {
    /// One message per this many milliseconds, in the long run; 0: as fast as it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// As many at once after a pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// At most this many messages a day; 0: no such limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u32>,
    /// At most this many recipients a day for the first time; 0: no such limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold_per_day: Option<u32>,
    /// Whether its number needs no warm-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmed_up: Option<bool>,
}

/// Which of a session's own limits can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wanted}")]
pub struct BadLimit {
    /// Which.
    pub field: &'static str,
    /// What would be right.
    pub wanted: &'static str,
}

impl OwnLimits {
    /// Longest span between two messages, in milliseconds: an hour.
    pub const LONGEST: u64 = 3_600_000;
    /// Largest burst.
    pub const MOST_AT_ONCE: u32 = 10_000;
    /// Most messages of a day.
    pub const MOST_A_DAY: u32 = 1_000_000;

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what no sender could want, as the settings do.
    pub fn check(&self) -> Result<(), BadLimit> {
        let bad = |field, wanted| Err(BadLimit { field, wanted });
        if self.every_ms.is_some_and(|every| every > Self::LONGEST) {
            return bad("every_ms", "must be at most 3600000, an hour");
        }
        if self.burst.is_some_and(|burst| burst.get() > Self::MOST_AT_ONCE) {
            return bad("burst", "must be from 1 to 10000");
        }
        if self.per_day.is_some_and(|most| most > Self::MOST_A_DAY) {
            return bad("per_day", "must be at most 1000000; 0 is no limit");
        }
        if self.cold_per_day.is_some_and(|most| most > Self::MOST_A_DAY) {
            return bad("cold_per_day", "must be at most 1000000; 0 is no limit");
        }
        if let (Some(all), Some(new)) = (self.per_day, self.cold_per_day)
            && all > 0
            && new > all
        {
            return bad("cold_per_day", "can't be reached: it is more than per_day");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_the_settings_say_takes_no_place_and_later_fields_are_passed_over() {
        assert_eq!(serde_json::to_string(&OwnLimits::default()).unwrap(), "{}");
        let own = OwnLimits { burst: NonZeroU32::new(3), warmed_up: Some(false), ..OwnLimits::default() };
        assert_eq!(serde_json::from_str::<OwnLimits>(&serde_json::to_string(&own).unwrap()).unwrap(), own);
        assert!(serde_json::from_str::<OwnLimits>(r#"{"later":1}"#).unwrap().is_empty());
    }

    #[test]
    fn what_no_sender_could_want_is_refused() {
        let fine = OwnLimits { per_day: Some(0), cold_per_day: Some(500), every_ms: Some(0), ..OwnLimits::default() };
        assert_eq!(fine.check(), Ok(()));
        let cases = [
            (OwnLimits { every_ms: Some(3_600_001), ..fine }, "every_ms"),
            (OwnLimits { burst: NonZeroU32::new(10_001), ..fine }, "burst"),
            (OwnLimits { per_day: Some(1_000_001), ..fine }, "per_day"),
            (OwnLimits { cold_per_day: Some(1_000_001), ..fine }, "cold_per_day"),
            (OwnLimits { per_day: Some(499), ..fine }, "cold_per_day"),
        ];
        for (own, field) in cases {
            assert_eq!(own.check().unwrap_err().field, field, "{own:?}");
        }
    }
}
