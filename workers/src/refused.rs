//! Writes that the store refused because they came under an old epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kurir_core::port::Written;

/// Counts refused writes of one process. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Refused(Arc<AtomicU64>);

impl Refused {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes what became of writes, and passes it on.
    pub(crate) fn note(&self, written: &[Written]) {
        let refused = written.iter().filter(|written| **written == Written::Fenced).count();
        if refused > 0 {
            tracing::info!(refused, "writes under an old epoch were refused");
            self.0.fetch_add(refused as u64, Ordering::Relaxed);
        }
    }
}
