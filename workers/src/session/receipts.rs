//! Receipts and incoming messages: first the store, then the events, then WhatsApp hears of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{LedgerEntry, MessageId, MessageState, OptOut, Timestamp};
use kurir_core::policy::Backoff;
use kurir_core::port::{Incoming, LedgerWrite, PortError, Receipt, ReceiptKind, Stored, Written};
use kurir_core::wire::{MessageDataV1, ReceivedDataV1};
use tokio::sync::mpsc;

use super::{Owned, replies};
use crate::crash_point::CrashPoint;

/// Most receipts handled in one round.
const ROUND: usize = 128;

/// How often writes that met others are decided again.
const CONFLICTS: usize = 5;

/// Pauses while the store does not answer.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(250), max: Duration::from_secs(5) };

/// Records receipts until the channel ends, and tells then that they are. Receipts of one round share one read and one
/// commit. While the store does not answer they wait, and WhatsApp with them.
pub(crate) async fn record(owned: Arc<Owned>, mut receipts: mpsc::Receiver<(Receipt, Stored)>) {
    let mut round = Vec::with_capacity(ROUND);
    while receipts.recv_many(&mut round, ROUND).await > 0 {
        let (receipts, stored): (Vec<_>, Vec<_>) = round.drain(..).unzip();
        let left = receipts
            .into_iter()
            .flat_map(|receipt: Receipt| receipt.ids.into_iter().map(move |id| (id, receipt.kind, receipt.at)))
            .collect();
        owned.shared.options.crash.pass(CrashPoint::ReceiptArrived);
        if all(&owned, left).await {
            owned.shared.options.crash.pass(CrashPoint::ReceiptStored);
            stored.into_iter().for_each(Stored::tell);
        }
    }
}

/// Records all of a round; `false` when that was given up, so that WhatsApp delivers them again.
async fn all(owned: &Owned, mut left: Vec<Of>) -> bool {
    let (mut conflicts, mut failures) = (0, 0);
    while !left.is_empty() {
        if owned.lost.is_cancelled() {
            return false;
        }
        match pass(owned, &left).await {
            Ok(again) if !again.is_empty() && conflicts == CONFLICTS => {
                tracing::warn!(session = %owned.id(), receipts = again.len(), "receipts were given up: others write these entries all the time");
                return false;
            }
            Ok(again) => (left, conflicts) = (again, conflicts + 1),
            Err(error) if !error.is_transient() => {
                if left.len() == 1 {
                    // Acknowledged all the same, or WhatsApp would bring it back for ever, and nothing else with it.
                    tracing::error!(session = %owned.id(), error = %error.chain(), "a receipt can't be recorded; it is given up");
                    return true;
                }
                // One of them is the reason; the others are good.
                for one in left {
                    if !Box::pin(all(owned, vec![one])).await {
                        return false;
                    }
                }
                return true;
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(session = %owned.id(), failures, error = %error.chain(), "receipts could not be recorded; trying again");
                tokio::select! {
                    () = owned.lost.cancelled() => return false,
                    () = tokio::time::sleep(BACKOFF.delay(failures, owned.shared.ports.entropy.fraction())) => {}
                }
            }
        }
    }
    // Fenced meanwhile: they were not written.
    !owned.lost.is_cancelled()
}

/// A receipt of one message.
type Of = (MessageId, ReceiptKind, Timestamp);

/// What one round makes of one entry: all its receipts together, because a write that were to follow another one could
/// find that somebody else's came between, and would then tell only its own part.
struct Moved {
    /// As it was read.
    before: MessageState,
    after: LedgerEntry,
    /// When the last of them was.
    moment: Timestamp,
    receipts: Vec<Of>,
}

/// One round; gives back what met another write and has to be decided again.
async fn pass(owned: &Owned, receipts: &[Of]) -> Result<Vec<Of>, PortError> {
    let ids: Vec<MessageId> = receipts.iter().map(|(id, ..)| id.clone()).collect();
    let entries = owned.shared.ports.ledger.by_message(owned.id(), &ids).await?;
    let mut moved: Vec<Moved> = Vec::new();
    let mut places = HashMap::new();
    for (entry, receipt) in entries.into_iter().zip(receipts) {
        // Not ours: sent by hand from the phone, or forgotten.
        let Some(stored) = entry else { continue };
        let (id, kind, moment) = receipt;
        let next = match kind {
            ReceiptKind::Delivered => MessageState::Delivered,
            ReceiptKind::Read => MessageState::Read,
        };
        let place = places.get(id).copied();
        let current = place.map_or(&stored, |at: usize| &moved[at].after);
        // A repeated receipt, or one that came late.
        let Ok(after) = current.advance(next, *moment) else { continue };
        if let Some(at) = place {
            let moved = &mut moved[at];
            (moved.after, moved.moment) = (after, *moment);
            moved.receipts.push(receipt.clone());
        } else {
            places.insert(id.clone(), moved.len());
            let receipts = vec![receipt.clone()];
            moved.push(Moved { before: stored.state, after, moment: *moment, receipts });
        }
    }
    let writes: Vec<LedgerWrite> = moved
        .iter()
        .map(|Moved { before, after, moment, .. }| {
            let events = MessageDataV1::events(after, *before, Some(owned.id()), *moment);
            LedgerWrite { fence: Some(owned.fence.clone()), entry: after.clone(), spent: None, events }
        })
        .collect();
    let answers = futures_util::future::join_all(writes.iter().map(|w| owned.shared.ledger.write(w.clone()))).await;
    let mut again = Vec::new();
    let mut published = Vec::new();
    for ((answer, write), moved) in answers.into_iter().zip(writes).zip(moved) {
        match answer? {
            Written::Done => published.extend(write.events),
            Written::Conflict => again.extend(moved.receipts),
            Written::Fenced => {
                owned.lost.cancel();
                return Ok(Vec::new());
            }
        }
    }
    // In the outbox they are safe; while the broker is away the relay has them.
    owned.shared.publisher.publish_later(published);
    Ok(again)
}

/// Stores what somebody wrote, as events, and in the same commit what a word to stop bulk messages asks for; tells whether it
/// is durable.
pub(crate) async fn receive(owned: &Owned, messages: &[Incoming]) -> bool {
    let events: Vec<_> = messages
        .iter()
        .map(|message| {
            let text = message.text.as_ref().map(|text| text.expose().as_str());
            ReceivedDataV1::event(&owned.tenant, owned.id(), &message.id, message.from.as_ref(), text, message.at)
        })
        .collect();
    let replies = replies::opt_outs(owned, messages);
    owned.shared.options.crash.pass(CrashPoint::IncomingArrived);
    let ports = &owned.shared.ports;
    let stored = if replies.is_empty() {
        ports.outbox.add(&events).await.map(|()| Vec::new())
    } else {
        ports.suppressions.heed(&owned.tenant, owned.id(), &events, &replies).await
    };
    match stored {
        Ok(told) => {
            owned.shared.options.crash.pass(CrashPoint::IncomingStored);
            let of_replies = replies.into_iter().map(|(OptOut::Stop(_, event) | OptOut::Resume(_, event))| event);
            let told = of_replies.filter(|event| told.contains(&event.id));
            owned.shared.publisher.publish_later(events.into_iter().chain(told).collect());
            true
        }
        Err(error) => {
            tracing::warn!(session = %owned.id(), error = %error.chain(), "an incoming message could not be stored; WhatsApp delivers it again");
            false
        }
    }
}
