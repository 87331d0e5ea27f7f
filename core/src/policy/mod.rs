//! Pure arithmetic: when, where and how often. Time and randomness are arguments; nothing here reads a clock.

mod backoff;
mod budget;
mod calling_codes;
mod delay;
mod pace;
mod placement;
mod reach;
mod roll_call;
mod verdict;
mod warm_up;
mod zone;

pub use backoff::Backoff;
pub use budget::{Budget, DayLeft, DayRule, Over};
pub use delay::{DELAY_STEPS, delay_step};
pub use pace::{PaceRule, Pacer};
pub use placement::{Candidate, place};
pub use reach::{Allowed, BadAllowance, Reach};
pub use roll_call::RollCall;
pub use verdict::{AttemptRule, RESTRICTED_REST, rest, verdict};
pub use warm_up::{WarmUp, WarmUpError};
pub use zone::{UnknownZone, Zone};
