//! All that must hold before a job goes on the wire.

use std::time::Duration;

use kurir_core::domain::{FailReason, Job, Lane, LedgerEntry, MessageState, Outcome, Spent, Timestamp};
use kurir_core::policy::Backoff;
use kurir_core::port::{Charge, JobHeaders, NumberStatus, PortError};

use super::bond::Bond;
use super::last_moment::{last_moment, too_late};
use super::limits;
use crate::crash_point::CrashPoint;
use crate::session::{Owned, Turn};

/// Pauses before a job that could not be checked is tried again; it was not on the wire.
pub(super) const CHECK_AGAIN: Backoff = Backoff { base: Duration::from_secs(2), max: Duration::from_mins(1) };

/// How old the answer may be, right before the intent, whether the recipient is suppressed.
const STALE: Duration = Duration::from_secs(1);

/// Whether a job may go.
pub(super) enum Ready {
    /// It may go; this is saved with it.
    Go(Spent),
    /// It may not.
    No(Outcome),
}

/// Looks at everything, the cheapest first.
pub(super) async fn ready(
    owned: &Owned,
    job: &Job,
    entry: &LedgerEntry,
    bond: Bond<'_>,
    headers: &JobHeaders,
) -> Result<Ready, PortError> {
    let ports = &owned.shared.ports;
    let options = &owned.shared.options;
    let late = |now| {
        let outcome = if entry.state == MessageState::Sending { Outcome::Uncertain } else { Outcome::Expire };
        too_late(owned, job, now).then_some(outcome)
    };
    if let Some(outcome) = late(ports.clock.now()) {
        return Ok(Ready::No(outcome));
    }
    if entry.state == MessageState::Sending && entry.attempts >= options.retry(job.lane).attempts {
        return Ok(Ready::No(Outcome::Uncertain));
    }
    // What others could send does not wait for this connection.
    let linked = if bond.is_free() { *owned.link.borrow() } else { connected(owned, last_moment(owned, job)).await };
    if !linked {
        if owned.stopping.is_cancelled() || owned.lost.is_cancelled() {
            return Ok(Ready::No(Outcome::Abandon));
        }
        let now = ports.clock.now();
        let pause = CHECK_AGAIN.delay(headers.hop + 1, ports.entropy.fraction());
        let wait = Outcome::ParkUntil(now.plus(pause), FailReason::SenderDisconnected);
        return Ok(Ready::No(late(now).unwrap_or(wait)));
    }
    // What was on the wire may have arrived; its repetition adds nothing.
    let asks_list = job.lane == Lane::Bulk && entry.state != MessageState::Sending;
    if asks_list && suppressed(owned, job).await? {
        return Ok(Ready::No(Outcome::Fail(FailReason::Suppressed)));
    }
    let asked_at = ports.clock.now();
    let ask = limits::ask(owned, job, entry, bond, headers.hop).await?;
    // Before WhatsApp is asked about a number that nothing goes to today.
    if let Some((until, reason)) = owned.turnstile.look(ask).await {
        return Ok(Ready::No(Outcome::ParkUntil(until, reason)));
    }
    // On the wire before: the number was good then, and the limit was charged.
    if entry.state != MessageState::Sending
        && let Some(outcome) = unreachable(owned, job, headers).await?
    {
        return Ok(Ready::No(outcome));
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
        // The others need not wait until its turn would have come here.
        () = cut_off(owned), if bond.is_free() => Turn::Park(ports.clock.now(), FailReason::SenderDisconnected),
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
            // Standing in line may take minutes, in which the recipient may have written to stop.
            if asks_list && ports.clock.now().since(asked_at) > STALE && suppressed(owned, job).await? {
                return Ok(Ready::No(Outcome::Fail(FailReason::Suppressed)));
            }
            // Nobody may know of a sender that was cut off meanwhile whether it can send again; the others can.
            if bond.is_free() && !*owned.link.borrow() {
                let wait = Outcome::ParkUntil(ports.clock.now(), FailReason::SenderDisconnected);
                return Ok(Ready::No(wait));
            }
            // The last look at the clock before the intent: a deadline that passed while waiting still counts.
            Ok(late(ports.clock.now()).map_or_else(|| Ready::Go(limits::spent(job, ask, pace)), Ready::No))
        }
        Turn::Park(until, reason) => Ok(Ready::No(Outcome::ParkUntil(until, reason))),
        Turn::Closed => Ok(Ready::No(Outcome::Abandon)),
    }
}

/// What speaks against a message's way to its recipient: the number has no WhatsApp, or what the message refers to has not
/// been sent. Of a group WhatsApp alone knows whether it can be written in.
async fn unreachable(owned: &Owned, job: &Job, headers: &JobHeaders) -> Result<Option<Outcome>, PortError> {
    let ports = &owned.shared.ports;
    let later = |reason| {
        let pause = CHECK_AGAIN.delay(headers.hop + 1, ports.entropy.fraction());
        Some(Outcome::ParkUntil(ports.clock.now().plus(pause), reason))
    };
    if let Some(to) = job.to.number() {
        let checked = tokio::select! {
            checked = owned.numbers.check(to) => checked,
            () = owned.lost.cancelled() => return Ok(Some(Outcome::Abandon)),
            () = owned.stopping.cancelled() => return Ok(Some(Outcome::Abandon)),
        };
        match checked {
            Some(NumberStatus::Registered) => {}
            Some(NumberStatus::Unregistered) => return Ok(Some(Outcome::Fail(FailReason::NotOnWhatsapp))),
            None if !*owned.link.borrow() => return Ok(later(FailReason::SenderDisconnected)),
            None => return Ok(later(FailReason::NoAnswer)),
        }
    }
    let Some(earlier) = job.follows() else { return Ok(None) };
    Ok(match owned.shared.entries.write(earlier).await? {
        // It must not overtake what it refers to.
        Some(entry) if entry.state.is_open() => later(FailReason::MessageNotSent),
        Some(entry) if entry.state.is_never_sent() => Some(Outcome::Fail(FailReason::MessageNotSent)),
        Some(entry) if entry.session.as_ref() != Some(owned.id()) => Some(Outcome::Fail(FailReason::MessageNotSent)),
        // Sent, or sent so long ago that it is forgotten.
        _ => None,
    })
}

/// Whether the recipient wants no bulk messages of this tenant. While nobody can tell, the job waits: an error brings it
/// back later.
async fn suppressed(owned: &Owned, job: &Job) -> Result<bool, PortError> {
    let Some(to) = job.to.number() else { return Ok(false) };
    owned.shared.suppressed.write((job.tenant.clone(), to.clone())).await
}

/// Waits until the session can't send any more.
async fn cut_off(owned: &Owned) {
    // Nobody to tell any more is an end as well.
    let _ = owned.link.clone().wait_for(|up| !up).await;
}

/// Waits until the session can send, at most `max_wait` and not beyond the last moment.
async fn connected(owned: &Owned, last: Option<Timestamp>) -> bool {
    let options = &owned.shared.options;
    let mut patience = options.max_wait;
    if let Some(last) = last {
        patience = patience.min(last.since(owned.shared.ports.clock.now()));
    }
    let mut link = owned.link.clone();
    tokio::select! {
        up = tokio::time::timeout(patience, link.wait_for(|up| *up)) => matches!(up, Ok(Ok(_))),
        () = owned.lost.cancelled() => false,
        () = owned.stopping.cancelled() => false,
    }
}
