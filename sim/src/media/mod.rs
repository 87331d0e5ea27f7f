//! Media: files that clients upload encrypted, and that phones and devices download.

mod attachment;
mod authority;
mod http;
mod rules;
mod store;
mod ticket;
mod tls_listener;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;

use crate::account::DeviceAddress;
use crate::entropy::Entropy;
use crate::error::SimError;

pub use attachment::MediaKind;
pub(crate) use attachment::{Attachment, Outgoing, check, seal};
pub(crate) use http::serve;
pub use rules::MediaRules;

use authority::{Authority, authority_text};
use store::{MediaStore, StoreError};
use ticket::{FileHash, Signer};

/// A file that can be read.
#[derive(Debug)]
pub(crate) struct Found {
    pub file: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Why a path leads to no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    #[error("no such file")]
    Unknown,
    #[error("the signature of the path is wrong")]
    BadSignature,
    #[error("the file is no longer kept")]
    Gone,
}

/// The media server's state.
pub(crate) struct Media {
    pub(super) store: MediaStore,
    signer: Signer,
    authority: Authority,
    host: String,
    kept_secs: u64,
    permission_secs: u64,
}

impl Media {
    /// `rules.address` is where the server listens.
    pub(crate) fn new(rules: &MediaRules, entropy: &Entropy) -> Result<Self, SimError> {
        let host = rules.host.clone().unwrap_or_else(|| rules.address.ip().to_string());
        let authority = Authority::generate(&mut entropy.stream("media authority", 0), &host)
            .map_err(|error| SimError::Keys(error.to_string()))?;
        let store = MediaStore::open(rules.folder.as_deref(), rules.file_bytes, rules.total_bytes)
            .map_err(|error| SimError::Media { reason: format!("the folder can't be used: {error}") })?;
        Ok(Self {
            store,
            signer: Signer::new(&mut entropy.stream("media tickets", 0)),
            authority,
            host: authority_text(&host, rules.address.port()),
            kept_secs: rules.kept.as_secs(),
            permission_secs: rules.permission.as_secs(),
        })
    }

    /// The certificate that clients must trust.
    pub(crate) fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    fn tls(&self) -> Arc<ServerConfig> {
        self.authority.tls()
    }

    /// `host:port` of the server.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Seconds for which a permission holds.
    pub(crate) fn permission_secs(&self) -> u64 {
        self.permission_secs
    }

    /// Lets a device upload for a while from `now`, in seconds since 1970.
    pub(crate) fn permit(&self, device: DeviceAddress, now: u64) -> String {
        self.signer.permit(device, now + self.permission_secs)
    }

    fn permitted(&self, permission: &str, now: u64) -> Option<DeviceAddress> {
        self.signer.permitted(permission, now)
    }

    fn direct_path(&self, hash: FileHash, now: u64) -> String {
        self.signer.path(hash, now + self.kept_secs)
    }

    fn url(&self, direct_path: &str) -> String {
        format!("https://{}{direct_path}", self.host)
    }

    /// The file behind a path at `now`, in seconds since 1970.
    fn find(&self, path: &str, now: u64) -> Result<Found, Missing> {
        let location = self.signer.locate(path).ok_or(Missing::Unknown)?;
        let found = self.store.find(location.hash);
        match found {
            // A genuine path was handed out for a file that was there.
            _ if location.genuine && now >= location.expires => Err(Missing::Gone),
            Some((file, bytes)) if location.genuine => Ok(Found { file, bytes }),
            Some(_) => Err(Missing::BadSignature),
            None if location.genuine => Err(Missing::Gone),
            None => Err(Missing::Unknown),
        }
    }

    /// Stores what a phone uploads. Returns its path.
    async fn keep(&self, hash: FileHash, content: Vec<u8>, now: u64) -> Result<String, StoreError> {
        let content = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(content.into())]);
        self.store.receive(hash, 0, content).await?;
        Ok(self.direct_path(hash, now))
    }

    /// Removes the file behind a path, as if it had not been kept for long. Returns whether it was
    /// there.
    pub(crate) async fn forget(&self, path: &str) -> bool {
        match self.signer.locate(path) {
            Some(location) => self.store.remove(location.hash).await,
            None => false,
        }
    }
}
