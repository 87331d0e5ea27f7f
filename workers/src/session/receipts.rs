//! Receipts and incoming messages: first the store, then the events, then WhatsApp hears of it.

use std::sync::Arc;

use kurir_core::domain::{MessageId, MessageState, Timestamp};
use kurir_core::port::{Incoming, LedgerWrite, PortError, Receipt, ReceiptKind, Written};
use kurir_core::wire::{MessageDataV1, ReceivedDataV1};
use tokio::sync::mpsc;

use super::Owned;
use crate::crash_point::CrashPoint;

/// Most receipts handled in one round.
const ROUND: usize = 128;

/// How often a write that met another one is decided again.
const TRIES: usize = 5;

/// Records receipts until the channel ends. Receipts of one round share one read and one commit.
pub(crate) async fn record(owned: Arc<Owned>, mut receipts: mpsc::Receiver<Receipt>) {
    let mut round = Vec::with_capacity(ROUND);
    while receipts.recv_many(&mut round, ROUND).await > 0 {
        let mut left: Vec<(MessageId, ReceiptKind, Timestamp)> = round
            .drain(..)
            .flat_map(|receipt| receipt.ids.into_iter().map(move |id| (id, receipt.kind, receipt.at)))
            .collect();
        for _ in 0..TRIES {
            if left.is_empty() || owned.lost.is_cancelled() {
                break;
            }
            match pass(&owned, &left).await {
                Ok(again) => left = again,
                Err(error) => {
                    tracing::warn!(session = %owned.id(), error = %error.chain(), "receipts could not be recorded; trying again");
                    tokio::select! {
                        () = owned.lost.cancelled() => break,
                        () = tokio::time::sleep(std::time::Duration::from_millis(500)) => {}
                    }
                }
            }
        }
        if !left.is_empty() {
            tracing::warn!(session = %owned.id(), receipts = left.len(), "receipts were given up");
        }
    }
}

/// One round; gives back what met another write and has to be decided again.
async fn pass(
    owned: &Owned,
    receipts: &[(MessageId, ReceiptKind, Timestamp)],
) -> Result<Vec<(MessageId, ReceiptKind, Timestamp)>, PortError> {
    let ids: Vec<MessageId> = receipts.iter().map(|(id, ..)| id.clone()).collect();
    let entries = owned.shared.ports.ledger.by_message(owned.id(), &ids).await?;
    let mut latest = std::collections::HashMap::new();
    let mut writes = Vec::new();
    let mut of_write = Vec::new();
    for (at, (entry, (id, kind, moment))) in entries.into_iter().zip(receipts).enumerate() {
        // Not ours: sent by hand from the phone, or forgotten.
        let Some(stored) = entry else { continue };
        let before = latest.remove(id).unwrap_or(stored);
        let next = match kind {
            ReceiptKind::Delivered => MessageState::Delivered,
            ReceiptKind::Read => MessageState::Read,
        };
        // A repeated receipt, or one that came late.
        let Ok(after) = before.advance(next, *moment) else {
            latest.insert(id.clone(), before);
            continue;
        };
        let events = MessageDataV1::events(&after, before.state, Some(owned.id()), *moment);
        let mut following = after.clone();
        following.version += 1;
        latest.insert(id.clone(), following);
        writes.push(LedgerWrite { fence: Some(owned.fence.clone()), entry: after, spent: None, events });
        of_write.push(at);
    }
    let mut again = Vec::new();
    let mut published = Vec::new();
    let answers = futures_util::future::join_all(writes.iter().map(|w| owned.shared.ledger.write(w.clone()))).await;
    for ((answer, write), at) in answers.into_iter().zip(writes).zip(of_write) {
        match answer? {
            Written::Done => published.extend(write.events),
            Written::Conflict => again.push(receipts[at].clone()),
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

/// Stores what somebody wrote, as events; tells whether it is durable.
pub(crate) async fn receive(owned: &Owned, messages: &[Incoming]) -> bool {
    let events: Vec<_> = messages
        .iter()
        .map(|message| {
            let text = message.text.as_ref().map(|text| text.expose().as_str());
            ReceivedDataV1::event(&owned.tenant, owned.id(), &message.id, message.from.as_ref(), text, message.at)
        })
        .collect();
    owned.shared.options.crash.pass(CrashPoint::IncomingArrived);
    match owned.shared.ports.outbox.add(&events).await {
        Ok(()) => {
            owned.shared.options.crash.pass(CrashPoint::IncomingStored);
            owned.shared.publisher.publish_later(events);
            true
        }
        Err(error) => {
            tracing::warn!(session = %owned.id(), error = %error.chain(), "an incoming message could not be stored; WhatsApp delivers it again");
            false
        }
    }
}
