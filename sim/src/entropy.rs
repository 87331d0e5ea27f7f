//! Randomness from one seed, split into independent streams.
//!
//! Each phone and each connection draws from a stream of its own, so the keys of a phone do not
//! depend on which thread came first.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The root of all random streams of one simulator.
pub(crate) struct Entropy {
    seed: [u8; 32],
}

impl Entropy {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let seed = if let Some(number) = seed {
            let mut hash = Sha256::new();
            hash.update(b"kurir-sim seed");
            hash.update(number.to_be_bytes());
            hash.finalize().into()
        } else {
            let mut bytes = [0; 32];
            rand::make_rng::<StdRng>().fill_bytes(&mut bytes);
            bytes
        };
        Self { seed }
    }

    /// The same streams as of the one whose [`Self::seed`] it was.
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    /// What all streams follow from.
    pub(crate) fn seed(&self) -> [u8; 32] {
        self.seed
    }

    /// The stream of one thing: `domain` names its kind, `id` which one.
    pub(crate) fn stream(&self, domain: &str, id: u64) -> StdRng {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(domain.as_bytes());
        hash.update([0]);
        hash.update(id.to_be_bytes());
        StdRng::from_seed(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let first = Entropy::new(Some(7)).stream("phone", 1).next_u64();
        assert_eq!(first, Entropy::new(Some(7)).stream("phone", 1).next_u64());
        assert_ne!(first, Entropy::new(Some(7)).stream("phone", 2).next_u64());
        assert_ne!(first, Entropy::new(Some(7)).stream("connection", 1).next_u64());
        assert_ne!(first, Entropy::new(Some(8)).stream("phone", 1).next_u64());
        assert_ne!(Entropy::new(None).stream("phone", 1).next_u64(), Entropy::new(None).stream("phone", 1).next_u64());
    }
}
