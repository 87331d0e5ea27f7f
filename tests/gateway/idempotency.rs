//! `Idempotency-Key`: once, whatever happens to the answer or to the gateway.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kurir_core::domain::{Lane, MessageState, RequestKey, RequestSeed};
use kurir_core::port::{Begun, Clock as _, NewRun, RequestLog as _};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, Wishes, tenant, until};
use crate::queue::Fault;

fn text(words: &str) -> Value {
    json!({"session": "s1", "to": "+62 812 3456 7890", "content": {"type": "text", "text": words}})
}

fn ready() -> Fixture {
    let it = Fixture::new();
    it.create("s1");
    it
}

impl Fixture {
    fn named(&self, key: &str, name: &str, path: &str, body: &Value) -> Answer {
        let headers = [("X-Api-Key", key), ("Content-Type", "application/json"), ("Idempotency-Key", name)];
        self.call("POST", path, &headers, body.to_string().as_bytes())
    }

    fn send(&self, name: &str, words: &str) -> Answer {
        self.named(KEY, name, "/v1/messages", &text(words))
    }
}

#[test]
fn a_repeated_request_is_carried_out_once_and_answered_the_same() {
    let it = ready();
    let first = it.send("order 77", "halo");
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None), "{}", first.text());
    // Whatever has become of the message: the answer is the recorded one, to the letter.
    it.post(&format!("/v1/messages/{}/cancel", first.json()["id"].as_str().unwrap()), &Value::Null);
    let again = it.send("order 77", "halo");
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(again.text(), first.text());
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!(again.header("cache-control"), Some("no-store"));
    assert_eq!(it.depth("s1", Lane::Bulk), 1);
    assert_ne!(it.send("order 78", "halo").json()["id"], first.json()["id"]);
    assert_eq!(it.depth("s1", Lane::Bulk), 2);
    // How long to wait for the answer is no part of the request.
    let waiting = it.named(KEY, "order 77", "/v1/messages?wait=sent&timeout=1", &text("halo"));
    assert_eq!(waiting.text(), first.text());
}

#[test]
fn a_name_stands_for_one_request_of_its_tenant() {
    let it = ready();
    assert_eq!(it.send("k", "halo").status, 202);
    it.send("k", "other words").error(422, "idempotency_key_reused");
    assert_eq!(it.depth("s1", Lane::Bulk), 1);
    // Another tenant's names are its own; this one has no such session.
    it.named(OTHER_KEY, "k", "/v1/messages", &text("halo")).error(404, "not_found");
    // A key for some sessions does not get the answer that a wider one got.
    let made = it.post("/v1/keys", &json!({"scopes": ["send"], "sessions": ["s1"]})).json();
    let narrow = made["key"].as_str().unwrap();
    it.named(narrow, "k", "/v1/messages", &text("halo")).error(422, "idempotency_key_reused");
    // Nor does one that may do other things, whether it may do this one or not.
    for scopes in [json!(["send", "read"]), json!(["read"])] {
        let other = it.post("/v1/keys", &json!({ "scopes": scopes })).json();
        let other = other["key"].as_str().unwrap();
        it.named(other, "k", "/v1/messages", &text("halo")).error(422, "idempotency_key_reused");
    }
    for bad in ["", &"x".repeat(256)] {
        it.send(bad, "halo").error(400, "bad_idempotency_key");
    }
    let twice = [("X-Api-Key", KEY), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    it.call("POST", "/v1/messages", &twice, b"{}").error(400, "bad_idempotency_key");
}

#[test]
fn what_was_refused_may_be_corrected_under_the_same_name() {
    let it = ready();
    let mut wrong = text("halo");
    wrong["to"] = "12".into();
    it.named(KEY, "k", "/v1/messages", &wrong).error(422, "bad_number");
    it.queue.fail(Fault::Down);
    it.send("k", "halo").error(503, "not_queued");
    it.queue.fail(Fault::Nothing);
    // That message was cancelled for good; the repetition is another one.
    let sent = it.send("k", "halo");
    assert_eq!((sent.status, &sent.json()["state"]), (202, &json!("queued")), "{}", sent.text());
    assert_eq!(it.depth("s1", Lane::Bulk), 1);
}

#[test]
fn while_it_is_carried_out_a_repetition_is_told_to_come_again() {
    let it = Fixture::with(Wishes { request_timeout: Duration::from_secs(2), ..Wishes::default() });
    it.create("s1");
    let permits = Arc::new(Semaphore::new(0));
    it.queue.fail(Fault::Slow(Arc::clone(&permits)));
    // The caller loses patience, the work goes on.
    it.send("k", "halo").error(503, "timeout");
    let busy = it.send("k", "halo");
    busy.error(409, "idempotency_key_in_use");
    assert!(busy.header("retry-after").is_some());
    it.send("k", "other words").error(422, "idempotency_key_reused");
    permits.add_permits(1);
    until("the answer is recorded", || it.send("k", "halo").header("idempotent-replayed").is_some());
    assert_eq!((it.send("k", "halo").status, it.depth("s1", Lane::Bulk)), (202, 1));
    assert_eq!(it.queue.publishing.load(Ordering::SeqCst), 1);
}

/// A gateway entered the request, made the message, and died before it could record its answer.
#[test]
fn a_run_that_died_is_taken_over_and_makes_nothing_twice() {
    let it = ready();
    let key = RequestKey::new(tenant("acme"), b"k").unwrap();
    let first = it.send("k", "halo");
    assert_eq!(first.status, 202);
    let id = first.json()["id"].as_str().unwrap().to_owned();
    // As if it had not recorded its answer: the same request stands there again, with what its ids were made of.
    let (found, seed) = it.runtime.block_on(async {
        let at = it.clock.now();
        it.stores.forget_requests(at.plus(Duration::from_hours(48)), 10).await.unwrap();
        // The seed that the gateway drew is found by the id that it made.
        let seeds = (0..64).map(|n| RequestSeed(kurir_core::port::Entropy::nonce(&seeded(n)).to_be_bytes()));
        let seed = seeds.into_iter().find(|seed| seed.job(0).to_string() == id);
        (at, seed)
    });
    let seed = seed.expect("the fixture's entropy is seeded");
    let died = |request: [u8; 32]| NewRun {
        key: key.clone(),
        request,
        runner: 1,
        seed,
        at: found,
        lease: found.plus(Duration::from_secs(1)),
        keep: found.plus(Duration::from_hours(1)),
    };
    let hash = hash_of(&it, "halo");
    let begun = it.runtime.block_on(it.stores.begin(&died(hash))).unwrap();
    assert_eq!(begun, Begun::Run(seed));
    it.send("k", "halo").error(409, "idempotency_key_in_use");
    it.clock.advance(Duration::from_secs(2));
    let again = it.send("k", "halo");
    assert_eq!((again.status, again.json()["id"].as_str().unwrap()), (200, id.as_str()), "{}", again.text());
    assert_eq!(it.entry(&id).unwrap().state, MessageState::Queued);
}

/// The fixture's entropy after so many draws.
fn seeded(draws: usize) -> kurir_core::memory::SeededEntropy {
    let entropy = kurir_core::memory::SeededEntropy::new(7);
    for _ in 0..draws {
        kurir_core::port::Entropy::nonce(&entropy);
    }
    entropy
}

/// The hash of the request that [`Fixture::send`] makes, as the gateway enters it.
fn hash_of(_: &Fixture, words: &str) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    let body = text(words).to_string();
    for part in [&b"kurir/request/v1"[..], b"POST", b"/v1/messages", &[0], b"admin", body.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[test]
fn a_name_is_free_again_after_its_time() {
    let it = ready();
    let first = it.send("k", "halo").json();
    it.clock.advance(Duration::from_hours(25));
    let other = it.send("k", "other words");
    assert_eq!(other.status, 202, "{}", other.text());
    assert_ne!(other.json()["id"], first["id"]);
}
