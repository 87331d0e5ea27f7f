//! Pools: sessions join them, messages name them, and nobody sees another tenant's.

use kurir_core::domain::{Lane, MessageState, PoolId, Wanted};
use kurir_core::port::{JobQueue as _, PoolQueue as _, SessionStore as _};
use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, OTHER_KEY, session, tenant};
use crate::queue::Fault;

const ID: &str = "018f2a52-7c4e-7a3b-9d10-0123456789ab";

fn pool() -> PoolId {
    PoolId::new("senders").unwrap()
}

fn message() -> Value {
    json!({"id": ID, "pool": "senders", "to": "081234567890", "content": {"type": "text", "text": "Halo"}})
}

impl Fixture {
    fn waits(&self) -> u64 {
        self.runtime.block_on(self.queue.pool_depth(&pool(), Lane::Bulk)).unwrap()
    }

    fn join(&self, key: &str, id: &str, body: &Value) -> crate::fixture::Answer {
        let headers = [("X-Api-Key", key), ("Content-Type", "application/json")];
        self.call("PUT", &format!("/v1/sessions/{id}/pool"), &headers, body.to_string().as_bytes())
    }
}

#[test]
fn a_session_is_created_in_its_pool_changes_it_and_leaves_it() {
    let it = Fixture::new();
    let answer = it.post("/v1/sessions", &json!({"id": "s1", "pool": "senders"}));
    assert_eq!((answer.status, &answer.json()["pool"]), (201, &json!("senders")), "{}", answer.text());
    assert_eq!(it.waits(), 0, "its queues are there");
    for wanted in [json!("others"), Value::Null] {
        let answer = it.join(KEY, "s1", &json!({ "pool": wanted }));
        assert_eq!((answer.status, &answer.json()["pool"]), (200, &wanted), "{}", answer.text());
        assert_eq!(it.get("/v1/sessions/s1").json()["pool"], wanted);
    }
    it.join(KEY, "none", &json!({"pool": "senders"})).error(404, "not_found");
    let error = it.join(KEY, "s1", &json!({"pool": "a.b"})).error(422, "bad_field");
    assert_eq!(error["field"], "pool");
    assert_eq!(it.join(KEY, "s1", &json!({})).status, 422);
}

#[test]
fn a_message_for_a_pool_waits_in_its_queue_and_is_known_again() {
    let it = Fixture::new();
    it.post("/v1/sessions", &json!({"id": "s1", "pool": "senders"}));
    let answer = it.post("/v1/messages", &message());
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!((&answer.json()["state"], &answer.json()["session"]), (&json!("queued"), &Value::Null));
    assert_eq!(it.waits(), 1);
    let again = it.post("/v1/messages", &message());
    assert_eq!(again.status, 200);
    assert_eq!(it.post(&format!("/v1/messages/{ID}/cancel"), &json!({})).status, 200);
    assert_eq!(it.entry(ID).unwrap().state, MessageState::Cancelled);
}

#[test]
fn a_message_names_a_session_or_a_pool_that_is_there() {
    let it = Fixture::new();
    it.post("/v1/sessions", &json!({"id": "s1", "pool": "senders"}));
    let without = json!({"to": "081234567890", "content": {"type": "text", "text": "Halo"}});
    it.post("/v1/messages", &without).error(422, "bad_field");
    let mut both = message();
    both["session"] = json!("s1");
    it.post("/v1/messages", &both).error(422, "bad_field");
    let mut unknown = message();
    unknown["pool"] = json!("none");
    let error = it.post("/v1/messages", &unknown).error(404, "not_found");
    assert_eq!(error["field"], "pool");
    assert_eq!(it.waits(), 0);
    assert!(it.entry(ID).is_none());
}

#[test]
fn another_tenants_pool_can_not_be_joined_or_used() {
    let it = Fixture::new();
    it.post("/v1/sessions", &json!({"id": "s1", "pool": "senders"}));
    let other = it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "s2", "pool": "senders"}));
    other.error(409, "pool_taken");
    assert_eq!(it.runtime.block_on(it.stores.get(&session("s2"))).unwrap(), None, "no half of it was made");
    it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "s2"}));
    it.join(OTHER_KEY, "s2", &json!({"pool": "senders"})).error(409, "pool_taken");
    it.join(OTHER_KEY, "s1", &json!({"pool": null})).error(404, "not_found");
    it.post_as(OTHER_KEY, "/v1/messages", &message()).error(404, "not_found");
    assert_eq!(it.waits(), 0);
    let record = it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap();
    assert_eq!((record.pool, record.wanted), (Some(pool()), Wanted::Running));
    assert_eq!(it.runtime.block_on(it.stores.pool_of(&pool())).unwrap(), Some(tenant("acme")));
}

#[test]
fn a_silent_queue_changes_nothing_and_a_lost_one_is_made_anew() {
    let it = Fixture::new();
    it.create("s1");
    it.queue.fail(Fault::Down);
    it.join(KEY, "s1", &json!({"pool": "senders"})).error(503, "not_declared");
    it.queue.fail(Fault::Nothing);
    assert_eq!(it.get("/v1/sessions/s1").json()["pool"], Value::Null);
    assert_eq!(it.join(KEY, "s1", &json!({"pool": "senders"})).status, 200);
    it.runtime.block_on(it.queue.remove_pool(&pool())).unwrap();
    assert_eq!(it.post("/v1/messages", &message()).status, 202);
    assert_eq!(it.waits(), 1);
    assert_eq!(it.runtime.block_on(it.queue.depth(&session("s1"), Lane::Bulk)).unwrap(), 0);
}
