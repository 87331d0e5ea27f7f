//! A job and the limits: what it asks the turnstile for, the recipient's charge, and the rest that an answer demands.

use std::time::Duration;

use kurir_core::domain::{
    FailReason, Job, Lane, LedgerEntry, MessageState, Rest, SendAnswer, SenderPace, Spent, Timestamp,
};
use kurir_core::policy::{AttemptRule, rest};
use kurir_core::port::{Charge, PortError, RecipientLimits};

use super::bond::{AT_ONCE, Bond};
use super::last_moment::last_moment;
use super::pool::HELD;
use crate::options::WhenDown;
use crate::session::{Ask, Owned};

/// WhatsApp's own word is not followed further than this: a moment that is further away is taken for a mistake.
const LONGEST_REST: Duration = Duration::from_hours(24 * 31);

/// How long WhatsApp may take to say how long a restriction lasts. It has just answered, so it is there; and the result
/// of the job waits for this.
const ASK: Duration = Duration::from_secs(3);

/// What the job asks the turnstile for.
pub(super) async fn ask(
    owned: &Owned,
    job: &Job,
    entry: &LedgerEntry,
    bond: Bond<'_>,
    hop: u32,
) -> Result<Ask, PortError> {
    let repeated = entry.state == MessageState::Sending;
    // Nobody looks where nobody counts.
    let counts = owned.day().cold_per_day > 0;
    // A group that one is a member of is no new chat.
    let cold = match job.to.number() {
        Some(to) if !repeated && counts => owned.contacts.cold(&*owned.shared.ports.ledger, owned.id(), to).await?,
        _ => false,
    };
    let mut deadline = last_moment(owned, job);
    // Somebody else of the pool may send it at once. Where nobody does, it stands in line like any other.
    if bond.is_free() && job.lane == Lane::Otp && hop < AT_ONCE {
        let patience = owned.shared.ports.clock.now().plus(owned.pace().every.max(HELD));
        deadline = Some(deadline.map_or(patience, |deadline| deadline.min(patience)));
    }
    Ok(Ask { lane: job.lane, deadline, cold, repeated, elsewhere: bond.is_free() })
}

/// What the intent of a job spends that was let through.
pub(super) fn spent(job: &Job, ask: Ask, pace: SenderPace) -> Spent {
    let to = job.to.number();
    let bulk = job.lane == Lane::Bulk && !ask.repeated;
    Spent { pace, met: to.filter(|_| ask.cold).cloned(), bulk: to.filter(|_| bulk).cloned() }
}

/// Charges the recipient's limit; nothing for what has none. When its place is down: as the operator chose.
pub(super) async fn charge(owned: &Owned, job: &Job) -> Result<Charge, PortError> {
    let (ports, options) = (&owned.shared.ports, &owned.shared.options);
    let (Lane::Otp, Some(to)) = (job.lane, job.to.number()) else { return Ok(Charge::Allowed) };
    match ports.recipients.charge(&job.key(), to, options.recipient, ports.clock.now()).await {
        Err(error) if options.recipients_down == WhenDown::Allow => {
            tracing::warn!(error = %error.chain(), "the recipient's limit can't be asked; the message goes without it");
            Ok(Charge::Allowed)
        }
        answer => answer,
    }
}

/// Gives back what was charged for a job that was never sent.
pub(super) async fn refund(recipients: &dyn RecipientLimits, job: &Job) -> Result<(), PortError> {
    match job.to.number() {
        Some(to) if job.lane == Lane::Otp => recipients.refund(&job.key(), to).await,
        _ => Ok(()),
    }
}

/// The rest that an answer demands of the sender, if any: as long as WhatsApp says, else as long as the rule says.
pub(super) async fn rest_after(owned: &Owned, answer: SendAnswer, rule: AttemptRule, fraction: f64) -> Option<Rest> {
    let span = rest(answer, rule, fraction)?;
    let mut reason = FailReason::RateLimited;
    let mut said = None;
    if matches!(answer, SendAnswer::Refused(463 | 475)) {
        reason = FailReason::SenderRestricted;
        said = tokio::select! {
            asked = tokio::time::timeout(ASK, owned.sender.restriction()) => asked.ok().and_then(|said| {
                said.unwrap_or_else(|error| {
                    tracing::debug!(%error, "WhatsApp did not say how long the restriction lasts");
                    None
                })
            }),
            // A stop leaves no time for questions; the next owner asks when it meets the restriction.
            () = owned.stopping.cancelled() => None,
        };
    }
    let now = owned.shared.ports.clock.now();
    let until = said.filter(|until| *until > now).map_or(now.plus(span), |until| bounded(until, now));
    Some(Rest { until, reason })
}

/// A moment that WhatsApp named, if it can be believed.
pub(crate) fn bounded(until: Timestamp, now: Timestamp) -> Timestamp {
    until.min(now.plus(LONGEST_REST))
}
