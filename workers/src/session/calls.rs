//! Calls to the owner: what only it can do for others, answered at once or not at all.

use std::sync::Arc;

use futures_util::future::join_all;
use kurir_core::domain::{MessageId, PhoneNumber};
use kurir_core::port::{IncomingCall, MessengerError, NumberStatus, PairingCode};
use kurir_core::wire::{CallAnswerV1, CallV1};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Owned;

/// How many calls of one session are in work at once.
const AT_ONCE: usize = 8;

/// Answers the session's calls until it is let go.
pub(super) async fn serve(owned: Arc<Owned>) {
    let mut calls = owned.shared.ports.calls.listen(owned.id());
    // One list of numbers at a time: messages that wait for the check of their own number stand behind at most one.
    let checks = Arc::new(Semaphore::new(1));
    let mut work = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = owned.lost.cancelled() => break,
            () = owned.stopping.cancelled() => break,
            Some(_) = work.join_next(), if !work.is_empty() => {}
            call = calls.next(), if work.len() < AT_ONCE => match call {
                Some(call) => {
                    work.spawn(answer(Arc::clone(&owned), Arc::clone(&checks), call));
                }
                None => break,
            },
        }
    }
    // What is left in work is dropped, and its callers hear nothing: nobody knows how far it came.
}

async fn answer(owned: Arc<Owned>, checks: Arc<Semaphore>, call: IncomingCall) {
    let IncomingCall { body, within, answer } = call;
    let Some(asked) = CallV1::decode(&body) else {
        let _ = answer.send(CallAnswerV1::NotUnderstood.encode());
        return;
    };
    let name = asked.name();
    let Ok(done) = tokio::time::timeout(within, carry_out(&owned, &checks, asked)).await else { return };
    tracing::debug!(session = %owned.id(), call = name, "call answered");
    // The caller may have gone.
    let _ = answer.send(done.encode());
}

async fn carry_out(owned: &Owned, checks: &Semaphore, call: CallV1) -> CallAnswerV1 {
    let sender = &owned.sender;
    let done = match call {
        CallV1::CheckNumbers { numbers } => return check(owned, checks, &numbers).await,
        CallV1::MarkRead { chat, messages } => {
            let messages: Vec<MessageId> = messages.into_iter().map(MessageId::from_wire).collect();
            sender.mark_read(&chat, &messages).await
        }
        CallV1::ShowTyping { chat, typing } => sender.show_typing(&chat, typing).await,
        CallV1::ShowPresence { presence } => sender.show_presence(presence).await,
        CallV1::PairingCode { number } => return pairing_code(owned, &number).await,
    };
    done.map_or_else(|error| failed(owned, &error), |()| CallAnswerV1::Done)
}

/// Checks numbers as recipients are checked: at the session's pace, and not what is known already.
async fn check(owned: &Owned, checks: &Semaphore, numbers: &[PhoneNumber]) -> CallAnswerV1 {
    if !*owned.link.borrow() {
        return CallAnswerV1::NotConnected;
    }
    let Ok(_turn) = checks.acquire().await else { return CallAnswerV1::NoAnswer };
    let answers = join_all(numbers.iter().map(|number| owned.numbers.check(number))).await;
    let registered = |status: Option<NumberStatus>| status.map(|status| status == NumberStatus::Registered);
    match answers.into_iter().map(registered).collect() {
        Some(on_whatsapp) => CallAnswerV1::Numbers { on_whatsapp },
        None => CallAnswerV1::NoAnswer,
    }
}

/// Asks for a code to type. It is told as an event too, whoever asked.
async fn pairing_code(owned: &Owned, number: &PhoneNumber) -> CallAnswerV1 {
    match owned.sender.pairing_code(number).await {
        Ok(PairingCode { code, valid_for }) => {
            CallAnswerV1::PairingCode { code, expires_at: owned.shared.ports.clock.now().plus(valid_for) }
        }
        Err(error) => failed(owned, &error),
    }
}

fn failed(owned: &Owned, error: &MessengerError) -> CallAnswerV1 {
    match error {
        MessengerError::NotConnected | MessengerError::Fenced => CallAnswerV1::NotConnected,
        // Only a message can be too late.
        MessengerError::NoAnswer(_) | MessengerError::TooLate => CallAnswerV1::NoAnswer,
        MessengerError::Linked => CallAnswerV1::Linked,
        MessengerError::Refused(_) => CallAnswerV1::Refused,
        MessengerError::Client { .. } => {
            tracing::warn!(session = %owned.id(), %error, "a call failed");
            CallAnswerV1::Refused
        }
    }
}
