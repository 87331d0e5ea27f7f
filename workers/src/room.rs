//! Room in memory for files on their way to WhatsApp or from there: the library has all of one in memory at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in pieces of this size.
const UNIT: u64 = 1024 * 1024;

/// What a worker's files may take together. One that is larger than all of it goes alone.
#[derive(Clone)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    all: u32,
}

impl Room {
    /// Room for so many MiB.
    pub(crate) fn new(mib: u32) -> Self {
        let all = mib.max(1);
        Self { units: Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(usize::MAX))), all }
    }

    /// Waits for the room of so many bytes; it is given back when the answer is dropped.
    pub(crate) async fn enter(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.all);
        // Nobody closes it.
        Arc::clone(&self.units).acquire_many_owned(units).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn files_share_the_room_and_a_large_one_goes_alone() {
        let room = Room::new(4);
        let first = room.enter(3 * UNIT).await;
        assert!(room.enter(2 * UNIT).now_or_never().is_none());
        let small = room.enter(1).now_or_never().expect("there is room");
        assert!(room.enter(1).now_or_never().is_none());
        drop((first, small));
        let large = room.enter(900 * UNIT).now_or_never().expect("it goes alone");
        assert!(room.enter(1).now_or_never().is_none());
        drop(large);
    }
}
