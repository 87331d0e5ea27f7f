//! One step of one verification.

use kurir_core::domain::{
    Channel, CodeDelivery, EventKind, LedgerEntry, MessageState, NumberPrefix, OutboxEvent, Timestamp, Traffic,
    Verification, VerificationStatus,
};
use kurir_core::policy::{OnItsWay, on_its_way};
use kurir_core::port::{LedgerWrite, PortError, Tally, VerificationWrite, Written};
use kurir_core::wire::{MessageDataV1, PrefixDataV1, VerificationDataV1};

use super::Carer;

/// How often a change that met another write is decided again.
const TRIES: usize = 8;

impl Carer {
    /// Does what a verification is due for. `entry` is its present message, if there is one.
    pub(super) async fn step(&self, of: Verification, entry: Option<LedgerEntry>) -> Result<(), PortError> {
        let now = self.ports.clock.now();
        if of.is_late(now) {
            return self.expire(&of, now).await;
        }
        let Some(hop) = of.channel().cloned() else {
            return self.settle(&of, CodeDelivery::Failed, now, Vec::new()).await;
        };
        match (of.delivery, hop.channel) {
            (CodeDelivery::Reached | CodeDelivery::Failed, _) => self.settle(&of, of.delivery, now, Vec::new()).await,
            (_, Channel::Webhook(url)) => self.ask(of, &url, hop.patience, now).await,
            // Nobody knows whether a queue has it: whoever was to put it there died.
            (CodeDelivery::Begun, _) if entry.as_ref().is_none_or(|entry| entry.state == MessageState::Queued) => {
                self.queue(of, hop.patience, now).await
            }
            _ => self.follow(of, entry, hop.patience, now).await,
        }
    }

    /// Follows a message that was handed over.
    async fn follow(
        &self,
        of: Verification,
        entry: Option<LedgerEntry>,
        patience: std::time::Duration,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let state = entry.as_ref().map_or(MessageState::Cancelled, |entry| entry.state);
        let told = || match of.delivery {
            CodeDelivery::Begun => vec![VerificationDataV1::event(EventKind::VerificationSent, &of, None, now)],
            _ => Vec::new(),
        };
        match on_its_way(state, of.hop_at, patience, of.is_on_last_channel(), now) {
            OnItsWay::Reached => self.settle(&of, CodeDelivery::Reached, now, told()).await,
            OnItsWay::Wait(until) => {
                let record = Verification {
                    delivery: CodeDelivery::Handed,
                    due_at: Some(until.min(of.expires_at)),
                    ..of.clone()
                };
                self.save(record, None, told()).await.map(drop)
            }
            OnItsWay::GiveUp => {
                let reason = match &entry {
                    Some(entry) if state.is_open() || state == MessageState::Sent => {
                        self.take_back(entry, now).await?;
                        "not_delivered"
                    }
                    Some(entry) => entry.reason.map_or(state.as_str(), |reason| reason.as_str()),
                    None => "not_queued",
                };
                self.give_up(&of, reason, now).await
            }
        }
    }

    /// Uses the next channel, at the next look; or tells that there is none.
    pub(super) async fn give_up(&self, of: &Verification, reason: &str, now: Timestamp) -> Result<(), PortError> {
        if let Some(next) = of.fallen_back(now) {
            let event = VerificationDataV1::event(EventKind::VerificationFallback, &next, Some(reason), now);
            tracing::info!(verification = %of.id, reason, "a code takes the next channel");
            return self.save(next, None, vec![event]).await.map(drop);
        }
        let event = VerificationDataV1::event(EventKind::VerificationFailed, of, Some(reason), now);
        tracing::info!(verification = %of.id, reason, "no channel delivers a code");
        self.settle(of, CodeDelivery::Failed, now, vec![event]).await
    }

    /// A message that nobody waits for any more is not to be sent, if it is not on the wire. If somebody is faster, the
    /// phone gets the same code twice.
    async fn take_back(&self, entry: &LedgerEntry, now: Timestamp) -> Result<(), PortError> {
        let mut entry = entry.clone();
        for _ in 0..TRIES {
            let Ok(cancelled) = entry.advance(MessageState::Cancelled, now) else { return Ok(()) };
            let cancelled = LedgerEntry { reason: None, code: None, ..cancelled };
            let events = MessageDataV1::events(&cancelled, entry.state, cancelled.session.as_ref(), now);
            let write = LedgerWrite { fence: None, entry: cancelled, spent: None, events };
            if self.ports.ledger.write(vec![write]).await?.first() == Some(&Written::Done) {
                return Ok(());
            }
            // Its worker has just put it off, or has begun to send it.
            let mut again = self.ports.ledger.get(std::slice::from_ref(&entry.key)).await?;
            let Some(again) = again.pop().flatten() else { return Ok(()) };
            entry = again;
        }
        Ok(())
    }

    /// Nothing is to be done before its end.
    pub(super) async fn settle(
        &self,
        of: &Verification,
        delivery: CodeDelivery,
        now: Timestamp,
        events: Vec<OutboxEvent>,
    ) -> Result<(), PortError> {
        let record = Verification { delivery, due_at: Some(of.expires_at.max(now)), ..of.clone() };
        self.save(record, None, events).await.map(drop)
    }

    async fn expire(&self, of: &Verification, now: Timestamp) -> Result<(), PortError> {
        // One that has ended is not due; if it is, somebody else wrote it, and it is not our business.
        let Ok(record) = of.ended(VerificationStatus::Expired, now) else { return Ok(()) };
        let event = VerificationDataV1::event(EventKind::VerificationExpired, &record, None, now);
        let rule = self.options.conversion;
        let blocked = PrefixDataV1::event(&of.tenant, &NumberPrefix::of(&of.to), now, now.plus(rule.block));
        let tally = Tally { what: Traffic::Lost, rule, at: now, blocked };
        self.save(record, Some(tally), vec![event]).await.map(drop)
    }

    /// Writes it; `false`: another write came first, and the next look decides anew.
    pub(super) async fn save(
        &self,
        record: Verification,
        tally: Option<Tally>,
        events: Vec<OutboxEvent>,
    ) -> Result<bool, PortError> {
        let write = VerificationWrite { record, tally, events };
        Ok(self.ports.verifications.save(write).await? == Written::Done)
    }
}
