//! Whether a code may be sent once more.

use std::time::Duration;

use crate::domain::{Timestamp, Verification};

/// Why a code is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAgain {
    /// It was sent a moment ago; not before this one.
    TooSoon(Timestamp),
    /// It was sent as often as it may be. Only a new verification has sendings again, at this moment at the earliest.
    Spent(Timestamp),
}

/// Whether the code may be sent again at `now`, `every` after it was sent the last time.
pub fn send_again(verification: &Verification, every: Duration, now: Timestamp) -> Result<(), NotAgain> {
    if verification.sends >= verification.max_sends {
        return Err(NotAgain::Spent(verification.expires_at));
    }
    let next = verification.sent_at.plus(every);
    if now < next { Err(NotAgain::TooSoon(next)) } else { Ok(()) }
}
