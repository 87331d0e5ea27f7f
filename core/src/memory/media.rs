//! Files in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;

use super::MemoryStores;
use crate::domain::{Fence, MediaId, MediaRecord, MediaState, SessionId, TenantId, Timestamp};
use crate::port::{MediaStore, PiecePut, PortError, reach};

/// A file and its pieces.
pub(super) struct File {
    record: MediaRecord,
    pieces: BTreeMap<u32, Bytes>,
}

impl File {
    /// How far its pieces reach.
    fn kept(&self) -> u64 {
        self.pieces.iter().map(|(at, bytes)| reach(*at, bytes.len())).max().unwrap_or_default()
    }
}

#[async_trait]
impl MediaStore for MemoryStores {
    async fn enter_media(&self, media: &MediaRecord) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let new = !tables.media.contains_key(&media.id);
        if new {
            tables.media.insert(media.id, File { record: media.clone(), pieces: BTreeMap::new() });
        }
        Ok(new)
    }

    async fn put_piece(&self, id: MediaId, at: u32, bytes: Bytes, allowed: u64) -> Result<PiecePut, PortError> {
        let mut tables = self.tables();
        let Some(file) = tables.media.get(&id).filter(|file| !file.record.state.is_final()) else {
            return Ok(PiecePut::Gone);
        };
        let more = reach(at, bytes.len()).saturating_sub(file.kept());
        let own = tables.media.values().filter(|other| other.record.tenant == file.record.tenant);
        let used: u64 = own.map(File::kept).sum();
        if used + more > allowed {
            return Ok(PiecePut::Full { used });
        }
        if let Some(file) = tables.media.get_mut(&id) {
            file.pieces.insert(at, bytes);
        }
        Ok(PiecePut::Done)
    }

    async fn settle_media(&self, media: &MediaRecord) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let Some(file) = tables.media.get_mut(&media.id).filter(|file| !file.record.state.is_final()) else {
            return Ok(false);
        };
        file.record = media.clone();
        if media.state != MediaState::Ready {
            file.pieces.clear();
        }
        Ok(true)
    }

    async fn media(&self, tenant: &TenantId, id: MediaId) -> Result<Option<MediaRecord>, PortError> {
        let tables = self.tables();
        Ok(tables.media.get(&id).map(|file| &file.record).filter(|record| record.tenant == *tenant).cloned())
    }

    async fn piece(&self, id: MediaId, at: u32) -> Result<Option<Bytes>, PortError> {
        Ok(self.tables().media.get(&id).and_then(|file| file.pieces.get(&at)).cloned())
    }

    async fn keep_media(&self, tenant: &TenantId, id: MediaId, until: Timestamp) -> Result<(), PortError> {
        let mut tables = self.tables();
        if let Some(file) = tables.media.get_mut(&id).filter(|file| file.record.tenant == *tenant) {
            file.record.expires_at = file.record.expires_at.max(until);
        }
        Ok(())
    }

    async fn remove_media(&self, tenant: &TenantId, id: MediaId) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let own = tables.media.get(&id).is_some_and(|file| file.record.tenant == *tenant);
        Ok(own && tables.media.remove(&id).is_some())
    }

    async fn remove_media_of(&self, fence: &Fence, limit: u32) -> Result<Option<u64>, PortError> {
        let mut tables = self.tables();
        if !tables.allows(fence) {
            return Ok(None);
        }
        let theirs = tables.media.values().map(|file| &file.record);
        let theirs = theirs.filter(|record| record.session.as_ref() == Some(&fence.session)).map(|record| record.id);
        let theirs: Vec<MediaId> = theirs.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        for id in &theirs {
            tables.media.remove(id);
        }
        Ok(Some(theirs.len() as u64))
    }

    async fn awaited_media(&self, session: &SessionId, limit: u32) -> Result<Vec<MediaRecord>, PortError> {
        let tables = self.tables();
        let records = tables.media.values().map(|file| &file.record);
        let mut awaited: Vec<MediaRecord> = records
            .filter(|record| record.state == MediaState::Awaited && record.session.as_ref() == Some(session))
            .cloned()
            .collect();
        awaited.sort_by_key(|record| (record.created_at, record.id));
        awaited.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(awaited)
    }

    async fn sweep_media(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let mut tables = self.tables();
        let old = tables.media.values().map(|file| &file.record).filter(|record| record.expires_at < before);
        let old: Vec<MediaId> =
            old.map(|record| record.id).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        for id in &old {
            tables.media.remove(id);
        }
        Ok(old.len() as u64)
    }
}
