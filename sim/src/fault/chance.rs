//! Seeded chance: the same seed gives the same decisions.
//!
//! A decision depends on the seed, the device and how often this device was at this rule before. So
//! it does not depend on which of several connections came first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::account::DeviceAddress;

/// How likely something is: more than 0, at most 1. Kept in parts of 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probability(u64);

const CERTAIN: u64 = 1 << 32;

impl Probability {
    /// `None` for what is no probability, and for 0, which no rule needs.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and 2^32, which a double holds exactly"
    )]
    pub fn new(value: f64) -> Option<Self> {
        if !(value > 0.0 && value <= 1.0) {
            return None;
        }
        Some(Self(((value * CERTAIN as f64) as u64).max(1)))
    }

    #[expect(clippy::cast_precision_loss, reason = "at most 2^32, which a double holds exactly")]
    fn value(self) -> f64 {
        self.0 as f64 / CERTAIN as f64
    }
}

impl Serialize for Probability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| serde::de::Error::custom("probability must be over 0 and at most 1"))
    }
}

/// The chance of one rule.
#[derive(Debug)]
pub(super) struct Chance {
    probability: Probability,
    seed: u64,
    /// How often each device was here; as many as there are linked devices.
    rolls: Mutex<HashMap<Option<DeviceAddress>, u64>>,
}

impl Chance {
    pub(super) fn new(probability: Probability, seed: u64) -> Self {
        Self { probability, seed, rolls: Mutex::default() }
    }

    /// Decides once for a device; `None` is a client that is not linked.
    pub(super) fn strikes(&self, device: Option<DeviceAddress>) -> bool {
        let roll = {
            let mut rolls = self.rolls.lock().unwrap_or_else(PoisonError::into_inner);
            let roll = rolls.entry(device).or_default();
            *roll += 1;
            *roll
        };
        u64::from(draw(self.seed, device, roll)) < self.probability.0
    }
}

fn draw(seed: u64, device: Option<DeviceAddress>, roll: u64) -> u32 {
    let mut hash = Sha256::new();
    hash.update(b"kurir-sim fault");
    hash.update(seed.to_be_bytes());
    if let Some(DeviceAddress { account, device }) = device {
        hash.update(account.as_u64().to_be_bytes());
        hash.update(device.to_be_bytes());
    }
    hash.update(roll.to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn device(last: u64) -> DeviceAddress {
        let account = crate::account::PhoneNumber::from_u64(15_551_230_000 + last).expect("in range");
        DeviceAddress { account, device: 1 }
    }

    fn decisions(seed: u64, probability: f64, order: impl Iterator<Item = u64>) -> HashMap<u64, Vec<bool>> {
        let chance = Chance::new(Probability::new(probability).expect("a probability"), seed);
        let mut decided: HashMap<u64, Vec<bool>> = HashMap::new();
        for last in order {
            decided.entry(last).or_default().push(chance.strikes(Some(device(last))));
        }
        decided
    }

    #[test]
    fn a_seed_repeats_whatever_the_order_of_the_devices() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..300 {
            let (seed, probability) = (rng.random(), f64::from(rng.random_range(1..=100_u32)) / 100.0);
            let order: Vec<u64> = (0..rng.random_range(0..200)).map(|_| rng.random_range(0..5)).collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            let first = decisions(seed, probability, order.iter().copied());
            assert_eq!(first, decisions(seed, probability, order.into_iter()), "seed {seed}");
            assert_eq!(first, decisions(seed, probability, sorted.into_iter()), "seed {seed}");
        }
    }

    #[test]
    fn what_is_certain_always_strikes() {
        for seed in 0..50 {
            assert!(decisions(seed, 1.0, 0..50).values().flatten().all(|struck| *struck));
        }
    }

    #[test]
    fn it_strikes_about_as_often_as_said_and_differently_for_another_seed() {
        let of = |seed| decisions(seed, 0.25, std::iter::repeat_n(1, 10_000)).remove(&1).expect("decided");
        let struck = of(7).iter().filter(|struck| **struck).count();
        assert!((2_300..2_700).contains(&struck), "{struck} of 10000");
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for value in [0.0, -0.1, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(Probability::new(value), None, "{value}");
        }
        let half = Probability::new(0.5).expect("a probability");
        assert_eq!(serde_json::to_string(&half).expect("writes"), "0.5");
    }
}
