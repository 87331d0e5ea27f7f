//! `/v1/messages`

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kurir_core::domain::{FailReason, Fence, JobKey, Lane, MessageState, WorkerName};
use kurir_core::port::{JobQueue as _, Ledger as _, LedgerWrite, SessionStore as _, Written};
use kurir_core::wire::{JOB_KIND, JobV1};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, OTHER_KEY, Wishes, session, tenant, until};
use crate::queue::{Callback, Fault};

const ID: &str = "018f2a52-7c4e-7a3b-9d10-0123456789ab";

fn otp() -> Value {
    json!({
        "id": ID, "session": "s1", "to": "0812-3456-7890", "ttl": 120,
        "content": {"type": "otp", "code": "493817", "text": "Kode: {code}"}, "metadata": {"order": "77"},
    })
}

fn text() -> Value {
    json!({"id": ID, "session": "s1", "to": "+62 812 3456 7890", "content": {"type": "text", "text": "halo"}})
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

/// A fixture with the session `s1`.
fn ready() -> Fixture {
    let it = Fixture::new();
    it.create("s1");
    it
}

#[test]
fn a_message_is_in_the_ledger_and_in_the_queue_as_the_contract_says() {
    let it = ready();
    let answer = it.post("/v1/messages", &otp());
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(format!("/v1/messages/{ID}").as_str()));
    let view = answer.json();
    assert_eq!((&view["id"], &view["state"], &view["lane"]), (&json!(ID), &json!("queued"), &json!("otp")));
    assert_eq!((&view["to"], &view["expires_at"]), (&json!("6281…90"), &json!("2026-11-21T12:02:00.000Z")));
    assert!(view["message_id"].as_str().unwrap().starts_with("3EB0"));
    assert!(!answer.text().contains("493817") && !answer.text().contains("8123456"), "{}", answer.text());
    assert_eq!(it.get(&format!("/v1/messages/{ID}")).json(), view);
    assert_eq!(it.events(), ["session.created", "message.queued"]);

    let delivery = it.runtime.block_on(async {
        let mut jobs = it.queue.subscribe(&session("s1"), Lane::Otp, 1).await.unwrap();
        jobs.next().await.unwrap().unwrap()
    });
    assert_eq!(delivery.headers.kind, JOB_KIND);
    assert_eq!(delivery.headers.message_id.as_deref(), Some(ID));
    let job = JobV1::decode(&delivery.headers.kind, &delivery.body, Some("62")).unwrap();
    assert_eq!((job.tenant.as_str(), job.to.number().unwrap().digits()), ("acme", "6281234567890"));
    assert_eq!(job.content.render().unwrap().expose(), "Kode: 493817");
    assert_eq!(job.metadata["order"], "77");
}

#[test]
fn lanes_ids_and_deadlines_have_defaults() {
    let it = ready();
    let mut body = text();
    body.as_object_mut().unwrap().remove("id");
    let (one, two) = (it.post("/v1/messages", &body).json(), it.post("/v1/messages", &body).json());
    assert_eq!((&one["lane"], &one["expires_at"]), (&json!("bulk"), &Value::Null));
    assert_ne!(one["id"], two["id"]);
    assert_eq!(one["id"].as_str().unwrap().as_bytes()[14], b'7', "a UUID of version 7");
    assert_eq!(it.depth("s1", Lane::Bulk), 2);

    let mut body = otp();
    body.as_object_mut().unwrap().remove("ttl");
    let error = it.post("/v1/messages", &body).error(422, "missing_deadline");
    assert_eq!(error["field"], "expires_at");
    assert!(it.entry(ID).is_none());
    let it = Fixture::with(Wishes { otp_ttl: Some(Duration::from_mins(5)), ..Wishes::default() });
    it.create("s1");
    assert_eq!(it.post("/v1/messages", &body).json()["expires_at"], "2026-11-21T12:05:00.000Z");
}

#[test]
fn the_same_id_again_is_the_same_message() {
    let it = ready();
    assert_eq!(it.post("/v1/messages", &text()).status, 202);
    let again = it.post("/v1/messages", &text());
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("queued")));
    // A worker has it by now: nothing is published any more, not even after the deadline of the repeated request.
    it.runtime.block_on(hand_over(&it, MessageState::Sent));
    let before = it.queue.publishing.load(Ordering::SeqCst);
    let again = it.post("/v1/messages", &with(text(), "expires_at", json!("2020-01-01T00:00:00Z")));
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("sent")));
    assert_eq!(it.queue.publishing.load(Ordering::SeqCst), before);

    for (key, value) in [("to", json!("+6281234567999")), ("lane", json!("otp"))] {
        let body = with(with(text(), key, value), "ttl", json!(60));
        assert_eq!(it.post("/v1/messages", &body).error(409, "id_reused")["field"], "id");
    }
    // Another tenant's ids are its own.
    it.get_with(&format!("/v1/messages/{ID}"), &[("X-Api-Key", OTHER_KEY)]).error(404, "not_found");
    it.get("/v1/messages/nonsense").error(404, "not_found");
    let queued = it.events().iter().filter(|kind| **kind == "message.queued").count();
    assert_eq!(queued, 1);
}

/// What a worker does with the job, as far as the ledger sees it.
async fn hand_over(it: &Fixture, state: MessageState) {
    let record = it.stores.claim(&session("s1"), &WorkerName::new("w1").unwrap()).await.unwrap().unwrap();
    let ledger: &dyn kurir_core::port::Ledger = &*it.stores;
    let key = JobKey::new(tenant("acme"), ID.parse().unwrap());
    let entry = ledger.get(&[key]).await.unwrap().remove(0).unwrap();
    let now = kurir_core::port::Clock::now(&*it.clock);
    let write = LedgerWrite {
        fence: Some(Fence { session: session("s1"), epoch: record.epoch }),
        entry: entry.advance(state, now).unwrap(),
        spent: None,
        events: Vec::new(),
    };
    assert_eq!(it.stores.write(vec![write]).await.unwrap(), [Written::Done]);
}

#[test]
fn only_ones_own_sessions_send() {
    let it = ready();
    let answer = it.post_as(OTHER_KEY, "/v1/messages", &text());
    assert_eq!(answer.error(404, "not_found")["field"], "session");
    let answer = it.post("/v1/messages", &with(text(), "session", json!("s2")));
    assert_eq!(answer.error(404, "not_found")["field"], "session");
    assert!(it.entry(ID).is_none());
    assert_eq!(it.queue.publishing.load(Ordering::SeqCst), 0);
}

#[test]
fn a_missing_queue_is_made_again() {
    let it = ready();
    it.runtime.block_on(it.queue.remove(&session("s1"))).unwrap();
    assert_eq!(it.post("/v1/messages", &text()).status, 202);
    assert_eq!(it.depth("s1", Lane::Bulk), 1);
}

#[test]
fn without_any_queue_the_message_has_failed() {
    let it = ready();
    it.queue.fail(Fault::NoTarget);
    let error = it.post("/v1/messages", &text()).error(404, "no_queue");
    assert_eq!((&error["field"], &error["state"]), (&json!("session"), &json!("failed")));
    let entry = it.entry(ID).unwrap();
    assert_eq!((entry.state, entry.reason), (MessageState::Failed, Some(FailReason::WrongTarget)));
    assert_eq!(it.events(), ["session.created", "message.queued", "message.failed"]);
}

#[test]
fn a_silent_queue_leaves_nothing_queued() {
    let it = ready();
    it.queue.fail(Fault::Down);
    let answer = it.post("/v1/messages", &text());
    answer.error(503, "not_queued");
    assert_eq!(answer.header("retry-after"), Some("5"));
    let entry = it.entry(ID).unwrap();
    assert_eq!((entry.state, entry.reason), (MessageState::Cancelled, Some(FailReason::NotQueued)));
    it.queue.fail(Fault::Nothing);
    // The promise not to send under this id is kept.
    let again = it.post("/v1/messages", &text());
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("cancelled")));
    assert_eq!(it.depth("s1", Lane::Bulk), 0);
    let body = with(text(), "id", json!("018f2a52-7c4e-7a3b-9d10-0123456789ac"));
    assert_eq!(it.post("/v1/messages", &body).status, 202);
}

#[test]
fn a_job_that_a_worker_has_got_is_queued_even_if_the_queue_never_said_so() {
    let it = Arc::new(ready());
    let (stores, clock) = (Arc::clone(&it.stores), Arc::clone(&it.clock));
    let worker = move || {
        let (stores, clock) = (Arc::clone(&stores), Arc::clone(&clock));
        // The in-process stores never wait, so this is done within the call.
        let work = async move {
            let record = stores.claim(&session("s1"), &WorkerName::new("w1").unwrap()).await.unwrap().unwrap();
            let ledger: &dyn kurir_core::port::Ledger = &*stores;
            let key = JobKey::new(tenant("acme"), ID.parse().unwrap());
            let entry = ledger.get(&[key]).await.unwrap().remove(0).unwrap();
            let now = kurir_core::port::Clock::now(&*clock);
            let write = LedgerWrite {
                fence: Some(Fence { session: session("s1"), epoch: record.epoch }),
                entry: entry.advance(MessageState::Sending, now).unwrap(),
                spent: None,
                events: Vec::new(),
            };
            assert_eq!(stores.write(vec![write]).await.unwrap(), [Written::Done]);
        };
        futures_util::FutureExt::now_or_never(work).expect("the in-process stores never wait");
    };
    it.queue.fail(Fault::AnswerLost(Callback(Arc::new(worker))));
    let answer = it.post("/v1/messages", &text());
    assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("sending")), "{}", answer.text());
}

#[test]
fn the_work_goes_on_when_the_caller_loses_patience() {
    let it = Fixture::with(Wishes { request_timeout: Duration::from_secs(2), ..Wishes::default() });
    it.create("s1");
    let permits = Arc::new(Semaphore::new(0));
    it.queue.fail(Fault::Slow(Arc::clone(&permits)));
    let answer = it.post("/v1/messages", &text());
    answer.error(503, "timeout");
    assert_eq!(it.depth("s1", Lane::Bulk), 0);
    permits.add_permits(1);
    until("the job is published after all", || it.depth("s1", Lane::Bulk) == 1);
    assert_eq!(it.entry(ID).unwrap().state, MessageState::Queued);
}

#[test]
fn what_nobody_will_send_any_more_has_expired_when_somebody_looks() {
    let it = ready();
    assert_eq!(it.post("/v1/messages", &otp()).status, 202);
    it.clock.advance(Duration::from_secs(119));
    assert_eq!(it.get(&format!("/v1/messages/{ID}")).json()["state"], "queued");
    it.clock.advance(Duration::from_secs(1));
    let view = it.get(&format!("/v1/messages/{ID}")).json();
    assert_eq!((&view["state"], &view["ended_at"]), (&json!("expired"), &json!("2026-11-21T12:02:00.000Z")));
    assert_eq!(it.events(), ["session.created", "message.queued", "message.expired"]);
}
