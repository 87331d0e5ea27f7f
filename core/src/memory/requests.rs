//! The record of requests in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::MemoryStores;
use crate::domain::{RecordedAnswer, RequestKey, RequestSeed, Timestamp};
use crate::port::{Begun, NewRun, PortError, RequestLog, RunEnd};

/// Requests by their names.
pub(super) type Requests = HashMap<RequestKey, Known>;

/// What is known of a request.
pub(super) struct Known {
    request: [u8; 32],
    runner: u128,
    seed: RequestSeed,
    lease: Timestamp,
    keep: Timestamp,
    answer: Option<RecordedAnswer>,
}

#[async_trait]
impl RequestLog for MemoryStores {
    async fn begin(&self, run: &NewRun) -> Result<Begun, PortError> {
        let mut tables = self.tables();
        let known = tables.requests.get(&run.key).filter(|known| known.keep >= run.at);
        let seed = match known {
            None => run.seed,
            Some(known) if known.request != run.request => return Ok(Begun::Reused),
            Some(Known { answer: Some(answer), .. }) => return Ok(Begun::Answered(answer.clone())),
            Some(known) if known.lease > run.at => return Ok(Begun::Running(known.lease)),
            Some(known) => known.seed,
        };
        let NewRun { request, runner, lease, keep, .. } = *run;
        tables.requests.insert(run.key.clone(), Known { request, runner, seed, lease, keep, answer: None });
        Ok(Begun::Run(seed))
    }

    async fn end(&self, key: &RequestKey, runner: u128, end: &RunEnd) -> Result<bool, PortError> {
        let mut tables = self.tables();
        let known = tables.requests.get_mut(key).filter(|known| known.runner == runner && known.answer.is_none());
        let Some(known) = known else { return Ok(false) };
        match end {
            RunEnd::Answered(answer) => known.answer = Some(answer.clone()),
            RunEnd::Unknown => known.lease = Timestamp::from_millis(0),
            RunEnd::Nothing => {
                tables.requests.remove(key);
            }
        }
        Ok(true)
    }

    async fn forget_requests(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        let mut tables = self.tables();
        let old = tables.requests.iter().filter(|(_, known)| known.keep < before);
        let old: Vec<_> = old.map(|(key, _)| key.clone()).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        for key in &old {
            tables.requests.remove(key);
        }
        Ok(old.len() as u64)
    }
}
