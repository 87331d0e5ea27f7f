//! Encryption of what goes into the file.

use std::sync::Arc;

use kurir_core::domain::Keyring;
use kurir_core::port::{Entropy, PortError};

use super::error::corrupt;

/// The keyring with the randomness it needs.
pub(super) struct Sealer {
    keyring: Arc<Keyring>,
    entropy: Arc<dyn Entropy>,
}

impl Sealer {
    pub(super) fn new(keyring: Arc<Keyring>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keyring, entropy }
    }

    /// Seals a value for its place.
    pub(super) fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; 12];
        self.entropy.fill(&mut nonce);
        self.keyring.seal(place.as_bytes(), plain, nonce)
    }

    /// Opens a value of a place. `what` names it in the error; a place may hold a phone number, so it is not named.
    pub(super) fn open(&self, place: &str, sealed: &[u8], what: impl FnOnce() -> String) -> Result<Vec<u8>, PortError> {
        self.keyring.open(place.as_bytes(), sealed).map_err(|error| corrupt(what(), error))
    }

    /// A mark of a text at a place, the same each time.
    pub(super) fn fingerprint(&self, place: &str, text: impl AsRef<[u8]>) -> [u8; 16] {
        self.keyring.fingerprint(place.as_bytes(), text.as_ref())
    }

    /// A random id for what has no name of its own.
    pub(super) fn id(&self) -> [u8; 16] {
        self.entropy.nonce().to_be_bytes()
    }
}
