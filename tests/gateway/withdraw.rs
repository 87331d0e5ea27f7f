//! `/v1/messages/{id}/cancel` and `/v1/messages/{id}/reschedule`

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kurir::gateway::GatewayPorts;
use kurir::gateway::usecase::{UseCaseError, UseCases};
use kurir_core::domain::{
    FailReason, Fence, JobId, JobKey, Lane, LedgerEntry, MessageId, MessageState, PhoneNumber, SessionId, Timestamp,
    WorkerName,
};
use kurir_core::memory::{MemoryStores, MemoryVigil, SeededEntropy};
use kurir_core::port::{Clock as _, Ledger, LedgerWrite, PortError, SessionStore as _, Written};
use serde_json::{Value, json};

use crate::fixture::{Fixture, OTHER_KEY, session, tenant};
use crate::queue::{Callback, Fault};

const ID: &str = "018f2a52-7c4e-7a3b-9d10-0123456789ab";

fn path(verb: &str) -> String {
    format!("/v1/messages/{ID}/{verb}")
}

fn at(moment: &str) -> Value {
    json!({ "not_before": moment })
}

fn message() -> Value {
    json!({"id": ID, "session": "s1", "to": "+6281234567890", "ttl": 3600, "content": {"type": "text", "text": "halo"}})
}

/// A message of `s1` that is queued.
fn queued() -> Fixture {
    let it = Fixture::new();
    it.create("s1");
    assert_eq!(it.post("/v1/messages", &message()).status, 202);
    it
}

/// Brings the message to this state, as a worker would.
async fn moved(stores: &MemoryStores, now: Timestamp, path: &[MessageState]) {
    let record = stores.claim(&session("s1"), &WorkerName::new("w1").unwrap()).await.unwrap().unwrap();
    let key = JobKey::new(tenant("acme"), ID.parse().unwrap());
    for state in path {
        let entry = Ledger::get(stores, std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
        let write = LedgerWrite {
            fence: Some(Fence { session: session("s1"), epoch: record.epoch }),
            entry: entry.advance(*state, now).unwrap(),
            spent: None,
            events: Vec::new(),
        };
        assert_eq!(Ledger::write(stores, vec![write]).await.unwrap(), [Written::Done]);
    }
}

/// How to come from `queued` to each state.
fn way_to(state: MessageState) -> Vec<MessageState> {
    use MessageState::{Cancelled, Delayed, Delivered, Expired, Failed, Queued, Read, Sending, Sent, Uncertain};
    match state {
        Queued => vec![],
        Delayed => vec![Delayed],
        Sending => vec![Sending],
        Sent => vec![Sending, Sent],
        Delivered => vec![Sending, Sent, Delivered],
        Read => vec![Sending, Sent, Delivered, Read],
        Failed => vec![Failed],
        Expired => vec![Expired],
        Uncertain => vec![Sending, Uncertain],
        Cancelled => vec![Cancelled],
    }
}

fn in_state(state: MessageState) -> Fixture {
    let it = queued();
    it.runtime.block_on(moved(&it.stores, it.clock.now(), &way_to(state)));
    it
}

#[test]
fn what_waits_is_cancelled_and_told_once() {
    for state in [MessageState::Queued, MessageState::Delayed] {
        let it = in_state(state);
        for _ in 0..2 {
            let answer = it.post(&path("cancel"), &json!({}));
            assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("cancelled")), "{state}");
            assert_eq!(answer.json()["ended_at"], "2026-11-21T12:00:00.000Z");
        }
        assert_eq!(it.events(), ["session.created", "message.queued", "message.cancelled"]);
        assert_eq!(it.get(&format!("/v1/messages/{ID}")).json()["state"], "cancelled");
        // The same id again is answered by that.
        let again = it.post("/v1/messages", &message());
        assert_eq!((again.status, &again.json()["state"]), (200, &json!("cancelled")));
    }
}

#[test]
fn what_is_on_the_wire_or_has_ended_is_neither_cancelled_nor_put_off() {
    for state in MessageState::ALL.into_iter().filter(|state| !state.is_waiting()) {
        let it = in_state(state);
        let before = it.entry(ID).unwrap();
        if state != MessageState::Cancelled {
            let error = it.post(&path("cancel"), &json!({})).error(409, "too_late");
            assert_eq!(error["state"], state.as_str());
        }
        let error = it.post(&path("reschedule"), &at("2026-11-21T12:30:00Z")).error(409, "too_late");
        assert_eq!(error["state"], state.as_str());
        assert_eq!(it.entry(ID).unwrap(), before, "{state}");
    }
}

#[test]
fn a_moment_may_be_moved_in_both_directions() {
    let it = queued();
    for moment in ["2026-11-21T12:30:00Z", "2026-11-21T12:45:00+00:00", "2026-11-21T12:10:00Z", "2026-11-21T11:00:00Z"]
    {
        let view = it.post(&path("reschedule"), &at(moment)).json();
        assert_eq!((&view["state"], &view["reason"]), (&json!("delayed"), &json!("rescheduled")), "{view}");
        let until = Timestamp::parse_rfc3339(moment).unwrap();
        assert_eq!(it.entry(ID).unwrap().not_before, Some(until));
        assert_eq!(view["not_before"], until.to_rfc3339());
    }
    let told = it.events();
    assert_eq!(told.iter().filter(|kind| **kind == "message.delayed").count(), 4, "{told:?}");
    // It can still be cancelled.
    assert_eq!(it.post(&path("cancel"), &json!({})).json()["state"], "cancelled");
}

#[test]
fn a_moment_at_or_past_the_deadline_is_refused() {
    let it = queued();
    let before = it.entry(ID).unwrap();
    for moment in ["2026-11-21T13:00:00Z", "2026-11-21T13:00:01Z", "2026-12-21T12:00:00Z"] {
        let error = it.post(&path("reschedule"), &at(moment)).error(422, "bad_field");
        assert_eq!(error["field"], "not_before");
        assert!(error["detail"].as_str().unwrap().contains("2026-11-21T13:00:00"), "{error}");
    }
    for bad in ["", "tomorrow", "2027-11-21T12:00:00Z"] {
        assert_eq!(it.post(&path("reschedule"), &at(bad)).error(422, "bad_field")["field"], "not_before", "{bad:?}");
    }
    it.post(&path("reschedule"), &json!({})).error(422, "bad_field");
    it.post(&path("reschedule"), &json!({"not_before": "2026-11-21T12:30:00Z", "x": 1})).error(422, "bad_field");
    assert_eq!(it.entry(ID).unwrap(), before);
}

#[test]
fn unknown_and_foreign_messages_are_not_found() {
    let it = queued();
    let moment = at("2026-11-21T12:30:00Z");
    it.post_as(OTHER_KEY, &path("cancel"), &json!({})).error(404, "not_found");
    it.post_as(OTHER_KEY, &path("reschedule"), &moment).error(404, "not_found");
    for id in ["nonsense", "018f2a52-7c4e-7a3b-9d10-0123456789ac"] {
        it.post(&format!("/v1/messages/{id}/cancel"), &json!({})).error(404, "not_found");
        it.post(&format!("/v1/messages/{id}/reschedule"), &moment).error(404, "not_found");
    }
    assert_eq!(it.entry(ID).unwrap().state, MessageState::Queued);
    it.get(&path("cancel")).error(405, "wrong_method");
}

#[test]
fn the_same_id_again_is_answered_by_what_is_recorded() {
    for state in MessageState::ALL {
        let it = in_state(state);
        let published = it.depth("s1", Lane::Bulk);
        let before = it.entry(ID).unwrap();
        let answer = it.post("/v1/messages", &message());
        assert_eq!((answer.status, &answer.json()["state"]), (200, &json!(state.as_str())));
        assert_eq!(it.entry(ID).unwrap(), before, "{state}");
        // Only where no worker has seen it, the gateway can't know that it stands in the queue.
        let again = it.depth("s1", Lane::Bulk) - published;
        assert_eq!(again, u64::from(state == MessageState::Queued), "{state}");
    }
    let it = queued();
    it.post(&path("reschedule"), &at("2026-11-21T12:30:00Z"));
    let answer = it.post("/v1/messages", &message());
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("delayed")));
    assert_eq!(it.depth("s1", Lane::Bulk), 2, "it was put off before anybody knew that it is in the queue");
}

#[test]
fn a_queue_that_does_not_answer_ends_also_what_was_put_off_meanwhile() {
    let it = Fixture::new();
    it.create("s1");
    let stores = Arc::clone(&it.stores);
    let now = it.clock.now();
    // Somebody puts it off while it is being published, and then the answer of the queue is lost.
    it.queue.fail(Fault::AnswerLost(Callback(Arc::new(move || {
        let key = JobKey::new(tenant("acme"), ID.parse().unwrap());
        let work = async {
            let entry = Ledger::get(&*stores, &[key]).await.unwrap().remove(0).unwrap();
            let mut entry = entry.advance(MessageState::Delayed, now).unwrap();
            entry.reason = Some(FailReason::Rescheduled);
            entry.not_before = Some(now.plus(Duration::from_mins(5)));
            let write = LedgerWrite { fence: None, entry, spent: None, events: Vec::new() };
            assert_eq!(Ledger::write(&*stores, vec![write]).await.unwrap(), [Written::Done]);
        };
        futures_util::FutureExt::now_or_never(work).expect("the in-process stores never wait");
    }))));
    it.post("/v1/messages", &message()).error(503, "not_queued");
    let entry = it.entry(ID).unwrap();
    assert_eq!((entry.state, entry.reason), (MessageState::Cancelled, Some(FailReason::NotQueued)));
}

/// A ledger that lets a worker in right before a write.
struct Stepped {
    inner: Arc<MemoryStores>,
    worker: Mutex<Option<Vec<MessageState>>>,
    now: Timestamp,
}

#[async_trait]
impl Ledger for Stepped {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        let path = self.worker.lock().unwrap().take();
        if let Some(path) = path {
            moved(&self.inner, self.now, &path).await;
        }
        Ledger::write(&*self.inner, writes).await
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        Ledger::get(&*self.inner, keys).await
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        self.inner.by_message(session, ids).await
    }

    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError> {
        self.inner.open_of(session, limit).await
    }

    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError> {
        self.inner.met(session, recipients).await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.inner.forget(before, limit).await
    }
}

#[test]
fn a_worker_that_comes_in_between_wins_or_is_met_again() {
    use MessageState::{Cancelled, Delayed, Failed, Sending, Sent};
    // (what the worker does between look and write, what a cancellation comes to)
    let cases: [(&[MessageState], Result<(), MessageState>); 4] = [
        (&[Sending], Err(Sending)),
        (&[Sending, Sent], Err(Sent)),
        (&[Sending, Delayed], Ok(())),
        (&[Failed], Err(Failed)),
    ];
    for (path, expected) in cases {
        for cancel in [true, false] {
            let it = queued();
            let now = it.clock.now();
            let inner = Arc::clone(&it.stores);
            let ledger = Stepped { inner, worker: Mutex::new(Some(path.to_vec())), now };
            let ports = GatewayPorts {
                sessions: it.stores.clone(),
                keys: it.stores.clone(),
                ledger: Arc::new(ledger),
                jobs: it.queue.clone(),
                pools: it.queue.clone(),
                vigil: Arc::new(MemoryVigil::default()),
                clock: it.clock.clone(),
                entropy: Arc::new(SeededEntropy::new(1)),
                index: it.stores.clone(),
                requests: it.stores.clone(),
                events: it.events.clone(),
                verifications: it.stores.clone(),
                web: it.web.clone(),
                media: it.stores.clone(),
                event_log: it.stores.clone(),
                webhooks: it.stores.clone(),
                templates: it.stores.clone(),
                suppressions: it.stores.clone(),
                users: it.stores.clone(),
                calls: Arc::new(it.calls.clone()),
                wishes: it.wishes.clone(),
                dead: it.queue.clone(),
                members: it.members.clone(),
            };
            let cases = UseCases::new(ports, None, None, crate::fixture::verify());
            let (acme, job): (_, JobId) = (tenant("acme"), ID.parse().unwrap());
            let answer = it.runtime.block_on(async {
                if cancel {
                    cases.cancel(&acme, job).await
                } else {
                    cases.reschedule(&acme, job, "2026-11-21T12:30:00Z").await
                }
            });
            let stands = it.entry(ID).unwrap();
            match (answer, expected) {
                (Ok(entry), Ok(())) => {
                    assert_eq!(entry, stands);
                    assert_eq!(entry.state, if cancel { Cancelled } else { Delayed });
                }
                (Err(UseCaseError::TooLate { state }), Err(expected)) => {
                    assert_eq!((state, stands.state), (expected, expected), "{path:?}");
                }
                (answer, expected) => panic!("{path:?}: {answer:?} instead of {expected:?}"),
            }
        }
    }
}
