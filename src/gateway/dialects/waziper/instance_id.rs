//! Ids of instances: the moment in base 36, then six random characters.
//!
//! The system that is replaced took both from JavaScript (`Date.now().toString(36)` and `Math.random()`), whose random part now
//! and then has fewer characters; here it always has six, from the system's own randomness.

use std::sync::{Mutex, PoisonError};

use kurir_core::domain::Timestamp;
use kurir_core::port::Entropy;

/// Characters of the random part, and how many there are of it.
const RANDOM: usize = 6;
const SPACE: u64 = 36_u64.pow(6);

/// Ids that follow each other in one millisecond are at most so far apart.
const STEP: u64 = 1 << 12;

/// Shortest and longest id that a caller may bring along: the one of the system that is replaced had 11 to 14 characters. What
/// is shorter was made up by somebody and meets another one some day.
const SHORTEST: usize = 10;
const LONGEST: usize = 32;

/// Makes ids. Of one gateway all are different and each is greater than the one before, whatever the clock does; those of
/// several gateways meet by chance once in two thousand million pairs of the same millisecond, and then the second
/// caller's session is refused, because the id is taken.
#[derive(Default)]
pub(in super::super) struct InstanceIds {
    last: Mutex<(u64, u64)>,
}

impl InstanceIds {
    /// The next one.
    pub fn next(&self, now: Timestamp, entropy: &dyn Entropy) -> String {
        let now = u64::try_from(now.as_millis()).unwrap_or_default();
        let draw = |below: u64| u64::try_from(entropy.nonce() % u128::from(below)).unwrap_or_default();
        // Nothing panics while it holds the lock.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, random) = *last;
        *last = if now > at {
            (now, draw(SPACE))
        } else {
            let next = random + 1 + draw(STEP);
            // There is no room any more in this millisecond: the next one begins a little early.
            if next < SPACE { (at, next) } else { (at + 1, draw(SPACE)) }
        };
        let (at, random) = *last;
        drop(last);
        format!("{}{:0>RANDOM$}", base36(at), base36(random))
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36).map(|digit| digit.to_ascii_uppercase()));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// Whether a text has the form of an instance's id: letters and digits, at least ten.
pub(super) fn is_instance_id(text: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kurir_core::memory::{SeededEntropy, SystemEntropy};

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn an_id_is_the_moment_and_six_characters() {
        let id = InstanceIds::default().next(at(1_732_370_234_567), &SeededEntropy::new(1));
        assert_eq!(&id[..8], "M3U8IBWN", "Date.now().toString(36).toUpperCase() of that moment");
        assert_eq!(id.len(), 14);
        assert!(is_instance_id(&id) && id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
    }

    #[test]
    fn ids_of_one_gateway_grow_even_if_the_clock_goes_back() {
        let ids = InstanceIds::default();
        let mut last = String::new();
        for millis in [1_732_370_234_567, 1_732_370_234_567, 1_732_370_234_568, 1_732_370_234_000] {
            for _ in 0..1000 {
                let id = ids.next(at(millis), &SystemEntropy);
                assert!(id > last, "{id} after {last}");
                last = id;
            }
        }
    }

    /// As fast as several gateways make them together: a hundred in a millisecond each would be ten times what they do.
    #[test]
    fn a_million_ids_of_four_gateways_are_all_different() {
        let entropy = SeededEntropy::new(36);
        let gateways: [InstanceIds; 4] = Default::default();
        let mut seen = HashSet::with_capacity(1_000_000);
        for turn in 0..250_000_i64 {
            for gateway in &gateways {
                assert!(seen.insert(gateway.next(at(1_764_000_000_000 + turn / 10), &entropy)));
            }
        }
        assert_eq!(seen.len(), 1_000_000);
    }

    #[test]
    fn what_was_made_up_by_hand_is_no_id() {
        for id in ["LRKZ4ABCDEF", "6921B60FBF7D9", "lrkz4abcdef1234"] {
            assert!(is_instance_id(id), "{id}");
        }
        for id in ["", "123", "456", "LRKZ4-ABCDEF", "LRKZ4ABCDEF/..", "../../etc/passwd", &"A".repeat(33)] {
            assert!(!is_instance_id(id), "{id}");
        }
    }
}
