//! Names, entries and events to check with: random, so that two checks never meet.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::domain::{
    EventId, EventKind, History, JobId, JobKey, Lane, LeaseHolder, LeaseToken, LedgerEntry, MessageId, MessageState,
    OutboxEvent, PhoneNumber, SessionId, SessionStatus, TenantId, Timestamp, WorkerName,
};

/// The wall clock, to the millisecond. Some implementations look at their server's clock, so checks use real moments.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set to after 1970");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("the clock is set to before the year 292277026"))
}

fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4().simple())
}

pub(super) fn session() -> SessionId {
    SessionId::new(unique("s")).expect("a name by its making")
}

pub(super) fn tenant() -> TenantId {
    TenantId::new(unique("t")).expect("a name by its making")
}

pub(super) fn worker() -> WorkerName {
    WorkerName::new(unique("w")).expect("a name by its making")
}

pub(super) fn holder() -> LeaseHolder {
    LeaseHolder::new(&worker(), Uuid::new_v4().as_u128())
}

pub(super) fn token_of(holder: &LeaseHolder) -> LeaseToken {
    LeaseToken::new(holder, Uuid::new_v4().as_u128())
}

pub(super) fn token() -> LeaseToken {
    token_of(&holder())
}

pub(super) fn job(tenant: &TenantId) -> JobKey {
    JobKey::new(tenant.clone(), JobId::new(Uuid::new_v4()))
}

pub(super) fn number() -> PhoneNumber {
    let tail = Uuid::new_v4().as_u128() % 10_000_000_000;
    PhoneNumber::from_digits(format!("628{tail:010}")).expect("13 digits")
}

/// An event that nobody else has, its body unlike any text.
pub(super) fn event(tenant: &TenantId, session: Option<&SessionId>) -> OutboxEvent {
    let id = EventId(Uuid::new_v4());
    let mut body = id.0.as_bytes().to_vec();
    body.extend(0..=u8::MAX);
    OutboxEvent { id, tenant: tenant.clone(), session: session.cloned(), kind: EventKind::MessageSent, at: now(), body }
}

/// A fresh entry, version 0.
pub(super) fn entry(key: &JobKey, session: Option<&SessionId>) -> LedgerEntry {
    LedgerEntry {
        key: key.clone(),
        version: 0,
        session: session.cloned(),
        lane: Lane::Otp,
        recipient: "6281…90".into(),
        state: MessageState::Queued,
        reason: None,
        code: None,
        attempts: 0,
        message_id: MessageId::derive(key),
        expires_at: None,
        enqueued_at: now(),
        not_before: None,
        sending_at: None,
        sent_at: None,
        delivered_at: None,
        read_at: None,
        ended_at: None,
        metadata: BTreeMap::new(),
        history: History::default(),
        batch: None,
        to: None,
    }
}

/// A status that tells itself apart from another by its moment.
pub(super) fn status(at: i64) -> SessionStatus {
    SessionStatus::created(Timestamp::from_millis(at))
}
