//! `POST /v1/messages?wait=…`

use std::sync::Arc;
use std::time::{Duration, Instant};

use kurir::gateway::MessageOptions;
use kurir_core::domain::{Fence, JobKey, LedgerEntry, MessageState, WorkerName};
use kurir_core::port::{Clock as _, EventSink as _, Ledger as _, LedgerWrite, SessionStore as _, Written};
use kurir_core::wire::MessageDataV1;
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, PATIENCE, Wishes, session, tenant, until};

fn id(n: usize) -> String {
    format!("018f2a52-7c4e-7a3b-9d10-{n:012}")
}

fn message(n: usize) -> Value {
    json!({"id": id(n), "session": "s1", "to": "+6281234567890", "content": {"type": "text", "text": "halo"}})
}

fn patient() -> Fixture {
    let messages = MessageOptions { wait_max: PATIENCE, wait_default: PATIENCE, ..MessageOptions::default() };
    let it = Fixture::with(Wishes { messages, ..Wishes::default() });
    it.create("s1");
    it
}

impl Fixture {
    /// What a worker does with a message, with or without a word about it.
    fn advance(&self, n: usize, path: &[MessageState], tells: bool) {
        self.runtime.block_on(async {
            let record = self.stores.claim(&session("s1"), &WorkerName::new("w1").unwrap()).await.unwrap().unwrap();
            let ledger: &dyn kurir_core::port::Ledger = &*self.stores;
            for state in path {
                let key = JobKey::new(tenant("acme"), id(n).parse().unwrap());
                let before: LedgerEntry = ledger.get(&[key]).await.unwrap().remove(0).unwrap();
                let entry = before.advance(*state, self.clock.now()).unwrap();
                let fence = Some(Fence { session: session("s1"), epoch: record.epoch });
                let events = MessageDataV1::events(&entry, before.state, Some(&session("s1")), self.clock.now());
                let write = LedgerWrite { fence, entry, spent: None, events: events.clone() };
                assert_eq!(self.stores.write(vec![write]).await.unwrap(), [Written::Done]);
                if tells {
                    self.events.publish(&events).await.unwrap();
                }
            }
        });
    }

    fn waiting(self: &Arc<Self>, n: usize, query: &'static str) -> std::thread::JoinHandle<Answer> {
        let it = Arc::clone(self);
        let waits = std::thread::spawn(move || it.post(&format!("/v1/messages?{query}"), &message(n)));
        until("the message is taken", || self.entry(&id(n)).is_some());
        waits
    }
}

#[test]
fn the_answer_comes_when_the_message_has_come_that_far() {
    use MessageState::{Delivered, Failed, Sending, Sent};
    for (n, query, path, state) in [
        (1, "wait=sent", &[Sending, Sent][..], "sent"),
        (2, "wait=delivered", &[Sending, Sent, Delivered], "delivered"),
        (3, "wait=sent", &[Sending, Delivered], "delivered"),
        (4, "wait=delivered", &[Sending, Failed], "failed"),
    ] {
        let it = Arc::new(patient());
        let waits = it.waiting(n, query);
        it.advance(n, path, true);
        let answer = waits.join().unwrap();
        assert_eq!((answer.status, &answer.json()["state"]), (200, &json!(state)), "{query}: {}", answer.text());
    }
}

#[test]
fn what_no_event_tells_is_found_in_the_ledger() {
    let it = Arc::new(patient());
    let waits = it.waiting(1, "wait=sent");
    it.advance(1, &[MessageState::Sending, MessageState::Sent], false);
    let answer = waits.join().unwrap();
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("sent")));
    let steps: Vec<_> = answer.json()["history"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(steps, ["queued", "sending", "sent"]);
}

#[test]
fn at_the_end_of_the_time_it_is_told_where_the_message_stands() {
    let it = Arc::new(patient());
    let answer = it.post("/v1/messages?wait=sent&timeout=1", &message(1));
    assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("queued")), "{}", answer.text());
    // It has been sent, which is not what is waited for.
    it.advance(1, &[MessageState::Sending, MessageState::Sent], true);
    let answer = it.post("/v1/messages?wait=delivered&timeout=1", &message(1));
    assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("sent")), "{}", answer.text());
    // A message that has come that far already is not waited for at all.
    let start = Instant::now();
    assert_eq!(it.post("/v1/messages?wait=sent", &message(1)).status, 200);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_stop_ends_the_waits_with_an_answer() {
    let it = Arc::new(patient());
    let waits: Vec<_> = (0..8).map(|n| it.waiting(n, "wait=delivered")).collect();
    it.stop.cancel();
    for wait in waits {
        let answer = wait.join().unwrap();
        assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("queued")), "{}", answer.text());
    }
    until("the gateway has stopped", || it.served.is_finished());
}

#[test]
fn who_may_not_wait_any_more_is_answered_at_once() {
    let messages = MessageOptions { most_waits: 0, wait_max: PATIENCE, ..MessageOptions::default() };
    let it = Fixture::with(Wishes { messages, ..Wishes::default() });
    it.create("s1");
    let answer = it.post("/v1/messages?wait=sent", &message(1));
    assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("queued")));
    for (query, field) in [("wait=read", "wait"), ("timeout=3", "timeout"), ("wait=sent&timeout=0", "timeout")] {
        let error = it.post(&format!("/v1/messages?{query}"), &message(2)).error(422, "bad_field");
        assert_eq!(error["field"], field);
    }
    it.post("/v1/messages?wait=sent&timeout=x", &message(2)).error(422, "bad_field");
    it.post("/v1/messages?wait=sent&timeout=21", &message(2)).error(422, "bad_field");
    assert!(it.entry(&id(2)).is_none(), "nothing was stored");
    assert!(Duration::from_secs(21) > PATIENCE);
}
