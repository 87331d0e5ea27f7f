//! From WhatsApp's answer to the job's outcome.

use std::time::Duration;

use super::Backoff;
use crate::domain::{FailReason, Outcome, SendAnswer, Timestamp};

/// How often a job of some kind may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptRule {
    /// As often as this it may be put on the wire.
    pub attempts: u32,
    /// The pauses between.
    pub backoff: Backoff,
}

/// How long a sender rests when WhatsApp says that it may not open new chats, unless WhatsApp names a span.
pub const RESTRICTED_REST: Duration = Duration::from_mins(15);

/// How long the sender as a whole rests after `answer`, whatever becomes of the job: the account is meant, and its other
/// jobs would meet the same.
pub fn rest(answer: SendAnswer, rule: AttemptRule, fraction: f64) -> Option<Duration> {
    match answer {
        SendAnswer::Refused(463 | 475) => Some(RESTRICTED_REST),
        SendAnswer::Refused(429) => Some(rule.backoff.delay(2, fraction)),
        _ => None,
    }
}

/// What becomes of a job after `answer` to its attempt number `attempt` (the first is 1). `fraction` is drawn from
/// `0.0..1.0`. `rest`: how long WhatsApp restricts the account, if it said so.
///
/// Codes as whatsapp-rust 0.7 and Baileys 7 meet them: 463 and 475 refuse new chats to this account, 429 asks to slow down,
/// 479 and other codes refuse this very message for good.
pub fn verdict(
    answer: SendAnswer,
    attempt: u32,
    rule: AttemptRule,
    deadline: Option<Timestamp>,
    now: Timestamp,
    fraction: f64,
    rest: Option<Duration>,
) -> Outcome {
    let again = |pause: Duration, reason: FailReason| {
        if attempt >= rule.attempts {
            Outcome::Fail(reason)
        } else if deadline.is_some_and(|deadline| now.plus(pause) >= deadline) {
            // Waiting beyond the deadline helps nobody; the producer should hear of it now.
            Outcome::Expire
        } else {
            Outcome::RetryAfter(pause, reason)
        }
    };
    match answer {
        SendAnswer::Accepted => Outcome::Done(now),
        SendAnswer::Refused(463 | 475) => again(rest.unwrap_or(RESTRICTED_REST), FailReason::SenderRestricted),
        SendAnswer::Refused(429) => again(rule.backoff.delay(attempt + 1, fraction), FailReason::RateLimited),
        SendAnswer::Refused(500..=599) => again(rule.backoff.delay(attempt, fraction), FailReason::RefusedByWhatsapp),
        SendAnswer::Refused(_) => Outcome::Fail(FailReason::RefusedByWhatsapp),
        SendAnswer::Unknown => {
            let pause = rule.backoff.delay(attempt, fraction);
            let late = deadline.is_some_and(|deadline| now.plus(pause) >= deadline);
            if attempt >= rule.attempts || late {
                // It may have arrived: neither "failed" nor "expired" would be true.
                Outcome::Uncertain
            } else {
                Outcome::RetryAfter(pause, FailReason::NoAnswer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: AttemptRule =
        AttemptRule { attempts: 3, backoff: Backoff { base: Duration::from_secs(1), max: Duration::from_mins(1) } };

    fn now() -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }

    fn decide(answer: SendAnswer, attempt: u32, deadline: Option<i64>) -> Outcome {
        let now = now();
        verdict(answer, attempt, RULE, deadline.map(|ms| Timestamp::from_millis(1_000_000 + ms)), now, 1.0, None)
    }

    #[test]
    fn no_answer_is_tried_again_and_ends_as_uncertain_never_as_failed() {
        assert_eq!(
            decide(SendAnswer::Unknown, 1, Some(5000)),
            Outcome::RetryAfter(Duration::from_secs(1), FailReason::NoAnswer)
        );
        assert_eq!(decide(SendAnswer::Unknown, 1, Some(900)), Outcome::Uncertain);
        assert_eq!(decide(SendAnswer::Unknown, 3, None), Outcome::Uncertain);
    }

    #[test]
    fn the_sender_rests_even_where_the_job_ends() {
        assert_eq!(rest(SendAnswer::Refused(463), RULE, 1.0), Some(RESTRICTED_REST));
        assert_eq!(rest(SendAnswer::Refused(429), RULE, 1.0), Some(Duration::from_secs(2)));
        assert_eq!(rest(SendAnswer::Refused(479), RULE, 1.0), None);
        assert_eq!(rest(SendAnswer::Accepted, RULE, 1.0), None);
    }

    #[test]
    fn refusals_end_or_wait_by_their_code() {
        assert_eq!(decide(SendAnswer::Refused(479), 1, None), Outcome::Fail(FailReason::RefusedByWhatsapp));
        assert_eq!(
            decide(SendAnswer::Refused(463), 1, None),
            Outcome::RetryAfter(RESTRICTED_REST, FailReason::SenderRestricted)
        );
        // An OTP doesn't live as long as the rest: it ends now, not in a quarter of an hour.
        assert_eq!(decide(SendAnswer::Refused(463), 1, Some(60_000)), Outcome::Expire);
        assert_eq!(decide(SendAnswer::Refused(429), 3, None), Outcome::Fail(FailReason::RateLimited));
        let capped = verdict(SendAnswer::Refused(475), 1, RULE, None, now(), 1.0, Some(Duration::from_secs(9)));
        assert_eq!(capped, Outcome::RetryAfter(Duration::from_secs(9), FailReason::SenderRestricted));
    }
}
