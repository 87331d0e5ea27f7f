//! The path of one job: recognise it, check the number, keep the limits, persist the intent, send, wait for WhatsApp's
//! answer, persist the result with its event, publish, settle.

use std::time::Duration;

use kurir_core::domain::{
    FailReason, Job, Lane, LedgerEntry, MessageState, Outcome, Rest, SendAnswer, SenderPace, Spent, Target, Timestamp,
};
use kurir_core::policy::{Backoff, verdict};
use kurir_core::port::{Charge, DeadLetter, JobHeaders, MessengerError, NumberStatus, PortError};
use kurir_core::wire::{JobV1, Malformed, MessageDataV1};
use tokio::sync::mpsc;

use super::limits;
use super::step::{Step, step};
use crate::crash_point::CrashPoint;
use crate::session::{Owned, Turn};

/// What to tell the queue.
pub(crate) enum Settlement {
    /// Done with.
    Ack,
    /// Again after this span.
    Park(Duration, JobHeaders),
    /// To the dead letters.
    Dead(DeadLetter),
    /// Back at once, for the next owner.
    Release,
    /// Nothing: it is delivered again by itself.
    Leave,
}

/// How often a job that met another write is decided again in one go.
const TRIES: usize = 8;

/// Pauses before a job that could not be checked is tried again; it was not on the wire.
const CHECK_AGAIN: Backoff = Backoff { base: Duration::from_secs(2), max: Duration::from_mins(1) };

/// How long a job is parked at a time: somebody may ask for an earlier moment, and that is noticed when it comes back.
const LOOK_AGAIN: Duration = Duration::from_mins(15);

/// How long before the end of the time to stop an attempt without an answer is given up, so that this can be recorded.
const TO_RECORD: Duration = Duration::from_millis(500);

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
        match attempt(owned, &job, &headers, limited).await? {
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
    if job.target != *target || job.lane != lane {
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

fn park(until: Timestamp, now: Timestamp, headers: JobHeaders) -> Settlement {
    let hop = headers.hop.saturating_add(1);
    Settlement::Park(until.since(now).min(LOOK_AGAIN), JobHeaders { hop, not_before: Some(until), ..headers })
}

/// One try to bring the job to its end; `None` when another write came first or the session was lost.
async fn attempt(
    owned: &Owned,
    job: &Job,
    headers: &JobHeaders,
    limited: &mpsc::Sender<Rest>,
) -> Result<Option<Settlement>, PortError> {
    let clock = &owned.shared.ports.clock;
    let entry = owned.shared.entries.write(job.key()).await?;
    let entry = entry.unwrap_or_else(|| LedgerEntry::new(job, clock.now()));
    if entry.session.as_ref().is_some_and(|session| session != owned.id()) {
        tracing::warn!("a job stands in the queues of two sessions; the one that the ledger knows keeps it");
        return Ok(Some(Settlement::Ack));
    }
    if !entry.state.is_open() {
        tracing::debug!(state = %entry.state, "a job that has been brought to its end was delivered again");
        if entry.state == MessageState::Cancelled && entry.attempts == 0 && job.lane == Lane::Otp {
            // It may have been charged and then cancelled while it waited for its turn.
            owned.shared.ports.recipients.refund(&job.key(), &job.to).await?;
        }
        return Ok(Some(Settlement::Ack));
    }
    let now = clock.now();
    if let Some(until) = due(&entry, headers).filter(|until| *until > now)
        && !job.expired(now)
    {
        // A long delay is made of several steps, and this was not the last one; or the moment was changed meanwhile.
        return Ok(Some(park(until, now, headers.clone())));
    }
    // Put on the wire before, and nobody knows whether it arrived.
    let in_doubt = entry.state == MessageState::Sending;
    let outcome = match ready(owned, job, &entry, headers).await? {
        Ready::Go(spent) => {
            let sending = match step(owned, &entry, MessageState::Sending, Some(spent), |_| {}).await? {
                Step::Done(sending) => *sending,
                Step::Conflict | Step::Fenced => return Ok(None),
            };
            owned.shared.options.crash.pass(CrashPoint::IntentPersisted);
            let attempted = send(owned, job, &sending, in_doubt, limited).await;
            return conclude(owned, job, &sending, attempted, in_doubt, headers).await;
        }
        Ready::No(outcome) => outcome,
    };
    conclude(owned, job, &entry, Attempted::not_on_wire(outcome), in_doubt, headers).await
}

/// The moment before which the job is not to be tried. What the ledger says of a delayed one counts more than what
/// the job carries: somebody may have changed it since the job was parked.
fn due(entry: &LedgerEntry, headers: &JobHeaders) -> Option<Timestamp> {
    let recorded = entry.not_before.filter(|_| entry.state == MessageState::Delayed);
    recorded.or(headers.not_before)
}

/// How an attempt ended.
struct Attempted {
    outcome: Outcome,
    /// WhatsApp's error code.
    code: Option<u16>,
    /// Whether it was put on the wire, or may have been.
    on_wire: bool,
    /// The sender's state, if the answer changed it.
    pace: Option<SenderPace>,
}

impl Attempted {
    const fn not_on_wire(outcome: Outcome) -> Self {
        Self { outcome, code: None, on_wire: false, pace: None }
    }
}

enum Ready {
    /// It may go; this is saved with it.
    Go(Spent),
    /// It may not.
    No(Outcome),
}

/// All that must hold before a job goes on the wire.
async fn ready(owned: &Owned, job: &Job, entry: &LedgerEntry, headers: &JobHeaders) -> Result<Ready, PortError> {
    let ports = &owned.shared.ports;
    let options = &owned.shared.options;
    let late = |now| {
        let outcome = if entry.state == MessageState::Sending { Outcome::Uncertain } else { Outcome::Expire };
        job.expired(now).then_some(outcome)
    };
    if let Some(outcome) = late(ports.clock.now()) {
        return Ok(Ready::No(outcome));
    }
    if entry.state == MessageState::Sending && entry.attempts >= options.retry(job.lane).attempts {
        return Ok(Ready::No(Outcome::Uncertain));
    }
    if !connected(owned, job.expires_at).await {
        if owned.stopping.is_cancelled() || owned.lost.is_cancelled() {
            return Ok(Ready::No(Outcome::Abandon));
        }
        let now = ports.clock.now();
        let pause = CHECK_AGAIN.delay(headers.hop + 1, ports.entropy.fraction());
        let wait = Outcome::ParkUntil(now.plus(pause), FailReason::SenderDisconnected);
        return Ok(Ready::No(late(now).unwrap_or(wait)));
    }
    let ask = limits::ask(owned, job, entry).await?;
    // Before WhatsApp is asked about a number that nothing goes to today.
    if let Some((until, reason)) = owned.turnstile.look(ask).await {
        return Ok(Ready::No(Outcome::ParkUntil(until, reason)));
    }
    // On the wire before: the number was good then, and the limit was charged.
    if entry.state != MessageState::Sending {
        let checked = tokio::select! {
            checked = owned.numbers.check(&job.to) => checked,
            () = owned.lost.cancelled() => return Ok(Ready::No(Outcome::Abandon)),
            () = owned.stopping.cancelled() => return Ok(Ready::No(Outcome::Abandon)),
        };
        match checked {
            Some(NumberStatus::Registered) => {}
            Some(NumberStatus::Unregistered) => return Ok(Ready::No(Outcome::Fail(FailReason::NotOnWhatsapp))),
            None => {
                let pause = CHECK_AGAIN.delay(headers.hop + 1, ports.entropy.fraction());
                let until = ports.clock.now().plus(pause);
                return Ok(Ready::No(Outcome::ParkUntil(until, FailReason::NoAnswer)));
            }
        }
    }
    if job.lane == Lane::Otp {
        match limits::charge(owned, job).await? {
            Charge::Allowed => options.crash.pass(CrashPoint::RecipientCharged),
            Charge::NotBefore(until) => {
                return Ok(Ready::No(Outcome::ParkUntil(until, FailReason::RecipientLimited)));
            }
        }
    }
    let turn = tokio::select! {
        turn = owned.turnstile.turn(ask) => turn,
        () = owned.lost.cancelled() => Turn::Closed,
        () = owned.stopping.cancelled() => Turn::Closed,
    };
    match turn {
        Turn::Go(pace) => {
            // Taken before events could not be published any more. Back to those that were not: waiting here, it would
            // go out in one burst with others that had their turn.
            if !owned.shared.publisher.is_healthy() {
                return Ok(Ready::No(Outcome::Abandon));
            }
            // The last look at the clock before the intent: a deadline that passed while waiting still counts.
            Ok(late(ports.clock.now()).map_or_else(|| Ready::Go(limits::spent(job, ask, pace)), Ready::No))
        }
        Turn::Park(until, reason) => Ok(Ready::No(Outcome::ParkUntil(until, reason))),
        Turn::Closed => Ok(Ready::No(Outcome::Abandon)),
    }
}

/// Waits until the session can send, at most `max_wait` and not beyond the deadline.
async fn connected(owned: &Owned, deadline: Option<Timestamp>) -> bool {
    let options = &owned.shared.options;
    let mut patience = options.max_wait;
    if let Some(deadline) = deadline {
        patience = patience.min(deadline.since(owned.shared.ports.clock.now()));
    }
    let mut link = owned.link.clone();
    tokio::select! {
        up = tokio::time::timeout(patience, link.wait_for(|up| *up)) => matches!(up, Ok(Ok(_))),
        () = owned.lost.cancelled() => false,
        () = owned.stopping.cancelled() => false,
    }
}

/// Sends under the persisted intent.
async fn send(
    owned: &Owned,
    job: &Job,
    sending: &LedgerEntry,
    in_doubt: bool,
    limited: &mpsc::Sender<Rest>,
) -> Attempted {
    let ports = &owned.shared.ports;
    let options = &owned.shared.options;
    // Checked when the job was read, so this does not happen.
    let Ok(text) = job.content.render() else {
        return Attempted::not_on_wire(Outcome::Fail(FailReason::BadField));
    };
    let left = job.expires_at.map_or(Duration::MAX, |deadline| deadline.since(ports.clock.now()));
    if left.is_zero() {
        return Attempted::not_on_wire(if in_doubt { Outcome::Uncertain } else { Outcome::Expire });
    }
    let rule = options.retry(job.lane);
    // At the deadline the send is dropped wherever it is: what WhatsApp's keys took so long for must not go out late.
    let sent = owned.sender.send_text(&job.to, &sending.message_id, &text, options.ack_patience);
    let answered = tokio::select! {
        answered = tokio::time::timeout(left, sent) => answered.unwrap_or(Ok(SendAnswer::Unknown)),
        () = out_of_time(owned) => return Attempted { outcome: Outcome::Abandon, code: None, on_wire: true, pace: None },
    };
    options.crash.pass(CrashPoint::Answered);
    let now = ports.clock.now();
    let fraction = ports.entropy.fraction();
    let pause = rule.backoff.delay(sending.attempts, fraction);
    match answered {
        Ok(answer) => {
            let rest = limits::rest_after(owned, answer, rule, fraction).await;
            let mut pace = None;
            if let Some(rest) = rest {
                pace = owned.turnstile.rest(rest).await;
                // Told already when the channel is full.
                let _ = limited.try_send(rest);
            }
            // WhatsApp may have been asked meanwhile, which takes a while.
            let now = ports.clock.now();
            let rest = rest.map(|rest| rest.until.since(now));
            let outcome = verdict(answer, sending.attempts, rule, job.expires_at, now, fraction, rest);
            let code = if let SendAnswer::Refused(code) = answer { Some(code) } else { None };
            Attempted { outcome, code, on_wire: true, pace }
        }
        Err(MessengerError::NotConnected) => {
            let until = now.plus(Duration::from_secs(1));
            Attempted::not_on_wire(Outcome::ParkUntil(until, FailReason::SenderDisconnected))
        }
        Err(MessengerError::Fenced) => {
            owned.lost.cancel();
            Attempted::not_on_wire(Outcome::Abandon)
        }
        Err(error @ (MessengerError::NoAnswer(_) | MessengerError::Client { .. })) => {
            tracing::warn!(%error, "the message could not be put on the wire");
            let outcome = if sending.attempts < rule.attempts {
                Outcome::RetryAfter(pause, FailReason::SendFailed)
            } else {
                Outcome::Fail(FailReason::SendFailed)
            };
            // Spends an attempt all the same, or a message that can't be built would be tried for ever.
            Attempted { outcome, code: None, on_wire: true, pace: None }
        }
    }
}

/// Returns when the worker is stopping and has just time enough left to record what was interrupted.
async fn out_of_time(owned: &Owned) {
    let deadline = owned.shared.options.stop_deadline;
    owned.stopping.cancelled().await;
    tokio::time::sleep(deadline.saturating_sub(TO_RECORD.min(deadline / 2))).await;
}

/// Writes the outcome down, tells of it, and says how to settle the delivery; `None` when another write came first.
/// `in_doubt`: an earlier attempt may have arrived.
async fn conclude(
    owned: &Owned,
    job: &Job,
    entry: &LedgerEntry,
    Attempted { outcome, code, on_wire, pace }: Attempted,
    in_doubt: bool,
    headers: &JobHeaders,
) -> Result<Option<Settlement>, PortError> {
    let now = owned.shared.ports.clock.now();
    let no_answer = on_wire && matches!(outcome, Outcome::RetryAfter(_, FailReason::NoAnswer));
    let in_doubt = in_doubt || no_answer;
    let (next, reason, until) = match outcome {
        Outcome::Done(_) => (MessageState::Sent, None, None),
        Outcome::Fail(reason) => (MessageState::Failed, Some(reason), None),
        Outcome::Expire => (MessageState::Expired, code.map(reason_of), None),
        Outcome::Uncertain => (MessageState::Uncertain, Some(FailReason::NoAnswer), None),
        Outcome::Abandon if owned.lost.is_cancelled() => return Ok(Some(Settlement::Leave)),
        Outcome::Abandon if on_wire => {
            // Interrupted, not failed: it may have arrived, and the next owner repeats this very attempt.
            let attempts = entry.attempts.saturating_sub(1);
            let done = step(owned, entry, MessageState::Sending, None, |entry| entry.attempts = attempts).await?;
            return Ok(matches!(done, Step::Done(_)).then_some(Settlement::Release));
        }
        Outcome::Abandon => return Ok(Some(Settlement::Release)),
        Outcome::ParkUntil(until, reason) => (MessageState::Delayed, Some(reason), Some(until)),
        Outcome::RetryAfter(pause, reason) => (MessageState::Delayed, Some(reason), Some(now.plus(pause))),
    };
    let again = |until| park(until, now, JobHeaders { attempt: entry.attempts, ..headers.clone() });
    let too_late = until.is_some_and(|until| job.expires_at.is_some_and(|deadline| until >= deadline));
    let next = match next {
        // The entry goes on saying that it may have arrived, and the next attempt is a repetition.
        MessageState::Delayed if in_doubt && !too_late => return Ok(Some(again(until.unwrap_or(now)))),
        // Neither "failed" nor "expired" would be true of what may have arrived.
        MessageState::Delayed | MessageState::Failed | MessageState::Expired if in_doubt => MessageState::Uncertain,
        // It can't go before its deadline: the producer hears of it now, not when it is too late.
        MessageState::Delayed if too_late => MessageState::Expired,
        next => next,
    };
    let until = until.filter(|_| next == MessageState::Delayed);
    let unspent = entry.state == MessageState::Sending && !on_wire && !in_doubt;
    let done = step(owned, entry, next, pace.map(Spent::from), |entry| {
        entry.reason = reason;
        entry.code = code;
        entry.not_before = until;
        if unspent {
            entry.attempts = entry.attempts.saturating_sub(1);
        }
    })
    .await?;
    let Step::Done(entry) = done else { return Ok(None) };
    let reason = reason.map(tracing::field::display);
    tracing::debug!(state = %entry.state, reason, attempts = entry.attempts, "job");
    let never_sent = matches!(next, MessageState::Expired | MessageState::Failed) && entry.attempts == 0;
    if never_sent && job.lane == Lane::Otp {
        // It must not keep the recipient's next one waiting.
        owned.shared.ports.recipients.refund(&job.key(), &job.to).await?;
    }
    Ok(Some(until.map_or(Settlement::Ack, again)))
}

/// What WhatsApp's code says of a job that would have to wait for it beyond its deadline.
const fn reason_of(code: u16) -> FailReason {
    match code {
        463 | 475 => FailReason::SenderRestricted,
        429 => FailReason::RateLimited,
        _ => FailReason::RefusedByWhatsapp,
    }
}
