//! The record of requests that may be repeated, with their answers.

use async_trait::async_trait;

use super::PortError;
use crate::domain::{RecordedAnswer, RequestKey, RequestSeed, Timestamp};

/// Somebody who is about to carry a request out.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Which request.
    pub key: RequestKey,
    /// A hash of all that the request asks for: another one under the same name is another request.
    pub request: [u8; 32],
    /// Tells this run apart from any other; random.
    pub runner: u128,
    /// What its ids are made of, unless somebody has begun the request before; random.
    pub seed: RequestSeed,
    /// Now.
    pub at: Timestamp,
    /// Until when nobody else carries it out. From then on the run counts as dead.
    pub lease: Timestamp,
    /// Until when it is remembered.
    pub keep: Timestamp,
}

/// Whether to carry a request out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Yes, with ids made of this. It is the seed of an earlier run if that died.
    Run(RequestSeed),
    /// Somebody is at it, until this moment at the latest.
    Running(Timestamp),
    /// It was carried out, and this was the answer.
    Answered(RecordedAnswer),
    /// The name was used for another request.
    Reused,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// With this answer, which is given to every repetition.
    Answered(RecordedAnswer),
    /// It has done nothing: the next one begins anew.
    Nothing,
    /// What it has done is not known: the next one of the same request goes on with the same ids.
    Unknown,
}

/// Requests by the names that their callers gave them.
#[async_trait]
pub trait RequestLog: Send + Sync {
    /// Enters a run, unless the request is known. Of many at once exactly one gets [`Begun::Run`]. What is remembered
    /// only until before `run.at` is as good as unknown.
    async fn begin(&self, run: &NewRun) -> Result<Begun, PortError>;

    /// Says how a run ended; `false`: somebody has taken the request over, and nothing was changed.
    async fn end(&self, key: &RequestKey, runner: u128, end: &RunEnd) -> Result<bool, PortError>;

    /// Removes what is remembered until before this moment, at most `limit`. Tells how many.
    async fn forget_requests(&self, before: Timestamp, limit: u32) -> Result<u64, PortError>;
}
