//! Readiness: whether those that the gateway depends on answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use kurir_core::port::PortError;

/// One question, like "does the store answer?".
#[derive(Clone)]
pub struct Probe {
    name: &'static str,
    limit: Duration,
    ask: Arc<dyn Fn() -> BoxFuture<'static, Result<(), PortError>> + Send + Sync>,
}

/// The answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// Who was asked.
    pub name: &'static str,
    /// `ok`, `failed` or `timeout`; details stand in the log, since anybody may ask.
    pub status: &'static str,
}

impl Probe {
    /// Asks by calling `ask`, which is cut off after `limit`.
    pub fn new<F, A>(name: &'static str, limit: Duration, ask: A) -> Self
    where
        F: Future<Output = Result<(), PortError>> + Send + 'static,
        A: Fn() -> F + Send + Sync + 'static,
    {
        Self { name, limit, ask: Arc::new(move || ask().boxed()) }
    }

    async fn run(&self) -> ProbeReport {
        let status = match tokio::time::timeout(self.limit, (self.ask)()).await {
            Ok(Ok(())) => "ok",
            Ok(Err(error)) => {
                tracing::warn!(probe = self.name, error = error.chain(), "not ready");
                "failed"
            }
            Err(_) => {
                tracing::warn!(probe = self.name, limit = ?self.limit, "not ready: no answer in time");
                "timeout"
            }
        };
        ProbeReport { name: self.name, status }
    }
}

/// Asks all at the same time; the answers are in order.
pub(super) async fn ask_all(probes: &[Probe]) -> Vec<ProbeReport> {
    join_all(probes.iter().map(Probe::run)).await
}
