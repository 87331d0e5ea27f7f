//! The keys for encryption at rest: from the settings, or from a file that is made at the first start.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use kurir_core::domain::Keyring;
use kurir_core::port::Entropy;

use crate::config::StoreConfig;

/// Whether a missing key file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// One process alone: make it, readable by its owner only.
    Make,
    /// A fleet: all of its processes need the same keys, so making one would lock the others out.
    Refuse,
}

/// Reads the keyring.
pub fn keyring(store: &StoreConfig, missing: Missing, entropy: &dyn Entropy) -> anyhow::Result<Arc<Keyring>> {
    if let Some(keys) = &store.encryption_keys {
        return Ok(Arc::new(Keyring::parse(keys.expose()).context("store.encryption_keys can't be used")?));
    }
    let Some(path) = store.encryption_keys_file.as_deref().map(Path::new) else {
        bail!(
            "no keys for encryption at rest: set store.encryption_keys (KURIR_STORE__ENCRYPTION_KEYS) or store.encryption_keys_file"
        );
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && missing == Missing::Make => make(path, entropy)?,
        Err(error) => return Err(error).with_context(|| format!("the key file {} can't be read", path.display())),
    };
    let ring = Keyring::parse(text.trim()).with_context(|| format!("the key file {} can't be used", path.display()))?;
    Ok(Arc::new(ring))
}

fn make(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<String> {
    let mut key = [0; 32];
    entropy.fill(&mut key);
    let text = format!("1:{}\n", base64::engine::general_purpose::STANDARD.encode(key));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} can't be made", folder.display()))?;
    }
    // `create_new`: a file that another process makes at this moment is not overwritten.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .with_context(|| format!("the key file {} can't be made", path.display()))?;
    tracing::info!(path = %path.display(), "a key for encryption at rest was made; keep a copy of the file");
    Ok(text)
}
