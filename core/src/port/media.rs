//! Files that are kept for a while: those that callers upload, and those that came in with messages.

use async_trait::async_trait;
use bytes::Bytes;

use super::PortError;
use crate::domain::{Fence, MediaId, MediaRecord, SessionId, TenantId, Timestamp};

/// The length of a file's pieces; the last one is shorter.
pub const MEDIA_PIECE: usize = 256 * 1024;

/// How far a file reaches, in bytes, with a piece of this length at this place.
pub fn reach(at: u32, length: usize) -> u64 {
    u64::from(at) * MEDIA_PIECE as u64 + length as u64
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PiecePut {
    /// It is kept.
    Done,
    /// There is no such file, or it is final.
    Gone,
    /// It is not kept: with it the tenant's files would take more than they may.
    Full {
        /// What they take without it, in bytes.
        used: u64,
    },
}

/// Files, in pieces, sealed. What was written is durable when a call returns. What a tenant's files take together is counted
/// with every piece, and given back with every file that goes; a file takes what its pieces reach to.
#[async_trait]
pub trait MediaStore: Send + Sync {
    /// Enters a file; `false`: there is one of this id already, and it stays as it is.
    async fn enter_media(&self, media: &MediaRecord) -> Result<bool, PortError>;

    /// Keeps a piece of a file that was entered and is not final; again, it replaces the first and takes no more room. The
    /// tenant's files take no more than `allowed` bytes after it, however many pieces come at once.
    async fn put_piece(&self, id: MediaId, at: u32, bytes: Bytes, allowed: u64) -> Result<PiecePut, PortError>;

    /// Writes what has become of a file: a record of the same id that is final. Of one that is not ready no piece is kept.
    /// `false`: there is no such file, or it was final before and stays as it is.
    async fn settle_media(&self, media: &MediaRecord) -> Result<bool, PortError>;

    /// A tenant's file, whatever its state.
    async fn media(&self, tenant: &TenantId, id: MediaId) -> Result<Option<MediaRecord>, PortError>;

    /// A piece of a file.
    async fn piece(&self, id: MediaId, at: u32) -> Result<Option<Bytes>, PortError>;

    /// Keeps a tenant's file at least until this moment.
    async fn keep_media(&self, tenant: &TenantId, id: MediaId, until: Timestamp) -> Result<(), PortError>;

    /// Removes a tenant's file with its pieces; tells whether there was one.
    async fn remove_media(&self, tenant: &TenantId, id: MediaId) -> Result<bool, PortError>;

    /// Removes files that came in for a session, with their pieces, at most `limit`; tells how many. `None`: the session is
    /// somebody else's by now, or not there, and nothing was removed.
    async fn remove_media_of(&self, fence: &Fence, limit: u32) -> Result<Option<u64>, PortError>;

    /// The files of a session that are awaited, the oldest first, at most `limit`.
    async fn awaited_media(&self, session: &SessionId, limit: u32) -> Result<Vec<MediaRecord>, PortError>;

    /// Removes files that expire before this moment, at most `limit`; tells how many.
    async fn sweep_media(&self, before: Timestamp, limit: u32) -> Result<u64, PortError>;
}
