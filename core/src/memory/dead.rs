//! The dead letters within one process.

use async_trait::async_trait;

use super::{MemoryJobQueue, lock};
use crate::port::{DeadFilter, DeadId, DeadJob, DeadLetters, Enqueued, JobHeaders, PortError, Retried};

/// The letters are numbered as they die.
fn number(id: &DeadId) -> u64 {
    id.0.parse().unwrap_or(u64::MAX)
}

#[async_trait]
impl DeadLetters for MemoryJobQueue {
    async fn list(&self, which: &DeadFilter, after: Option<&DeadId>, limit: u32) -> Result<Vec<DeadJob>, PortError> {
        let state = lock(&self.shared.state);
        let after = after.map_or(0, number);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let follow = state.dead.iter().filter(|dead| number(&dead.id) > after && which.means(dead));
        Ok(follow.take(limit).cloned().collect())
    }

    async fn retry(&self, which: &DeadFilter) -> Result<Vec<(DeadId, Retried)>, PortError> {
        let mut state = lock(&self.shared.state);
        let mut answers = Vec::new();
        let (meant, mut kept) =
            std::mem::take(&mut state.dead).into_iter().partition::<Vec<_>, _>(|dead| which.means(dead));
        for dead in meant {
            let headers = JobHeaders { hop: 0, not_before: None, ..dead.headers.clone() };
            let enqueued = dead.place().map(|(target, lane)| state.put(&target, lane, dead.body.clone(), headers));
            if enqueued == Some(Enqueued::Accepted) {
                answers.push((dead.id, Retried::Enqueued));
            } else {
                answers.push((dead.id.clone(), Retried::NoSuchTarget));
                kept.push(dead);
            }
        }
        // In the order of their deaths again.
        kept.sort_by_key(|dead| number(&dead.id));
        state.dead = kept.into();
        Ok(answers)
    }

    async fn discard(&self, which: &DeadFilter) -> Result<Vec<DeadId>, PortError> {
        let mut state = lock(&self.shared.state);
        let mut gone = Vec::new();
        state.dead.retain(|dead| {
            let meant = which.means(dead);
            if meant {
                gone.push(dead.id.clone());
            }
            !meant
        });
        Ok(gone)
    }
}
