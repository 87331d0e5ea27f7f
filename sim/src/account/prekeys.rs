//! The keys of a linked device that the server keeps for others to open sessions with.

use std::collections::VecDeque;

use wacore::libsignal::protocol::{IdentityKey, PreKeyBundle, PublicKey, SignalProtocolError};

/// A signed pre-key as the device published it.
#[derive(Debug, Clone)]
pub(crate) struct SignedPreKey {
    pub id: u32,
    pub public: [u8; 32],
    pub signature: Vec<u8>,
}

/// What the server hands out for a device.
#[derive(Debug)]
pub(crate) struct PreKeyPool {
    pub registration_id: u32,
    pub identity: [u8; 32],
    pub signed: SignedPreKey,
    one_time: VecDeque<(u32, [u8; 32])>,
    /// Whether the device was told that few are left, since it last uploaded some.
    low_told: bool,
}

impl PreKeyPool {
    pub(crate) fn new(registration_id: u32, identity: [u8; 32], signed: SignedPreKey) -> Self {
        Self { registration_id, identity, signed, one_time: VecDeque::new(), low_told: false }
    }

    /// Adds uploaded one-time keys. A key uploaded twice keeps its place.
    pub(crate) fn upload(&mut self, keys: impl IntoIterator<Item = (u32, [u8; 32])>) {
        let known: std::collections::HashSet<u32> = self.one_time.iter().map(|(id, _)| *id).collect();
        self.one_time.extend(keys.into_iter().filter(|(id, _)| !known.contains(id)));
        self.low_told = false;
    }

    /// Takes the oldest one-time key: each is handed out once.
    pub(crate) fn take_one_time(&mut self) -> Option<(u32, [u8; 32])> {
        self.one_time.pop_front()
    }

    /// How many one-time keys are left, if the device must be told: they are `limit` or fewer, and
    /// it was not told since its last upload.
    pub(crate) fn low(&mut self, limit: usize) -> Option<usize> {
        let left = self.one_time.len();
        if left > limit || self.low_told {
            return None;
        }
        self.low_told = true;
        Some(left)
    }

    /// Throws one-time keys away, as if others had fetched them, until `keep` are left.
    pub(crate) fn drain(&mut self, keep: usize) {
        let surplus = self.one_time.len().saturating_sub(keep);
        self.one_time.drain(..surplus);
    }

    pub(crate) fn one_time(&self) -> impl Iterator<Item = &(u32, [u8; 32])> {
        self.one_time.iter()
    }

    pub(crate) fn count(&self) -> usize {
        self.one_time.len()
    }

    /// Hash of the whole pool, with which a client checks that the server has what it published.
    pub(crate) fn digest(&self) -> Vec<u8> {
        let keys: Vec<&[u8]> = self.one_time.iter().map(|(_, key)| key.as_slice()).collect();
        wacore::prekeys::compute_key_bundle_digest(&self.identity, &self.signed.public, &self.signed.signature, &keys)
    }

    /// A bundle to open a session with, consuming a one-time key if there is one.
    pub(crate) fn bundle(&mut self, device: u16, consume: bool) -> Result<PreKeyBundle, SignalProtocolError> {
        let one_time = if consume { self.take_one_time() } else { None };
        let one_time = match one_time {
            Some((id, key)) => Some((id.into(), PublicKey::from_djb_public_key_bytes(&key)?)),
            None => None,
        };
        PreKeyBundle::new(
            self.registration_id,
            u32::from(device).into(),
            one_time,
            self.signed.id.into(),
            PublicKey::from_djb_public_key_bytes(&self.signed.public)?,
            self.signed.signature.clone(),
            IdentityKey::new(PublicKey::from_djb_public_key_bytes(&self.identity)?),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_keys_are_handed_out_once_and_in_order() {
        let signed = SignedPreKey { id: 1, public: [2; 32], signature: vec![3; 64] };
        let mut pool = PreKeyPool::new(7, [1; 32], signed);
        let empty = pool.digest();
        pool.upload([(1, [1; 32]), (2, [2; 32])]);
        pool.upload([(2, [9; 32]), (3, [3; 32])]);
        assert_eq!(pool.count(), 3);
        assert_ne!(pool.digest(), empty);
        assert_eq!(pool.take_one_time(), Some((1, [1; 32])));
        assert_eq!(pool.take_one_time(), Some((2, [2; 32])));
        assert_eq!(pool.take_one_time(), Some((3, [3; 32])));
        assert_eq!(pool.take_one_time(), None);
        assert_eq!(pool.digest(), empty);
    }

    #[test]
    fn a_device_is_told_once_that_few_keys_are_left() {
        let signed = SignedPreKey { id: 1, public: [2; 32], signature: vec![3; 64] };
        let mut pool = PreKeyPool::new(7, [1; 32], signed);
        pool.upload((1..=5).map(|id| (id, [0; 32])));
        assert_eq!(pool.low(3), None);
        pool.drain(3);
        assert_eq!(pool.take_one_time(), Some((3, [0; 32])));
        assert_eq!((pool.low(3), pool.low(3)), (Some(2), None));
        pool.upload([(6, [0; 32])]);
        assert_eq!(pool.low(3), Some(3));
    }
}
