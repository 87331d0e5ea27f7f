//! The way of a file into the store: piece by piece, counted, hashed, and judged by its beginning.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use super::media::{MEDIA_PIECE, PiecePut, reach};
use super::{MediaStore, PortError};
use crate::domain::{Contradiction, MediaLimits, MediaRecord, MediaState, judge_media};

/// How long a file may be on its way in.
const UNFINISHED: Duration = Duration::from_hours(2);

/// A file on its way in. Nothing is written before a first piece is there and was judged. One that is refused later is
/// removed, so that it takes no room; one that is dropped without a word stays unread and expires.
pub struct MediaIntake<'a> {
    store: &'a dyn MediaStore,
    record: MediaRecord,
    declared: Option<String>,
    limits: MediaLimits,
    buffer: BytesMut,
    pieces: u32,
    /// Whether it was entered here, and not before as one that is awaited.
    entered: bool,
    limit: u64,
    hash: Sha256,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is larger than a file of its type may be.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The tenant's files take as much as they may.
    #[error("the tenant's files take {used} of {allowed} bytes, and there is no room for this one")]
    Full {
        /// What they take, in bytes.
        used: u64,
        /// What they may take.
        allowed: u64,
    },
    /// It is something else than was said.
    #[error(transparent)]
    Contradicts(#[from] Contradiction),
    /// The store failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl<'a> MediaIntake<'a> {
    /// A file that is to become `record`, whose state, size, type and hash are filled in here.
    pub fn new(store: &'a dyn MediaStore, record: MediaRecord, declared: Option<String>, limits: MediaLimits) -> Self {
        let limit = limits.largest();
        let record = MediaRecord { state: MediaState::Filling, size: 0, ..record };
        let (buffer, hash) = (BytesMut::new(), Sha256::new());
        Self { store, record, declared, limits, buffer, pieces: 0, entered: false, limit, hash }
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), IntakeError> {
        let taken = self.take(bytes).await;
        self.tidy_up(taken.as_ref().err()).await;
        taken
    }

    /// The file has come to its end, and can be read.
    pub async fn finish(mut self) -> Result<MediaRecord, IntakeError> {
        let finished = self.settle().await;
        self.tidy_up(finished.as_ref().err()).await;
        finished
    }

    async fn take(&mut self, mut bytes: &[u8]) -> Result<(), IntakeError> {
        self.record.size += bytes.len() as u64;
        if self.record.size > self.limit {
            return Err(IntakeError::TooLarge(self.limit));
        }
        self.hash.update(bytes);
        while !bytes.is_empty() {
            let room = MEDIA_PIECE - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == MEDIA_PIECE {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// SHA-256 of what has come so far.
    pub fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Throws away what has come.
    pub async fn discard(self) -> Result<(), PortError> {
        if self.pieces > 0 {
            self.store.remove_media(&self.record.tenant, self.record.id).await?;
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<MediaRecord, IntakeError> {
        if self.record.size == 0 {
            return Err(IntakeError::Empty);
        }
        if !self.buffer.is_empty() {
            self.flush().await?;
        }
        self.record.state = MediaState::Ready;
        self.record.detail.sha256 = self.hash.finalize_reset().into();
        if self.store.settle_media(&self.record).await? {
            return Ok(self.record.clone());
        }
        // Somebody else was faster with the same file, or it was removed meanwhile.
        let there = self.store.media(&self.record.tenant, self.record.id).await?;
        there.filter(|there| there.state == MediaState::Ready).ok_or(IntakeError::Port(PortError::Closed("the file")))
    }

    async fn flush(&mut self) -> Result<(), IntakeError> {
        if self.pieces == 0 {
            self.record.detail.mime_type = judge_media(self.declared.as_deref(), &self.buffer)?;
            self.limit = self.limits.of(&self.record.detail.mime_type);
            if self.record.size > self.limit {
                return Err(IntakeError::TooLarge(self.limit));
            }
            // Should nobody finish it, it goes soon.
            let expires_at = self.record.expires_at.min(self.record.created_at.plus(UNFINISHED));
            self.entered = self.store.enter_media(&MediaRecord { expires_at, ..self.record.clone() }).await?;
        }
        let piece: Bytes = self.buffer.split().freeze();
        let allowed = self.limits.tenant;
        match self.store.put_piece(self.record.id, self.pieces, piece, allowed).await? {
            PiecePut::Done => self.pieces += 1,
            PiecePut::Gone => return Err(IntakeError::Port(PortError::Closed("the file"))),
            PiecePut::Full { used } => {
                // Without what is here of this very file.
                let used = used.saturating_sub(reach(self.pieces, 0));
                return Err(IntakeError::Full { used, allowed });
            }
        }
        Ok(())
    }

    /// Removes what was written of a file that is refused. Where the store failed nobody knows how far it came, or somebody else
    /// was faster with the same file: that stays.
    async fn tidy_up(&mut self, error: Option<&IntakeError>) {
        let refused = error.is_some_and(|error| !matches!(error, IntakeError::Port(_)));
        if refused && std::mem::take(&mut self.entered) {
            // Should that fail, it expires soon.
            let _ = self.store.remove_media(&self.record.tenant, self.record.id).await;
        }
    }
}

/// Reads all of a file that is ready; `None` when it is gone.
pub async fn read_media(store: &dyn MediaStore, media: &MediaRecord) -> Result<Option<Vec<u8>>, PortError> {
    let length = usize::try_from(media.size).unwrap_or(usize::MAX);
    let mut all = Vec::with_capacity(length);
    for at in 0..pieces_of(media.size) {
        let Some(piece) = store.piece(media.id, at).await? else { return Ok(None) };
        all.extend_from_slice(&piece);
    }
    Ok(Some(all))
}

/// How many pieces a file of this length has.
pub fn pieces_of(size: u64) -> u32 {
    u32::try_from(size.div_ceil(MEDIA_PIECE as u64)).unwrap_or(u32::MAX)
}
