//! The jobs of a session that are in work in this process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use kurir_core::domain::JobKey;

/// Lets one copy of a job in at a time. Bounded by the lanes' windows.
#[derive(Clone, Default)]
pub(crate) struct InWork(Arc<Mutex<HashSet<JobKey>>>);

/// A job's place among those in work; given back when dropped.
pub(crate) struct Place {
    key: JobKey,
    all: InWork,
}

impl InWork {
    /// Takes the job's place; `None` while another copy of it is in work.
    pub(crate) fn enter(&self, key: JobKey) -> Option<Place> {
        let entered = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        entered.then(|| Place { key, all: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
