//! The path of one job: recognise it, check the number, keep the limits, persist the intent, send, wait for WhatsApp's
//! answer, persist the result with its event, publish, settle.

use std::time::Duration;

use kurir_core::domain::{
    FailReason, Job, Lane, LedgerEntry, MessageState, Outcome, Rest, SessionId, Target, Timestamp, Wanted,
};
use kurir_core::port::{DeadLetter, JobHeaders, PortError};
use kurir_core::wire::{JobV1, Malformed, MessageDataV1};
use tokio::sync::mpsc;

use super::bond::{Bond, Claim};
use super::conclude::conclude;
use super::last_moment::too_late;
use super::limits;
use super::ready::{Ready, ready};
use super::send::{Attempted, send};
use super::step::{Step, step};
use crate::crash_point::CrashPoint;
use crate::session::Owned;

/// What to tell the queue.
pub(crate) enum Settlement {
    /// Done with.
    Ack,
    /// Again after this span.
    Park(Duration, JobHeaders),
    /// Into the queue of another target after this span.
    Pass(Target, Duration, JobHeaders),
    /// To the dead letters.
    Dead(DeadLetter),
    /// Back at once, for the next owner.
    Release,
    /// Nothing: it is delivered again by itself.
    Leave,
}

/// How often a job that met another write is decided again in one go.
const TRIES: usize = 8;

/// How long a job is parked at a time: somebody may ask for an earlier moment, and that is noticed when it comes back.
const LOOK_AGAIN: Duration = Duration::from_mins(15);

/// Processes one delivery.
pub(crate) async fn process(
    owned: &Owned,
    target: &Target,
    lane: Lane,
    body: &[u8],
    headers: JobHeaders,
    limited: &mpsc::Sender<Rest>,
) -> Result<Settlement, PortError> {
    let job = match read(owned, target, lane, body, &headers) {
        Ok(job) => job,
        Err(malformed) => return refuse(owned, malformed, &headers).await,
    };
    tracing::Span::current().record("job", tracing::field::display(job.id));
    // A second copy while the first is in work looks like what a crash leaves behind; it is looked at again when the
    // first one has come to its end.
    let Some(_in_work) = owned.in_work.enter(job.key()) else {
        let now = owned.shared.ports.clock.now();
        return Ok(park(now, now, headers));
    };
    owned.shared.options.crash.pass(CrashPoint::JobTaken);
    for _ in 0..TRIES {
        match attempt(owned, &job, target, &headers, limited).await? {
            Some(settlement) => return Ok(settlement),
            None if owned.lost.is_cancelled() => return Ok(Settlement::Leave),
            None => {}
        }
    }
    // Others write this entry all the time; let them.
    let now = owned.shared.ports.clock.now();
    Ok(park(now, now, headers))
}

fn read(owned: &Owned, target: &Target, lane: Lane, body: &[u8], headers: &JobHeaders) -> Result<Job, Malformed> {
    let country = owned.shared.options.default_country.as_deref();
    let mut job = JobV1::decode(&headers.kind, body, country)?;
    let wrong = |reason, detail: &str| Malformed {
        reason,
        detail: detail.to_owned(),
        id: Some(job.id),
        tenant: Some(owned.tenant.clone()),
    };
    // A pool's job comes into the queue of the session that it is pinned to.
    let pinned = matches!((&job.target, target), (Target::Pool(_), Target::Session(_)));
    if (job.target != *target && !pinned) || job.lane != lane {
        return Err(wrong(FailReason::WrongTarget, "session and lane are not those of the queue"));
    }
    if job.tenant != owned.tenant {
        return Err(wrong(FailReason::WrongTenant, "tenant: the session belongs to another tenant"));
    }
    if owned.shared.options.prove_tenant && headers.user.as_deref() != Some(owned.tenant.as_str()) {
        return Err(wrong(FailReason::WrongTenant, "tenant: not the user that published the job"));
    }
    job.enqueued_at = job.enqueued_at.or(headers.enqueued_at);
    Ok(job)
}

/// Tells of a job that can't be processed, where its id can be read, and sends it to the dead letters.
async fn refuse(owned: &Owned, malformed: Malformed, headers: &JobHeaders) -> Result<Settlement, PortError> {
    let Malformed { reason, detail, id, .. } = malformed;
    let id = id.or_else(|| headers.message_id.as_deref().and_then(|id| id.parse().ok()));
    tracing::warn!(%reason, detail, job = id.map(tracing::field::display), "a job can't be processed");
    if let Some(id) = id {
        // The session's tenant, not the body's: what a malformed body says must not reach somebody else's events.
        let now = owned.shared.ports.clock.now();
        let event = MessageDataV1::malformed(&owned.tenant, owned.id(), id, reason, &detail, now);
        let events = vec![event];
        owned.shared.ports.outbox.add(&events).await?;
        owned.shared.publisher.publish(events).await?;
    }
    Ok(Settlement::Dead(DeadLetter { reason, detail }))
}

/// Puts a job off.
pub(super) fn park(until: Timestamp, now: Timestamp, headers: JobHeaders) -> Settlement {
    let hop = headers.hop.saturating_add(1);
    wait(until, now, JobHeaders { hop, ..headers })
}

/// The next step of a job that was put off before.
fn wait(until: Timestamp, now: Timestamp, headers: JobHeaders) -> Settlement {
    Settlement::Park(until.since(now).min(LOOK_AGAIN), JobHeaders { not_before: Some(until), ..headers })
}

/// One try to bring the job to its end; `None` when another write came first or the session was lost.
async fn attempt(
    owned: &Owned,
    job: &Job,
    stood: &Target,
    headers: &JobHeaders,
    limited: &mpsc::Sender<Rest>,
) -> Result<Option<Settlement>, PortError> {
    let clock = &owned.shared.ports.clock;
    let entry = owned.shared.entries.write(job.key()).await?;
    let entry = entry.unwrap_or_else(|| LedgerEntry::new(job, clock.now()));
    if !entry.state.is_open() {
        tracing::debug!(state = %entry.state, "a job that has been brought to its end was delivered again");
        let never_sent = matches!(entry.state, MessageState::Cancelled | MessageState::Expired | MessageState::Failed);
        if never_sent && entry.attempts == 0 {
            // It may have been charged, and then cancelled while it waited for its turn, or its worker died.
            limits::refund(&*owned.shared.ports.recipients, job).await?;
        }
        return Ok(Some(Settlement::Ack));
    }
    let bond = match Bond::of(job, stood, &entry, owned.id()) {
        Claim::Ours(bond) => bond,
        Claim::Foreign => {
            tracing::warn!("a job stands in the queues of two sessions; the one that the ledger knows keeps it");
            return Ok(Some(Settlement::Ack));
        }
        Claim::Free(pool) => return Ok(Some(pass(pool.into(), headers))),
        Claim::Pinned(other) => match pinned_to(owned, &entry, other).await? {
            Pinned::There(other) => return Ok(Some(pass((&other).into(), headers))),
            Pinned::InDoubt => {
                let attempted = Attempted::not_on_wire(Outcome::Uncertain);
                return conclude(owned, job, &entry, attempted, true, Bond::freed(job, stood), headers).await;
            }
            Pinned::Gone => Bond::freed(job, stood),
        },
    };
    let now = clock.now();
    if let Some(until) = due(&entry, headers).filter(|until| *until > now)
        && !too_late(owned, job, now)
    {
        // A long delay is made of several steps, and this was not the last one; or the moment was changed meanwhile.
        return Ok(Some(wait(until, now, headers.clone())));
    }
    // Put on the wire before, and nobody knows whether it arrived.
    let in_doubt = entry.state == MessageState::Sending;
    let outcome = match ready(owned, job, &entry, bond, headers).await? {
        Ready::Go(spent) => {
            // The moment tells which session of the name it is bound to, so it counts from this one's intent.
            let (unbound, at) = (entry.session.is_none(), clock.now());
            let bind = |sending: &mut LedgerEntry| {
                if unbound {
                    sending.sending_at = Some(at);
                }
            };
            let sending = match step(owned, &entry, MessageState::Sending, Some(spent), bind).await? {
                Step::Done(sending) => *sending,
                Step::Conflict | Step::Fenced => return Ok(None),
            };
            owned.shared.options.crash.pass(CrashPoint::IntentPersisted);
            let attempted = send(owned, job, &sending, in_doubt, limited).await;
            return conclude(owned, job, &sending, attempted, in_doubt, bond, headers).await;
        }
        Ready::No(outcome) => outcome,
    };
    conclude(owned, job, &entry, Attempted::not_on_wire(outcome), in_doubt, bond, headers).await
}

/// Into the queue where the job belongs, at once.
fn pass(to: Target, headers: &JobHeaders) -> Settlement {
    Settlement::Pass(to, Duration::ZERO, JobHeaders { hop: headers.hop.saturating_add(1), ..headers.clone() })
}

/// What is with the session that a pool's job is pinned to.
enum Pinned {
    /// It goes on with the job.
    There(SessionId),
    /// It was deleted, or is about to be, and nobody will ever know whether the job arrived.
    InDoubt,
    /// It was deleted, and the job was not on the wire: anybody may send it.
    Gone,
}

async fn pinned_to(owned: &Owned, entry: &LedgerEntry, other: SessionId) -> Result<Pinned, PortError> {
    let record = owned.shared.ports.sessions.get(&other).await?;
    // Not one that was created under the same id after the job was sent.
    let same = record.filter(|record| {
        let since = entry.sending_at.unwrap_or(entry.enqueued_at);
        record.wanted != Wanted::Deleted && record.tenant == owned.tenant && record.created_at <= since
    });
    Ok(match same {
        Some(_) => Pinned::There(other),
        None if entry.state == MessageState::Sending => Pinned::InDoubt,
        None => Pinned::Gone,
    })
}

/// The moment before which the job is not to be tried. What the ledger says of a delayed one counts more than what
/// the job carries: somebody may have changed it since the job was parked.
fn due(entry: &LedgerEntry, headers: &JobHeaders) -> Option<Timestamp> {
    let recorded = entry.not_before.filter(|_| entry.state == MessageState::Delayed);
    recorded.or(headers.not_before)
}
