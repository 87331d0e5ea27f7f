//! The attempt itself: the message goes on the wire, and WhatsApp answers or does not.

use std::time::Duration;

use kurir_core::domain::{Content, FailReason, Job, LedgerEntry, Outcome, Rest, SendAnswer, SenderPace};
use kurir_core::policy::{AttemptRule, verdict};
use kurir_core::port::{Body, MessengerError, Outgoing};
use tokio::sync::mpsc;

use super::carry::{NoFile, carry};
use super::last_moment::last_moment;
use super::limits;
use crate::crash_point::CrashPoint;
use crate::session::Owned;

/// How long before the end of the time to stop an attempt without an answer is given up, so that this can be recorded.
const TO_RECORD: Duration = Duration::from_millis(500);

/// How an attempt ended.
pub(super) struct Attempted {
    pub(super) outcome: Outcome,
    /// WhatsApp's error code.
    pub(super) code: Option<u16>,
    /// Whether it was put on the wire, or may have been.
    pub(super) on_wire: bool,
    /// The sender's state, if the answer changed it.
    pub(super) pace: Option<SenderPace>,
}

impl Attempted {
    pub(super) const fn not_on_wire(outcome: Outcome) -> Self {
        Self { outcome, code: None, on_wire: false, pace: None }
    }
}

/// Sends under the persisted intent.
pub(super) async fn send(
    owned: &Owned,
    job: &Job,
    sending: &LedgerEntry,
    in_doubt: bool,
    limited: &mpsc::Sender<Rest>,
) -> Attempted {
    let ports = &owned.shared.ports;
    let options = &owned.shared.options;
    let last = last_moment(owned, job);
    let left = || last.map_or(Duration::MAX, |last| last.since(ports.clock.now()));
    let late = Attempted::not_on_wire(if in_doubt { Outcome::Uncertain } else { Outcome::Expire });
    if left().is_zero() {
        return late;
    }
    let rule = options.retry(job.lane);
    let body = tokio::select! {
        body = body(owned, job, left()) => body,
        () = out_of_time(owned) => return Attempted::not_on_wire(Outcome::Abandon),
    };
    let body = match body {
        Ok(body) => body,
        Err(NoFile::Messenger(error)) => return not_sent(owned, sending, rule, error),
        Err(NoFile::Never(reason)) => {
            return Attempted { outcome: Outcome::Fail(reason), code: None, on_wire: true, pace: None };
        }
        Err(NoFile::NotNow(reason)) => return again(owned, sending, rule, reason),
    };
    // A file may have taken a while.
    if left().is_zero() {
        return late;
    }
    let message = Outgoing {
        to: job.to.clone(),
        id: sending.message_id.clone(),
        body,
        reply_to: job.reply_to.clone(),
        not_after: last,
    };
    let sent = owned.sender.send(&message, options.ack_patience);
    // An answer is of use until the deadline itself.
    let until = job.expires_at.map_or(Duration::MAX, |deadline| deadline.since(ports.clock.now()));
    let answered = tokio::select! {
        answered = tokio::time::timeout(until, sent) => answered.unwrap_or(Ok(SendAnswer::Unknown)),
        () = out_of_time(owned) => return Attempted { outcome: Outcome::Abandon, code: None, on_wire: true, pace: None },
    };
    options.crash.pass(CrashPoint::Answered);
    let fraction = ports.entropy.fraction();
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
            let outcome = verdict(answer, sending.attempts, rule, last, now, fraction, rest);
            let code = if let SendAnswer::Refused(code) = answer { Some(code) } else { None };
            Attempted { outcome, code, on_wire: true, pace }
        }
        Err(MessengerError::TooLate) => late,
        Err(error) => not_sent(owned, sending, rule, error),
    }
}

/// What becomes of an attempt that put nothing on the wire.
fn not_sent(owned: &Owned, sending: &LedgerEntry, rule: AttemptRule, error: MessengerError) -> Attempted {
    match error {
        MessengerError::NotConnected => {
            let until = owned.shared.ports.clock.now().plus(Duration::from_secs(1));
            Attempted::not_on_wire(Outcome::ParkUntil(until, FailReason::SenderDisconnected))
        }
        MessengerError::Fenced => {
            owned.lost.cancel();
            Attempted::not_on_wire(Outcome::Abandon)
        }
        // The last three are no answers to a message.
        error @ (MessengerError::NoAnswer(_)
        | MessengerError::Client { .. }
        | MessengerError::Linked
        | MessengerError::TooLate
        | MessengerError::Refused(_)) => {
            tracing::warn!(%error, "the message could not be put on the wire");
            again(owned, sending, rule, FailReason::SendFailed)
        }
    }
}

/// Once more after a pause, if there are attempts left. It spends an attempt all the same, or a message that can't be built
/// would be tried for ever.
fn again(owned: &Owned, sending: &LedgerEntry, rule: AttemptRule, reason: FailReason) -> Attempted {
    let outcome = if sending.attempts < rule.attempts {
        let pause = rule.backoff.delay(sending.attempts, owned.shared.ports.entropy.fraction());
        Outcome::RetryAfter(pause, reason)
    } else {
        Outcome::Fail(reason)
    };
    Attempted { outcome, code: None, on_wire: true, pace: None }
}

/// What the message says. `left`: until the last moment to send it.
async fn body(owned: &Owned, job: &Job, left: Duration) -> Result<Body, NoFile> {
    Ok(match &job.content {
        Content::Text(_) | Content::Otp { .. } | Content::Template { .. } => {
            // Checked when the job was read, so it renders.
            Body::Text(job.content.render().map_err(|_| NoFile::Never(FailReason::BadField))?)
        }
        Content::Location(place) => Body::Location(place.clone()),
        Content::Contact(contact) => Body::Contact(contact.clone()),
        Content::Reaction(reaction) => Body::Reaction(reaction.clone()),
        Content::Edit { message, text } => Body::Edit { message: message.clone(), text: text.clone() },
        Content::Delete(message) => Body::Delete(message.clone()),
        Content::Media(content) => carry(owned, job, content, left).await?,
    })
}

/// Returns when the worker is stopping and has just time enough left to record what was interrupted.
async fn out_of_time(owned: &Owned) {
    let deadline = owned.shared.options.stop_deadline;
    owned.stopping.cancelled().await;
    tokio::time::sleep(deadline.saturating_sub(TO_RECORD.min(deadline / 2))).await;
}
