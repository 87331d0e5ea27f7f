//! Readiness: whether those that a process depends on answer.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use kurir_core::port::PortError;
use serde::Serialize;
use utoipa::ToSchema;

const READY: &str = "ready";

/// One question, like "does the store answer?".
#[derive(Clone)]
pub struct Probe {
    name: &'static str,
    limit: Duration,
    /// Whether the process is not ready without it.
    vital: bool,
    ask: Arc<dyn Fn() -> BoxFuture<'static, Result<(), PortError>> + Send + Sync>,
}

/// The answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProbeReport {
    /// `ok`, `failed` or `timeout`; details stand in the log, since anybody may ask.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// How long the answer took, or its absence, in milliseconds.
    #[schema(example = 1.3)]
    pub latency_ms: f64,
}

/// What a process depends on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`, or `not_ready`: something does not answer that there is no going on without.
    #[schema(example = "ready")]
    pub status: &'static str,
    /// Each dependency.
    #[schema(example = json!({"postgres": {"status": "ok", "latency_ms": 1.3}}))]
    pub checks: BTreeMap<&'static str, ProbeReport>,
    /// Those that did not answer as they should. The gateway is ready without `redis`: only moving sessions needs it.
    #[schema(example = json!([]))]
    pub down: Vec<&'static str>,
}

impl Readiness {
    /// Whether all of them answered that there is no going on without.
    pub fn is_ready(&self) -> bool {
        self.status == READY
    }
}

impl Probe {
    /// Asks by calling `ask`, which is cut off after `limit`.
    pub fn new<F, A>(name: &'static str, limit: Duration, ask: A) -> Self
    where
        F: Future<Output = Result<(), PortError>> + Send + 'static,
        A: Fn() -> F + Send + Sync + 'static,
    {
        Self { name, limit, vital: true, ask: Arc::new(move || ask().boxed()) }
    }

    /// Of something that the process goes on without: that it does not answer is told, and the process is ready all the
    /// same.
    #[must_use]
    pub fn spared(mut self) -> Self {
        self.vital = false;
        self
    }

    async fn run(&self) -> ProbeReport {
        let begun = Instant::now();
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
        // Tenths of a millisecond are as exact as this is.
        let latency_ms = (begun.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
        ProbeReport { status, latency_ms }
    }
}

/// Asks all at the same time.
pub(super) async fn ask_all(probes: &[Probe]) -> Readiness {
    let reports = join_all(probes.iter().map(Probe::run)).await;
    let checks: BTreeMap<_, _> = probes.iter().map(|probe| probe.name).zip(reports).collect();
    let down: Vec<_> = checks.iter().filter(|(_, report)| report.status != "ok").map(|(name, _)| *name).collect();
    let missed = |probe: &Probe| probe.vital && down.contains(&probe.name);
    let status = if probes.iter().any(missed) { "not_ready" } else { READY };
    Readiness { status, checks, down }
}
