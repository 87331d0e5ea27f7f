//! Randomness: the kernel's, and a repeatable one for tests.

use std::sync::Mutex;

use sha2::{Digest, Sha256};

use super::lock;
use crate::port::Entropy;

/// The kernel's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // It fails only where there is no source at all; tokens and nonces made without one would be guessable.
        getrandom::fill(bytes).unwrap_or_else(|error| panic!("the operating system gives no random bytes: {error}"));
    }
}

/// Bytes that look random and are the same for the same seed. For tests only.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    blocks: Mutex<u64>,
}

impl SeededEntropy {
    /// A source with this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, blocks: Mutex::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut blocks = lock(&self.blocks);
        for chunk in bytes.chunks_mut(32) {
            let block =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(blocks.to_be_bytes()).finalize();
            *blocks += 1;
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_its_numbers_do_not() {
        let (one, two, other) = (SeededEntropy::new(1), SeededEntropy::new(1), SeededEntropy::new(2));
        let first = one.nonce();
        assert_eq!(first, two.nonce());
        assert_ne!(first, one.nonce());
        assert_ne!(first, other.nonce());
        let mut long = [0; 70];
        one.fill(&mut long);
        assert_ne!(long[..32], long[32..64]);
    }

    #[test]
    fn the_kernel_gives_other_bytes_each_time() {
        assert_ne!(SystemEntropy.nonce(), SystemEntropy.nonce());
        assert!((0.0..1.0).contains(&SystemEntropy.fraction()));
    }
}
