//! The file of a session: what is in it, and how it is sealed.
//!
//! A mark, the version, the length of what follows, a salt; then AES-256-GCM under a key that Argon2id makes of the passphrase,
//! with all that stands before bound to it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kurir_core::domain::{
    Keyring, Labels, OwnLimits, PhoneNumber, PoolId, Secret, SenderPace, SessionId, SessionStatus, TenantId, Timestamp,
};
use kurir_core::port::{Entropy, StateValue};
use serde::{Deserialize, Serialize};

const MARK: &[u8] = b"kurir session\n";

/// The version that is written, and the only one that is read so far.
const VERSION: u8 = 1;

const SALT: usize = 16;

/// Mark, version, length, salt.
const HEAD: usize = MARK.len() + 1 + 8 + SALT;

/// Argon2id in version 1: 64 MiB, three passes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// A larger file is none of ours: the largest sessions take some megabytes.
const LARGEST: u64 = 1 << 30;

/// A session on its way.
#[derive(Serialize, Deserialize)]
pub(super) struct SessionFile {
    /// When it was written.
    pub(super) taken_at: Timestamp,
    /// Whether the session ran on meanwhile: its keys have moved since then.
    pub(super) running: bool,
    pub(super) id: SessionId,
    pub(super) tenant: TenantId,
    pub(super) pool: Option<PoolId>,
    pub(super) name: Option<String>,
    pub(super) labels: Labels,
    pub(super) default: bool,
    pub(super) created_at: Timestamp,
    pub(super) status: SessionStatus,
    pub(super) pace: SenderPace,
    /// Files of before there were such have none.
    #[serde(default)]
    pub(super) limits: OwnLimits,
    /// Whom it has written to, and who got bulk messages of it.
    pub(super) met: Vec<PhoneNumber>,
    pub(super) bulk: Vec<PhoneNumber>,
    pub(super) state: Vec<StateEntry>,
}

/// A value of Signal state.
#[derive(Serialize, Deserialize)]
pub(super) struct StateEntry {
    area: String,
    key: String,
    /// In base64.
    value: String,
    expires_at: Option<Timestamp>,
}

impl StateEntry {
    pub(super) fn of(value: &StateValue) -> Self {
        Self {
            area: value.area.clone(),
            key: value.key.clone(),
            value: STANDARD.encode(&value.value),
            expires_at: value.expires_at,
        }
    }

    pub(super) fn read(self) -> anyhow::Result<StateValue> {
        let value = STANDARD.decode(self.value).ok().context("the session file has a value that is none")?;
        Ok(StateValue { area: self.area, key: self.key, value: value.into(), expires_at: self.expires_at })
    }
}

/// The ring with the key that a passphrase makes with a salt.
fn ring(passphrase: &Secret<String>, salt: &[u8]) -> anyhow::Result<Keyring> {
    let mut key = [0; 32];
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(key.len())).map_err(|error| anyhow::anyhow!("{error}"))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut key)
        .map_err(|error| anyhow::anyhow!("no key could be made of the passphrase: {error}"))?;
    Ok(Keyring::parse(&format!("1:{}", STANDARD.encode(key)))?)
}

/// Seals a session for a file.
pub(super) fn seal(file: &SessionFile, passphrase: &Secret<String>, entropy: &dyn Entropy) -> anyhow::Result<Vec<u8>> {
    let (mut salt, mut nonce) = ([0; SALT], [0; 12]);
    entropy.fill(&mut salt);
    entropy.fill(&mut nonce);
    let plain = serde_json::to_vec(file).context("the session can't be written as JSON")?;
    let ring = ring(passphrase, &salt)?;
    // What the key ring adds: its version, the nonce, the cipher's tag.
    let length = plain.len() as u64 + 4 + 12 + 16;
    let mut out = MARK.to_vec();
    out.push(VERSION);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&salt);
    let sealed = ring.seal(&out, &plain, nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// Opens what [`seal`] made.
pub(super) fn open(bytes: &[u8], passphrase: &Secret<String>) -> anyhow::Result<SessionFile> {
    let rest = bytes.strip_prefix(MARK).context("it is no session file of kurir's")?;
    let version = *rest.first().context("it is cut off")?;
    ensure!(version == VERSION, "it is of version {version}, this kurir reads version {VERSION}: use a newer kurir");
    ensure!(bytes.len() >= HEAD, "it is cut off");
    let (head, sealed) = bytes.split_at(HEAD);
    let mut length = [0; 8];
    length.copy_from_slice(&head[MARK.len() + 1..][..8]);
    let length = u64::from_be_bytes(length);
    ensure!(sealed.len() as u64 == length, "it is cut off or damaged: {} bytes of {length} are there", sealed.len());
    let Ok(plain) = ring(passphrase, &head[HEAD - SALT..])?.open(head, sealed) else {
        bail!("the passphrase is wrong, or the file is damaged");
    };
    // The parser's own words may repeat the value.
    serde_json::from_slice(&plain).ok().context("it opens, but what is in it is no session of this version")
}

/// Reads and opens a file.
pub(super) fn read(path: &Path, passphrase: &Secret<String>) -> anyhow::Result<SessionFile> {
    let what = || format!("{} can't be imported", path.display());
    let length = std::fs::metadata(path).with_context(what)?.len();
    ensure!(length <= LARGEST, "{}: it is larger than any session", what());
    open(&std::fs::read(path).with_context(what)?, passphrase).with_context(what)
}

/// Writes a new file, readable by its owner only; it is on the disk when this returns. What fails leaves none behind.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let what = || format!("{} can't be written", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(what)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::File::open(folder)?.sync_all()
    });
    if written.is_err() {
        // The error of the writing is the one to tell.
        let _ = std::fs::remove_file(path);
    }
    written.with_context(what)
}

#[cfg(test)]
mod tests {
    use kurir_core::memory::SystemEntropy;

    use super::*;

    fn sealed() -> Vec<u8> {
        let file = SessionFile {
            taken_at: Timestamp::from_millis(5),
            running: false,
            id: SessionId::new("toko-1").unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            pool: None,
            name: Some("Toko".into()),
            labels: Labels::default(),
            default: true,
            created_at: Timestamp::from_millis(1),
            status: SessionStatus::created(Timestamp::from_millis(2)),
            pace: SenderPace::default(),
            limits: OwnLimits { per_day: Some(7), ..OwnLimits::default() },
            met: vec![PhoneNumber::from_digits("6281234567890".into()).unwrap()],
            bulk: Vec::new(),
            state: vec![StateEntry {
                area: "identity".into(),
                key: "k".into(),
                value: "AAEC".into(),
                expires_at: None,
            }],
        };
        seal(&file, &secret("correct horse"), &SystemEntropy).unwrap()
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn refused(bytes: &[u8], passphrase: &str) -> String {
        open(bytes, &secret(passphrase)).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_passphrase_only() {
        let bytes = sealed();
        let file = open(&bytes, &secret("correct horse")).unwrap();
        assert_eq!((file.id.as_str(), file.name.as_deref(), file.met.len()), ("toko-1", Some("Toko"), 1));
        assert_eq!(file.state.into_iter().next().unwrap().read().unwrap().value.as_ref(), [0, 1, 2]);
        assert!(refused(&bytes, "wrong").contains("passphrase is wrong"));
        assert_ne!(bytes, sealed(), "no two files are alike");
        assert!(!bytes.windows(6).any(|part| part == b"628123"), "a number stands in the open");
    }

    #[test]
    fn damage_is_told_as_what_it_is() {
        let bytes = sealed();
        assert!(refused(&bytes[..bytes.len() - 1], "correct horse").contains("cut off"));
        assert!(refused(&bytes[..20], "correct horse").contains("cut off"));
        assert!(refused(b"SQLite format 3", "correct horse").contains("no session file"));
        let mut other = bytes.clone();
        other[MARK.len()] = 2;
        assert!(refused(&other, "correct horse").contains("version 2"));
        let mut other = bytes;
        let last = other.len() - 1;
        other[last] ^= 1;
        assert!(refused(&other, "correct horse").contains("damaged"));
    }
}
