//! The ledger in memory, which may stop answering.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use kurir_core::domain::{JobKey, LedgerEntry, MessageId, PhoneNumber, SessionId, Timestamp};
use kurir_core::memory::MemoryStores;
use kurir_core::port::{Ledger, LedgerWrite, PortError, Written};

pub struct FaultyLedger {
    inner: Arc<MemoryStores>,
    /// How many writes it takes before it stops.
    takes: AtomicU32,
}

impl FaultyLedger {
    pub fn new(inner: Arc<MemoryStores>) -> Self {
        Self { inner, takes: AtomicU32::new(u32::MAX) }
    }

    /// Takes so many writes more and then none.
    pub fn takes(&self, writes: u32) {
        self.takes.store(writes, Ordering::SeqCst);
    }
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        let one_less = |left: u32| left.checked_sub(1);
        if self.takes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            let source = "switched off by the test".into();
            return Err(PortError::Unavailable { system: "the ledger", action: "writing", source });
        }
        self.inner.write(writes).await
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        let inner: &dyn Ledger = &*self.inner;
        inner.get(keys).await
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        self.inner.by_message(session, ids).await
    }

    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError> {
        self.inner.open_of(session, limit).await
    }

    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError> {
        self.inner.met(session, recipients).await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.inner.forget(before, limit).await
    }
}
