//! The jobs of a session that is being deleted: each comes to an end that is told, and a pool's job goes back to the others.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use kurir_core::domain::{FailReason, Fence, Job, Lane, LedgerEntry, MessageState, SessionRecord, Target};
use kurir_core::port::{DeadLetter, Delivery, JobHeaders, JobStream, PortError, Settle};
use kurir_core::wire::JobV1;
use tokio_util::sync::CancellationToken;

use super::limits;
use super::step::{Step, step_of};
use crate::session::Shared;

/// Most jobs in work at a time.
const WINDOW: u16 = 64;

/// Most entries that are read at a time.
const ROUND: u32 = 256;

/// A queue that hands nothing out for so long, and says that nothing is in it, is empty.
const SILENCE: Duration = Duration::from_millis(500);

/// After so many silences of a queue that says that it isn't empty the deletion is tried again later: an owner that died may
/// still hold its jobs.
const SILENCES: u32 = 40;

/// How often a job that met another write is decided again.
const TRIES: usize = 8;

/// Whether all came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// Yes.
    None,
    /// No: it was to stop.
    Some,
    /// The session has another owner.
    Fenced,
}

/// Ends what waits in the session's queues, then what only the ledger knows of: it waits for a retry, or has not been put
/// into a queue yet.
pub(crate) async fn conclude_remains(
    shared: &Shared,
    record: &SessionRecord,
    fence: &Fence,
    stop: &CancellationToken,
) -> Result<Remains, PortError> {
    // An earlier try may have removed them, and what isn't there can't be read.
    shared.ports.jobs.declare(&record.id).await?;
    let house = House { shared, record, fence };
    for lane in Lane::ALL {
        let mut stream = shared.ports.jobs.subscribe(&record.id, lane, WINDOW).await?;
        let emptied = house.empty(lane, &mut *stream, stop).await;
        let closed = stream.close().await;
        match emptied? {
            Remains::None => closed?,
            other => return Ok(other),
        }
    }
    loop {
        let open = shared.ports.ledger.open_of(&record.id, ROUND).await?;
        if open.is_empty() {
            return Ok(Remains::None);
        }
        for ended in join_all(open.iter().map(|entry| house.end(entry))).await {
            if matches!(ended?, Step::Fenced) {
                return Ok(Remains::Fenced);
            }
        }
        if stop.is_cancelled() {
            return Ok(Remains::Some);
        }
    }
}

struct House<'a> {
    shared: &'a Shared,
    record: &'a SessionRecord,
    fence: &'a Fence,
}

impl House<'_> {
    async fn empty(
        &self,
        lane: Lane,
        stream: &mut dyn JobStream,
        stop: &CancellationToken,
    ) -> Result<Remains, PortError> {
        let mut silences = 0;
        while !stop.is_cancelled() {
            let Ok(next) = tokio::time::timeout(SILENCE, stream.next()).await else {
                if self.shared.ports.jobs.depth(&self.record.id, lane).await? == 0 {
                    return Ok(Remains::None);
                }
                silences += 1;
                if silences == SILENCES {
                    tracing::warn!(session = %self.record.id, %lane, "jobs of a session that is to be deleted are not handed out; trying again later");
                    return Err(PortError::Closed("the lane of a session that is to be deleted"));
                }
                continue;
            };
            silences = 0;
            let mut round: Vec<Delivery> = next?.into_iter().collect();
            while round.len() < usize::from(WINDOW) {
                match stream.next().now_or_never() {
                    Some(more) => round.extend(more?),
                    None => break,
                }
            }
            if round.is_empty() {
                return Err(PortError::Closed("the lane's stream"));
            }
            for done in join_all(round.into_iter().map(|delivery| self.conclude(delivery))).await {
                if done? == Remains::Fenced {
                    return Ok(Remains::Fenced);
                }
            }
        }
        Ok(Remains::Some)
    }

    async fn conclude(&self, delivery: Delivery) -> Result<Remains, PortError> {
        let Delivery { body, headers, settle, .. } = delivery;
        let country = self.shared.options.default_country.as_deref();
        let (reason, detail) = match JobV1::decode(&headers.kind, &body, country) {
            Ok(job) if matches!(&job.target, Target::Session(other) if *other != self.record.id) => {
                (FailReason::WrongTarget, "session: not the one of the queue".to_owned())
            }
            Ok(job) if self.is_proven(&job, &headers) => return self.conclude_job(&job, headers, settle).await,
            Ok(_) => (FailReason::WrongTenant, "tenant: the session belonged to another tenant".to_owned()),
            Err(malformed) => (malformed.reason, malformed.detail),
        };
        settle.dead(DeadLetter { reason, detail }).await?;
        Ok(Remains::None)
    }

    /// Whether the job's tenant is the session's, and the one that published it where that has to be.
    fn is_proven(&self, job: &Job, headers: &JobHeaders) -> bool {
        let proven = !self.shared.options.prove_tenant || headers.user.as_deref() == Some(job.tenant.as_str());
        job.tenant == self.record.tenant && proven
    }

    async fn conclude_job(
        &self,
        job: &Job,
        headers: JobHeaders,
        settle: Box<dyn Settle>,
    ) -> Result<Remains, PortError> {
        let ports = &self.shared.ports;
        for _ in 0..TRIES {
            let entry = self.shared.entries.write(job.key()).await?;
            let entry = entry.unwrap_or_else(|| LedgerEntry::new(job, ports.clock.now()));
            let ours = entry.session.as_ref() == Some(&self.record.id);
            if !entry.state.is_open() || !ours && matches!(job.target, Target::Session(_)) {
                settle.ack().await?;
                return Ok(Remains::None);
            }
            // Only what may have arrived is bound to this session for ever.
            let back = match &job.target {
                Target::Pool(pool) if !ours || entry.state != MessageState::Sending => Some(pool),
                _ => None,
            };
            let done = match back {
                Some(_) if !ours => Step::Done(Box::new(entry)),
                Some(_) => self.free(&entry).await?,
                None => self.end(&entry).await?,
            };
            match (done, back) {
                (Step::Done(_), Some(pool)) => {
                    let headers = JobHeaders { hop: headers.hop.saturating_add(1), ..headers };
                    settle.pass(&pool.into(), Duration::ZERO, headers).await?;
                    return Ok(Remains::None);
                }
                (Step::Done(ended), None) => {
                    if ended.attempts == 0 {
                        limits::refund(&*ports.recipients, job).await?;
                    }
                    settle.ack().await?;
                    return Ok(Remains::None);
                }
                (Step::Conflict, _) => {}
                (Step::Fenced, _) => return Ok(Remains::Fenced),
            }
        }
        settle.release().await?;
        Ok(Remains::None)
    }

    /// The job is nobody's again.
    async fn free(&self, entry: &LedgerEntry) -> Result<Step, PortError> {
        let (reason, code) = (entry.reason, entry.code);
        step_of(self.shared, self.fence, entry, MessageState::Delayed, None, |entry| {
            (entry.session, entry.reason, entry.code) = (None, reason, code);
        })
        .await
    }

    /// The job is at its end.
    async fn end(&self, entry: &LedgerEntry) -> Result<Step, PortError> {
        let (next, reason) = if entry.state == MessageState::Sending {
            (MessageState::Uncertain, FailReason::NoAnswer)
        } else {
            (MessageState::Failed, FailReason::SessionDeleted)
        };
        step_of(self.shared, self.fence, entry, next, None, |entry| entry.reason = Some(reason)).await
    }
}
