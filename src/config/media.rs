//! Files that messages carry.

use std::time::Duration;

use serde::Deserialize;

use super::read;

/// `[media]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaConfig {
    /// Largest picture or sticker, in MiB.
    pub image_mib: u32,
    /// Largest film, in MiB.
    pub video_mib: u32,
    /// Largest sound, in MiB.
    pub audio_mib: u32,
    /// Largest other file, in MiB.
    pub document_mib: u32,
    /// How much a tenant's files may take together, in MiB; 0: no such limit.
    pub tenant_mib: u32,
    /// How long a file is kept.
    #[serde(deserialize_with = "read::span")]
    pub keep: Duration,
    /// How long a file's way to or from WhatsApp, the web or a caller may take.
    #[serde(deserialize_with = "read::span")]
    pub transfer_timeout: Duration,
    /// What a worker's files on their way may take of its memory together, in MiB.
    pub memory_mib: u32,
}
