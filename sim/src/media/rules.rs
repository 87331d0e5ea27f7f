//! Settings of the media server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How files are taken, kept and handed out.
///
/// The default listens on a free loopback port and keeps files for 30 days, as WhatsApp does, in a
/// folder that goes when the simulator stops.
#[derive(Debug, Clone)]
pub struct MediaRules {
    /// Where clients upload and download by HTTPS; port 0 takes a free one.
    pub address: SocketAddr,
    /// The host that clients are told, when it is not the listening address: the name of a
    /// container, for example. The certificate is made for it.
    pub host: Option<String>,
    /// Where files are kept, for a simulator that is started again later. `None` takes a temporary
    /// folder.
    pub folder: Option<PathBuf>,
    /// Largest encrypted file, in bytes.
    pub file_bytes: u64,
    /// Room for all files, in bytes; the oldest ones go beyond it.
    pub total_bytes: u64,
    /// How long a file can be downloaded.
    pub kept: Duration,
    /// How long a device may upload before it has to ask again.
    pub permission: Duration,
}

impl Default for MediaRules {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host: None,
            folder: None,
            file_bytes: 100 << 20,
            total_bytes: 1 << 30,
            kept: Duration::from_hours(30 * 24),
            permission: Duration::from_hours(6),
        }
    }
}
