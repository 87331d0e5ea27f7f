//! Puts jobs into the queues and follows their events to the end.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kurir_core::domain::{EventKind, Lane, SessionId, Target, TenantId};
use kurir_core::port::{Clock, Enqueued, EventStream, JobHeaders, JobQueue, PublishJob};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1};
use serde::Deserialize;
use uuid::Uuid;

use super::figures::Latency;

/// Jobs that are published at once.
const BATCH: usize = 500;

/// How long nothing may happen before the measurement is given up.
const QUIET: Duration = Duration::from_mins(1);

/// How long a job is worth sending; longer than any measurement.
const LIFE: Duration = Duration::from_hours(6);

/// What becomes of an event here: only its kind and its job matter.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    kind: String,
    data: About,
}

#[derive(Deserialize)]
struct About {
    job: Uuid,
    #[serde(default)]
    reason: Option<String>,
}

/// The jobs that were published and are not sent yet, and what has happened so far.
pub struct Flood {
    waiting: HashMap<Uuid, Instant>,
    started: Instant,
    last_sent: Instant,
    latencies: Vec<Duration>,
    read: usize,
    jobs: usize,
    until: Until,
    delayed: usize,
}

/// When a flood is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// WhatsApp has taken every message.
    Sent,
    /// Every recipient has read its message: nothing of the flood is left to be done.
    Read,
}

/// A message's way to one recipient.
pub struct Order<'a> {
    /// By which session.
    pub session: &'a SessionId,
    /// To whom.
    pub to: String,
    /// In which lane.
    pub lane: Lane,
    /// For whom.
    pub tenant: &'a TenantId,
}

impl Flood {
    /// Publishes jobs in batches while following the events until the end.
    pub async fn run(
        jobs: &dyn JobQueue,
        events: &mut dyn EventStream,
        clock: &dyn Clock,
        orders: impl IntoIterator<Item = Order<'_>>,
        until: Until,
    ) -> anyhow::Result<Self> {
        let mut batches = Vec::new();
        let mut batch = Vec::with_capacity(BATCH);
        let mut ids = Vec::new();
        for order in orders {
            let (id, job) = order.job(clock)?;
            ids.push(id);
            batch.push(job);
            if batch.len() == BATCH {
                batches.push(std::mem::take(&mut batch));
            }
        }
        batches.push(batch);
        let started = Instant::now();
        let mut flood = Self {
            waiting: HashMap::with_capacity(ids.len()),
            started,
            last_sent: started,
            latencies: Vec::with_capacity(ids.len()),
            read: 0,
            jobs: ids.len(),
            until,
            delayed: 0,
        };
        // An event may come before its batch is confirmed, so all jobs are known before the first is published.
        flood.waiting.extend(ids.into_iter().map(|id| (id, started)));
        let publish = async {
            for batch in batches {
                let accepted = jobs.publish(batch).await?;
                if accepted.iter().any(|answer| *answer != Enqueued::Accepted) {
                    bail!("a queue of the benchmark's sessions is missing");
                }
            }
            Ok(())
        };
        let follow = flood.follow(events);
        tokio::try_join!(publish, follow)?;
        if flood.delayed > 0 {
            eprintln!(
                "{} times a job was delayed: the figures of this step are not those of an open road",
                flood.delayed
            );
        }
        Ok(flood)
    }

    fn is_over(&self) -> bool {
        match self.until {
            Until::Sent => self.waiting.is_empty(),
            Until::Read => self.read >= self.jobs,
        }
    }

    async fn follow(&mut self, events: &mut dyn EventStream) -> anyhow::Result<()> {
        while !self.is_over() {
            let event = tokio::time::timeout(QUIET, events.next()).await.with_context(|| {
                format!("nothing has happened for {} s; {} jobs are not sent", QUIET.as_secs(), self.waiting.len())
            })??;
            self.take(&event.context("the events ended")?.body)?;
        }
        Ok(())
    }

    fn take(&mut self, body: &[u8]) -> anyhow::Result<()> {
        // Those of sessions name no job.
        let Ok(Told { kind, data }) = serde_json::from_slice::<Told>(body) else { return Ok(()) };
        match EventKind::parse(&kind) {
            Some(EventKind::MessageSent) => {
                if let Some(since) = self.waiting.remove(&data.job) {
                    self.last_sent = Instant::now();
                    self.latencies.push(self.last_sent.duration_since(since));
                }
            }
            // Each comes once here, since the worker is not disturbed.
            Some(EventKind::MessageRead) => self.read += 1,
            Some(EventKind::MessageDelayed) => self.delayed += 1,
            Some(EventKind::MessageFailed | EventKind::MessageExpired | EventKind::MessageUncertain) => {
                bail!("a job ended with {kind} ({})", data.reason.as_deref().unwrap_or("no reason"));
            }
            _ => {}
        }
        Ok(())
    }

    /// From the first publication to the last event `message.sent`.
    pub fn took(&self) -> Duration {
        self.last_sent.duration_since(self.started)
    }

    /// From the flood's beginning to each job's `message.sent`.
    pub fn latency(self) -> Latency {
        Latency::of(self.latencies)
    }
}

impl Order<'_> {
    fn job(&self, clock: &dyn Clock) -> anyhow::Result<(Uuid, PublishJob)> {
        let id = Uuid::now_v7();
        let now = clock.now();
        let wire = JobV1 {
            id,
            tenant: self.tenant.to_string(),
            session: Some(self.session.to_string()),
            pool: None,
            to: self.to.clone(),
            lane: self.lane,
            content: ContentV1::text(super::TEXT.to_owned()),
            expires_at: Some(now.plus(LIFE).to_rfc3339()),
            enqueued_at: Some(now.to_rfc3339()),
            metadata: BTreeMap::new(),
        };
        let headers = JobHeaders { kind: JOB_KIND.into(), message_id: Some(id.to_string()), ..JobHeaders::default() };
        let target = Target::Session(self.session.clone());
        Ok((id, PublishJob { target, lane: self.lane, body: serde_json::to_vec(&wire)?, headers }))
    }
}
