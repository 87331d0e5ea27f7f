//! The vigil within one process: those who watch are told by each other.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::lock;
use crate::domain::Sight;
use crate::port::{PortError, Vigil, Watch};

/// Most sights that wait for one who watches.
const SIGHTS: usize = 256;

type Watchers = Arc<Mutex<HashMap<u64, mpsc::Sender<Sight>>>>;

/// A vigil over those who were given a clone of it.
#[derive(Clone, Default)]
pub struct MemoryVigil {
    watchers: Watchers,
}

/// Tells the others of the death when it is dropped.
struct Guard {
    process: u64,
    watchers: Watchers,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut watchers = lock(&self.watchers);
        watchers.remove(&self.process);
        tell(&watchers, Sight::Died(self.process));
    }
}

fn tell(watchers: &HashMap<u64, mpsc::Sender<Sight>>, sight: Sight) {
    for watcher in watchers.values() {
        // Who does not look misses it.
        let _ = watcher.try_send(sight);
    }
}

#[async_trait]
impl Vigil for MemoryVigil {
    async fn keep(&self, process: u64) -> Result<Watch, PortError> {
        let (sender, sights) = mpsc::channel(SIGHTS);
        let mut watchers = lock(&self.watchers);
        for other in watchers.keys() {
            let _ = sender.try_send(Sight::Appeared(*other));
        }
        watchers.insert(process, sender);
        tell(&watchers, Sight::Appeared(process));
        Ok(Watch { sights, guard: Box::new(Guard { process, watchers: Arc::clone(&self.watchers) }) })
    }

    async fn alive(&self) -> Result<BTreeSet<u64>, PortError> {
        Ok(lock(&self.watchers).keys().copied().collect())
    }

    async fn nudge(&self) -> Result<(), PortError> {
        tell(&lock(&self.watchers), Sight::Look);
        Ok(())
    }
}
