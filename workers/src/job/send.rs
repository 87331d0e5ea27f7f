//! The attempt itself: the message goes on the wire, and WhatsApp answers or does not.

use std::time::Duration;

use kurir_core::domain::{FailReason, Job, LedgerEntry, Outcome, Rest, SendAnswer, SenderPace};
use kurir_core::policy::verdict;
use kurir_core::port::MessengerError;
use tokio::sync::mpsc;

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
        // The last two are no answers to a message.
        Err(
            error @ (MessengerError::NoAnswer(_)
            | MessengerError::Client { .. }
            | MessengerError::Linked
            | MessengerError::Refused(_)),
        ) => {
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
