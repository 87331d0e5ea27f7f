//! Pure arithmetic: when, where and how often. Time and randomness are arguments; nothing here reads a clock.

mod backoff;
mod delay;
mod pace;
mod placement;
mod roll_call;
mod verdict;

pub use backoff::Backoff;
pub use delay::{DELAY_STEPS, delay_step};
pub use pace::{PaceRule, Pacer};
pub use placement::{Candidate, place};
pub use roll_call::RollCall;
pub use verdict::{AttemptRule, rest, verdict};
