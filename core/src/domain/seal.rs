//! Encryption at rest: AES-256-GCM under versioned keys.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::CodeKeys;

/// Bytes before the ciphertext: the key's version (4, big-endian) and the nonce (12).
const HEADER: usize = 16;

/// The keys that sealed values are written and read with. New values are written under the highest version; older
/// versions stay readable until nothing is sealed with them.
#[derive(Clone)]
pub struct Keyring {
    ciphers: BTreeMap<u32, Aes256Gcm>,
    newest: u32,
    /// What fingerprints are made with; of the oldest key, which stays when a new one comes.
    fingerprints: [u8; 32],
    /// What the codes of verifications are marked with.
    codes: CodeKeys,
}

/// Why a text gives no keyring. It never repeats a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Nothing was given.
    #[error("no encryption key is given; one is `1:` and 32 random bytes in base64, more are separated by commas")]
    Empty,
    /// A part without a version number.
    #[error("part {0} of the encryption keys does not read `<version>:<base64>`, the version a number from 1")]
    Form(usize),
    /// Not base64, or not 32 bytes of it.
    #[error("encryption key of version {0} is not 32 bytes in base64")]
    Key(u32),
    /// The same version twice.
    #[error("encryption key version {0} is given twice")]
    Twice(u32),
}

/// Why a sealed value can't be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key it was sealed with is not in the ring.
    #[error("a stored value is sealed with key version {0}, which is not among the given encryption keys")]
    UnknownKey(u32),
    /// Changed, moved to another place, or sealed with another key of the same version.
    #[error("a stored value can't be opened: it was changed or moved, or its key has the version of another one")]
    Broken,
}

impl Keyring {
    /// Reads `1:<base64>,2:<base64>`.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut ciphers = BTreeMap::new();
        let mut oldest: Option<(u32, [u8; 32])> = None;
        let mut codes = BTreeMap::new();
        for (at, part) in text.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate() {
            let (version, key) = part.split_once(':').ok_or(KeyringError::Form(at + 1))?;
            let version = version.trim().parse().ok().filter(|v| *v > 0).ok_or(KeyringError::Form(at + 1))?;
            let key =
                base64::engine::general_purpose::STANDARD.decode(key.trim()).map_err(|_| KeyringError::Key(version))?;
            let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| KeyringError::Key(version))?;
            if ciphers.insert(version, cipher).is_some() {
                return Err(KeyringError::Twice(version));
            }
            codes.insert(version, Sha256::new().chain_update(b"kurir codes").chain_update(&key).finalize().into());
            if oldest.is_none_or(|(oldest, _)| version < oldest) {
                let secret = Sha256::new().chain_update(b"kurir fingerprints").chain_update(&key).finalize();
                oldest = Some((version, secret.into()));
            }
        }
        let newest = *ciphers.keys().next_back().ok_or(KeyringError::Empty)?;
        let (_, fingerprints) = oldest.ok_or(KeyringError::Empty)?;
        Ok(Self { ciphers, newest, fingerprints, codes: CodeKeys::new(codes) })
    }

    /// Seals `plain`; `place` (a table and a key, say) is bound to it, so that a sealed value can't be moved to
    /// another place unnoticed. `nonce` must be random and is used once.
    pub fn seal(&self, place: &[u8], plain: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        let cipher = &self.ciphers[&self.newest];
        let sealed = cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: place })
            .unwrap_or_else(|_| unreachable!("AES-GCM takes every input below 64 GiB"));
        let mut out = Vec::with_capacity(HEADER + sealed.len());
        out.extend_from_slice(&self.newest.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// A mark of a text (a number, say) at a place: the same each time, different at each place, and without the oldest
    /// key nobody can find the text by trying.
    pub fn fingerprint(&self, place: &[u8], text: &[u8]) -> [u8; 16] {
        let place = Sha256::digest(place);
        let mark = Sha256::new().chain_update(self.fingerprints).chain_update(place).chain_update(text).finalize();
        let mut short = [0; 16];
        short.copy_from_slice(&mark[..16]);
        short
    }

    /// The keys that codes of verifications are marked with; they open nothing.
    pub fn code_keys(&self) -> CodeKeys {
        self.codes.clone()
    }

    /// Opens what [`Keyring::seal`] made for the same place.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (version, rest) = sealed.split_first_chunk::<4>().ok_or(SealError::Broken)?;
        let (nonce, body) = rest.split_first_chunk::<12>().ok_or(SealError::Broken)?;
        let version = u32::from_be_bytes(*version);
        let cipher = self.ciphers.get(&version).ok_or(SealError::UnknownKey(version))?;
        cipher.decrypt(&Nonce::from(*nonce), Payload { msg: body, aad: place }).map_err(|_| SealError::Broken)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring(versions {:?})", self.ciphers.keys().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(text: &str) -> Keyring {
        Keyring::parse(text).unwrap()
    }

    fn key(byte: u8) -> String {
        base64::engine::general_purpose::STANDARD.encode([byte; 32])
    }

    #[test]
    fn fingerprints_stay_when_a_key_is_added_and_differ_by_place_and_key() {
        let before = ring(&format!("2:{}", key(2)));
        let after = ring(&format!("7:{},2:{}", key(7), key(2)));
        let mark = before.fingerprint(b"a", b"6281234567890");
        assert_eq!(after.fingerprint(b"a", b"6281234567890"), mark);
        assert_ne!(before.fingerprint(b"b", b"6281234567890"), mark);
        assert_ne!(before.fingerprint(b"a", b"6281234567891"), mark);
        assert_ne!(ring(&format!("2:{}", key(7))).fingerprint(b"a", b"6281234567890"), mark);
    }

    #[test]
    fn old_versions_stay_readable_and_new_values_use_the_newest() {
        let old = ring(&format!("1:{}", key(1)));
        let both = ring(&format!("2:{}, 1:{}", key(2), key(1)));
        let sealed = old.seal(b"here", b"state", [7; 12]);
        assert_eq!(both.open(b"here", &sealed).unwrap(), b"state");
        let newer = both.seal(b"here", b"state", [8; 12]);
        assert_eq!(old.open(b"here", &newer), Err(SealError::UnknownKey(2)));
    }

    #[test]
    fn a_value_is_bound_to_its_place() {
        let ring = ring(&format!("1:{}", key(1)));
        let mut sealed = ring.seal(b"here", b"state", [7; 12]);
        assert_eq!(ring.open(b"there", &sealed), Err(SealError::Broken));
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(ring.open(b"here", &sealed), Err(SealError::Broken));
        assert_eq!(ring.open(b"here", b"abc"), Err(SealError::Broken));
    }

    #[test]
    fn a_bad_keyring_is_named_without_its_key() {
        assert_eq!(Keyring::parse("").unwrap_err(), KeyringError::Empty);
        assert_eq!(Keyring::parse("abc").unwrap_err(), KeyringError::Form(1));
        assert_eq!(Keyring::parse("1:c2hvcnQ=").unwrap_err(), KeyringError::Key(1));
        assert_eq!(Keyring::parse(&format!("1:{0},1:{0}", key(1))).unwrap_err(), KeyringError::Twice(1));
    }
}
