//! Looking at a message.

use kurir_core::domain::{
    FailReason, JobId, JobKey, LedgerEntry, MessageId, MessageState, PhoneError, PhoneNumber, TenantId,
};
use kurir_core::port::{LedgerWrite, MessageFilter, MessagePlace, Written};
use kurir_core::wire::MessageDataV1;

use super::page::cut;
use super::{UseCaseError, UseCases};

/// Most messages of one id that are told.
const MOST_OF_AN_ID: u32 = 20;

/// Whether nothing in this entry says that a worker has seen the job, so that it may not be in a queue at all.
pub(super) fn is_untouched(entry: &LedgerEntry) -> bool {
    match entry.state {
        MessageState::Queued => true,
        MessageState::Delayed => entry.reason == Some(FailReason::Rescheduled) && entry.sending_at.is_none(),
        _ => false,
    }
}

/// One page of messages.
#[derive(Debug)]
pub struct MessagePage {
    /// The newest first.
    pub messages: Vec<LedgerEntry>,
    /// Where the next page begins, if there is one.
    pub next: Option<MessagePlace>,
}

impl UseCases {
    /// The messages before this place, at most `limit`.
    pub async fn messages(
        &self,
        filter: &MessageFilter,
        before: Option<MessagePlace>,
        limit: u32,
    ) -> Result<MessagePage, UseCaseError> {
        let mut messages = self.ports.index.list(filter, before, limit.saturating_add(1)).await?;
        let next = cut(&mut messages, limit, MessagePlace::of);
        Ok(MessagePage { messages, next })
    }

    /// The messages of this id: a job's, or one of WhatsApp's (in capitals, as kurir makes them).
    pub async fn find_message(&self, tenant: &TenantId, id: &str) -> Result<Vec<LedgerEntry>, UseCaseError> {
        if let Ok(job) = id.parse::<JobId>() {
            return match self.message(tenant, job).await {
                Ok(entry) => Ok(vec![entry]),
                Err(UseCaseError::NotFound { .. }) => Ok(Vec::new()),
                Err(error) => Err(error),
            };
        }
        let id = MessageId::from_wire(id.to_ascii_uppercase());
        Ok(self.ports.index.by_whatsapp_id(tenant, &id, MOST_OF_AN_ID).await?)
    }

    /// How many messages there are in each state.
    pub async fn count_messages(&self, filter: &MessageFilter) -> Result<Vec<(MessageState, u64)>, UseCaseError> {
        Ok(self.ports.index.count(filter).await?)
    }

    /// A number as a caller writes it.
    pub fn number(&self, text: &str) -> Result<PhoneNumber, PhoneError> {
        PhoneNumber::parse(text, self.default_country.as_deref())
    }

    /// What the ledger knows of a message.
    ///
    /// One that no worker has touched by its deadline is ended here: none would send it any more, and none may ever
    /// see it, if the gateway died between its entry in the ledger and its way into the queue.
    pub async fn message(&self, tenant: &TenantId, job: JobId) -> Result<LedgerEntry, UseCaseError> {
        let key = JobKey::new(tenant.clone(), job);
        let entry = self.entry(&key).await?.ok_or(UseCaseError::NotFound { what: "message", field: None })?;
        let now = self.ports.clock.now();
        let late = is_untouched(&entry) && entry.expires_at.is_some_and(|deadline| now >= deadline);
        if !late {
            return Ok(entry);
        }
        match self.advance(&entry, MessageState::Expired, None).await? {
            Some(expired) => Ok(expired),
            None => self.entry(&key).await?.ok_or(UseCaseError::NotFound { what: "message", field: None }),
        }
    }

    pub(super) async fn entry(&self, key: &JobKey) -> Result<Option<LedgerEntry>, UseCaseError> {
        Ok(self.ports.ledger.get(std::slice::from_ref(key)).await?.pop().flatten())
    }

    /// Moves an entry that no worker has touched; `None`: somebody has.
    pub(super) async fn advance(
        &self,
        entry: &LedgerEntry,
        next: MessageState,
        reason: Option<FailReason>,
    ) -> Result<Option<LedgerEntry>, UseCaseError> {
        let now = self.ports.clock.now();
        let moved = entry.advance(next, now).ok().map(|moved| LedgerEntry { reason, ..moved });
        self.replace(entry, moved).await
    }

    /// Writes what an entry is to become, with its event; `None`: it was moved meanwhile, or may not become that.
    pub(super) async fn replace(
        &self,
        entry: &LedgerEntry,
        moved: Option<LedgerEntry>,
    ) -> Result<Option<LedgerEntry>, UseCaseError> {
        let now = self.ports.clock.now();
        let Some(moved) = moved else { return Ok(None) };
        let events = MessageDataV1::events(&moved, entry.state, moved.session.as_ref(), now);
        let write = LedgerWrite { fence: None, entry: moved.clone(), spent: None, events };
        match self.ports.ledger.write(vec![write]).await?.first() {
            Some(Written::Done) => Ok(Some(moved.as_written())),
            _ => Ok(None),
        }
    }
}
