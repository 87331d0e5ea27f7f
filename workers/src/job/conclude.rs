//! The end of an attempt: its outcome is written down and told, and says how to settle the delivery.

use std::time::Duration;

use kurir_core::domain::{FailReason, Job, LedgerEntry, MessageState, Outcome, Spent, Target};
use kurir_core::port::{JobHeaders, PortError};

use super::bond::Bond;
use super::last_moment::{last_moment, too_late};
use super::limits;
use super::path::{Settlement, park};
use super::send::Attempted;
use super::step::{Step, step};
use crate::session::Owned;

/// Writes the outcome down, tells of it, and says how to settle the delivery; `None` when another write came first.
/// `in_doubt`: an earlier attempt may have arrived.
pub(super) async fn conclude(
    owned: &Owned,
    job: &Job,
    entry: &LedgerEntry,
    Attempted { outcome, code, on_wire, pace }: Attempted,
    in_doubt: bool,
    bond: Bond<'_>,
    headers: &JobHeaders,
) -> Result<Option<Settlement>, PortError> {
    let now = owned.shared.ports.clock.now();
    if let Outcome::ParkUntil(_, reason) | Outcome::RetryAfter(_, reason) = outcome {
        owned.shared.ports.observer.put_off(reason);
    }
    let no_answer = on_wire && matches!(outcome, Outcome::RetryAfter(_, FailReason::NoAnswer));
    let in_doubt = in_doubt || no_answer;
    if !in_doubt
        && let Some((pool, pause)) = {
            let left = last_moment(owned, job).map(|last| last.since(now));
            bond.to_others(&outcome, code, headers.hop, left, owned.shared.ports.entropy.fraction())
        }
        && !too_late(owned, job, now.plus(pause))
    {
        let spent = pace.map(Spent::from);
        return leave(owned, entry, Leaving { outcome, code, on_wire, spent, pool, pause }, headers).await;
    }
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
    let own = owned.id();
    let again = |until| park(until, now, JobHeaders { attempt: entry.attempts, ..headers.clone() });
    // From now on the job is this session's alone.
    let at_home = |settlement| match (settlement, bond.home(own)) {
        (Settlement::Park(delay, headers), Some(home)) => Settlement::Pass(home, delay, headers),
        (settlement, _) => settlement,
    };
    let too_late = until.is_some_and(|until| too_late(owned, job, until));
    let next = match next {
        // The entry goes on saying that it may have arrived, and the next attempt is a repetition.
        MessageState::Delayed if in_doubt && !too_late => return Ok(Some(at_home(again(until.unwrap_or(now))))),
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
        if next == MessageState::Delayed && bond.is_free() && !on_wire {
            entry.session = None;
        }
    })
    .await?;
    let Step::Done(entry) = done else { return Ok(None) };
    let reason = reason.map(tracing::field::display);
    tracing::debug!(state = %entry.state, reason, attempts = entry.attempts, "job");
    let never_sent = matches!(next, MessageState::Expired | MessageState::Failed) && entry.attempts == 0;
    if never_sent {
        // It must not keep the recipient's next one waiting.
        limits::refund(&*owned.shared.ports.recipients, job).await?;
    }
    let bound = entry.session.is_some();
    Ok(Some(match until {
        None => Settlement::Ack,
        Some(until) if bound => at_home(again(until)),
        Some(until) => again(until),
    }))
}

/// A job that leaves this sender for others of its pool.
struct Leaving {
    outcome: Outcome,
    code: Option<u16>,
    on_wire: bool,
    spent: Option<Spent>,
    pool: Target,
    pause: Duration,
}

/// Gives the job back to its pool. One that this session has never put on the wire leaves no trace here; of one that
/// WhatsApp has refused the ledger says why, and that it is nobody's again.
async fn leave(
    owned: &Owned,
    entry: &LedgerEntry,
    Leaving { outcome, code, on_wire, spent, pool, pause }: Leaving,
    headers: &JobHeaders,
) -> Result<Option<Settlement>, PortError> {
    let mut attempt = entry.attempts;
    if entry.state == MessageState::Sending {
        let reason = match outcome {
            Outcome::ParkUntil(_, reason) | Outcome::RetryAfter(_, reason) => Some(reason),
            _ => code.map(reason_of),
        };
        let done = step(owned, entry, MessageState::Delayed, spent, |entry| {
            (entry.reason, entry.code, entry.session) = (reason, code, None);
            if !on_wire {
                entry.attempts = entry.attempts.saturating_sub(1);
            }
        })
        .await?;
        let Step::Done(entry) = done else { return Ok(None) };
        attempt = entry.attempts;
    }
    tracing::debug!(attempt, "job left to others of its pool");
    let headers = JobHeaders { hop: headers.hop.saturating_add(1), attempt, not_before: None, ..headers.clone() };
    Ok(Some(Settlement::Pass(pool, pause, headers)))
}

/// What WhatsApp's code says of a job that would have to wait for it beyond its deadline.
const fn reason_of(code: u16) -> FailReason {
    match code {
        463 | 475 => FailReason::SenderRestricted,
        429 => FailReason::RateLimited,
        _ => FailReason::RefusedByWhatsapp,
    }
}
