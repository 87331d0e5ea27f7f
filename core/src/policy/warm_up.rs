//! The warm-up of a new number: how much it may send a day, by its age.

use std::fmt;
use std::str::FromStr;

/// A schedule like `3d:50 7d:100`: a number younger than 3 days sends at most 50 messages a day, one younger than 7 at
/// most 100, an older one what the daily cap allows. Empty: no warm-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarmUp(Vec<(u32, u32)>);

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WarmUpError {
    /// A step of another form.
    #[error("step {0} does not read <days>d:<messages a day>, like 3d:50")]
    Form(usize),
    /// Steps must go up, in days and in messages.
    #[error("step {0} does not go up: both the days and the messages must be more than in the step before")]
    Order(usize),
}

impl WarmUp {
    /// How many messages a number of this age in days may send today; `None` once it is warm.
    pub fn cap(&self, age: u32) -> Option<u32> {
        self.0.iter().find(|(below, _)| age < *below).map(|(_, cap)| *cap)
    }

    /// The cap of the last step; 0 without steps.
    pub fn highest(&self) -> u32 {
        self.0.last().map_or(0, |(_, cap)| *cap)
    }
}

impl FromStr for WarmUp {
    type Err = WarmUpError;

    fn from_str(text: &str) -> Result<Self, WarmUpError> {
        let mut steps: Vec<(u32, u32)> = Vec::new();
        let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        for (at, part) in parts.enumerate() {
            let step = part.split_once("d:").and_then(|(days, cap)| Some((days.parse().ok()?, cap.parse().ok()?)));
            let (days, cap): (u32, u32) = step.ok_or(WarmUpError::Form(at + 1))?;
            let (last_days, last_cap) = steps.last().copied().unwrap_or_default();
            if days <= last_days || cap <= last_cap {
                return Err(WarmUpError::Order(at + 1));
            }
            steps.push((days, cap));
        }
        Ok(Self(steps))
    }
}

impl fmt::Display for WarmUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (days, cap)) in self.0.iter().enumerate() {
            write!(f, "{}{days}d:{cap}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_goes_up_with_the_age() {
        let schedule: WarmUp = "3d:50, 7d:100  14d:250".parse().unwrap();
        let caps = [0, 2, 3, 6, 7, 13, 14, 4000].map(|age| schedule.cap(age));
        assert_eq!(caps, [Some(50), Some(50), Some(100), Some(100), Some(250), Some(250), None, None]);
        assert_eq!((schedule.highest(), schedule.to_string().as_str()), (250, "3d:50 7d:100 14d:250"));
        assert_eq!("".parse(), Ok(WarmUp::default()));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_its_place() {
        assert_eq!("3d:50 7:100".parse::<WarmUp>(), Err(WarmUpError::Form(2)));
        assert_eq!("3d:".parse::<WarmUp>(), Err(WarmUpError::Form(1)));
        assert_eq!("3d:-1".parse::<WarmUp>(), Err(WarmUpError::Form(1)));
        assert_eq!("7d:50 3d:100".parse::<WarmUp>(), Err(WarmUpError::Order(2)));
        assert_eq!("3d:50 7d:50".parse::<WarmUp>(), Err(WarmUpError::Order(2)));
        assert_eq!("0d:50".parse::<WarmUp>(), Err(WarmUpError::Order(1)));
    }
}
