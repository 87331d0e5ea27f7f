//! Sessions as callers keep them: names, labels, the default, what is wanted of them; and the list of pools.

use kurir_core::domain::{Lane, PoolId, QrCode, Secret, SessionState, Target, Wanted, WorkerName};
use kurir_core::port::{Clock as _, Enqueued, JobHeaders, JobQueue as _, PublishJob, SessionStore as _, Wishes as _};
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, session};

impl Fixture {
    fn send_json(&self, method: &str, key: &str, path: &str, body: &Value) -> Answer {
        let headers = [("X-Api-Key", key), ("Content-Type", "application/json")];
        self.call(method, path, &headers, body.to_string().as_bytes())
    }

    fn describe(&self, id: &str, body: &Value) -> Answer {
        self.send_json("PATCH", KEY, &format!("/v1/sessions/{id}"), body)
    }

    fn order(&self, id: &str, order: &str) -> Answer {
        self.call("POST", &format!("/v1/sessions/{id}/{order}"), &[("X-Api-Key", KEY)], b"")
    }

    fn found(&self, query: &str) -> String {
        let page = self.get(&format!("/v1/sessions?{query}")).json();
        let ids = page["sessions"].as_array().unwrap_or_else(|| panic!("{page}")).iter();
        ids.map(|session| session["id"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn a_session_is_created_with_what_it_is_called_and_not_started() {
    let it = Fixture::new();
    let body = json!({"id": "s1", "name": "Toko Sari", "labels": {"team": "jakarta"}, "default": true, "start": false});
    let answer = it.post("/v1/sessions", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let view = answer.json();
    assert_eq!((&view["name"], &view["labels"]), (&json!("Toko Sari"), &json!({"team": "jakarta"})));
    assert_eq!((&view["wanted"], &view["status"]), (&json!("stopped"), &json!("STOPPED")));
    assert_eq!(it.get("/v1/sessions/default").json(), view);
    it.get("/v1/sessions/s1/qr").error(404, "no_qr");
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"labels": {"Team": "x"}}), "labels"),
        (json!({"labels": {"team": ""}}), "labels"),
        (json!({"id": "default"}), "id"),
    ] {
        assert_eq!(it.post("/v1/sessions", &body).error(422, "bad_field")["field"], field, "{body}");
    }
    assert_eq!(it.found(""), "s1", "what was refused was not made");
}

#[test]
fn names_and_labels_are_changed_one_by_one() {
    let it = Fixture::new();
    it.create("s1");
    let view = it.describe("s1", &json!({"name": "One", "labels": {"a": "1", "b": "2"}})).json();
    assert_eq!((&view["name"], &view["labels"]), (&json!("One"), &json!({"a": "1", "b": "2"})));
    let view = it.describe("s1", &json!({"labels": {"a": null, "c": "3"}})).json();
    assert_eq!((&view["name"], &view["labels"]), (&json!("One"), &json!({"b": "2", "c": "3"})));
    let view = it.describe("s1", &json!({"name": null})).json();
    assert_eq!((&view["name"], &view["labels"]), (&Value::Null, &json!({"b": "2", "c": "3"})));
    assert_eq!(it.describe("s1", &json!({})).json(), view, "nothing is a change of nothing");
    let many: serde_json::Map<_, _> = (0..15).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(it.describe("s1", &json!({ "labels": many })).error(422, "bad_field")["field"], "labels");
    it.describe("s1", &json!({"wanted": "stopped"})).error(422, "bad_field");
    it.describe("none", &json!({"name": "x"})).error(404, "not_found");
    assert_eq!(it.get("/v1/sessions/s1").json(), view);
}

#[test]
fn the_list_is_filtered() {
    let it = Fixture::new();
    for (id, labels, pool) in [
        ("a", json!({"team": "x", "env": "prod"}), json!("p")),
        ("b", json!({"team": "x"}), Value::Null),
        ("c", json!({"team": "y:z"}), json!("p")),
    ] {
        let body = json!({"id": id, "name": format!("Name {id}"), "labels": labels, "pool": pool});
        assert_eq!(it.post("/v1/sessions", &body).status, 201);
    }
    it.put("b", SessionState::Connected, None);
    for (query, ids) in [
        ("label=team:x", "a b"),
        ("label=team:x&label=env:prod", "a"),
        ("label=team:y%3Az", "c"),
        ("label=team:none", ""),
        ("pool=p", "a c"),
        ("pool=none", ""),
        ("state=connected", "b"),
        ("state=created&pool=p&label=team:x", "a"),
        ("name=Name%20b", "b"),
        ("name=name+b", ""),
    ] {
        assert_eq!(it.found(query), ids, "{query}");
    }
    let page = it.get("/v1/sessions?pool=p&limit=1").json();
    assert_eq!(page["next"], "a");
    assert_eq!(it.found("pool=p&limit=1&after=a"), "c");
    for (query, field) in [
        ("state=asleep", json!("state")),
        ("pool=a.b", json!("pool")),
        ("label=team", json!("label")),
        ("label=team:x&label=team:y", json!("label")),
        ("limit=1&limit=2", Value::Null),
    ] {
        assert_eq!(it.get(&format!("/v1/sessions?{query}")).error(422, "bad_field")["field"], field, "{query}");
    }
}

#[test]
fn what_is_wanted_of_a_session_is_written_down_at_once() {
    let it = Fixture::new();
    it.create("s1");
    it.put("s1", SessionState::Connected, None);
    let record = || it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap();
    for (order, wanted, status) in [
        ("stop", Wanted::Stopped, "STOPPED"),
        ("start", Wanted::Running, "WORKING"),
        ("logout", Wanted::LoggedOut, "STOPPED"),
        ("restart", Wanted::Running, "WORKING"),
    ] {
        let answer = it.order("s1", order);
        assert_eq!(answer.status, 202, "{order}: {}", answer.text());
        let view = answer.json();
        assert_eq!((&view["wanted"], &view["status"]), (&json!(wanted.as_str()), &json!(status)), "{order}");
        assert_eq!(record().wanted, wanted);
    }
    assert_eq!(record().restarts, 1);
    assert_eq!(it.order("s1", "restart").status, 202);
    assert_eq!(record().restarts, 2, "one that runs gets a new connection too");
    for order in ["start", "stop", "restart", "logout"] {
        it.order("none", order).error(404, "not_found");
    }
    assert_eq!(it.delete("/v1/sessions/s1").status, 202);
    for order in ["start", "stop", "restart", "logout"] {
        it.order("s1", order).error(409, "session_deleted");
    }
    assert_eq!(record().wanted, Wanted::Deleted);
}

#[test]
fn a_message_without_session_and_pool_goes_to_the_default() {
    let it = Fixture::new();
    it.create("s1");
    it.create("s2");
    let message = json!({"to": "081234567890", "content": {"type": "text", "text": "Halo"}});
    it.post("/v1/messages", &message).error(422, "bad_field");
    it.get("/v1/sessions/default").error(404, "not_found");
    let set = |key: &str, id: &str| it.send_json("PUT", key, "/v1/sessions/default", &json!({ "session": id }));
    assert_eq!((set(KEY, "s2").status, it.get("/v1/sessions/default").json()["id"].clone()), (200, json!("s2")));
    assert_eq!(it.post("/v1/messages", &message).json()["session"], "s2");
    assert_eq!((it.depth("s1", Lane::Bulk), it.depth("s2", Lane::Bulk)), (0, 1));
    assert_eq!(set(KEY, "none").error(404, "not_found")["field"], "session");

    // Another tenant has its own, or none.
    assert_eq!(set(OTHER_KEY, "s1").error(404, "not_found")["field"], "session");
    it.get_with("/v1/sessions/default", &[("X-Api-Key", OTHER_KEY)]).error(404, "not_found");
    it.post_as(OTHER_KEY, "/v1/messages", &message).error(422, "bad_field");

    // A key for some sessions uses the default only if that is one of them, and does not choose it.
    let narrow = |sessions: Value| {
        let made = it.post("/v1/keys", &json!({"scopes": ["send", "read", "control"], "sessions": sessions}));
        made.json()["key"].as_str().unwrap().to_owned()
    };
    let (fits, other) = (narrow(json!(["s2"])), narrow(json!(["s1"])));
    assert_eq!(it.post_as(&fits, "/v1/messages", &message).status, 202);
    assert_eq!(it.post_as(&other, "/v1/messages", &message).error(404, "not_found")["field"], "session");
    it.get_with("/v1/sessions/default", &[("X-Api-Key", &other)]).error(404, "not_found");
    set(&fits, "s2").error(403, "forbidden");
    it.call("DELETE", "/v1/sessions/default", &[("X-Api-Key", &fits)], b"").error(403, "forbidden");
    it.post_as(&fits, "/v1/sessions", &json!({"id": "s2", "default": true})).error(403, "forbidden");

    for _ in 0..2 {
        let gone = it.delete("/v1/sessions/default");
        assert_eq!((gone.status, gone.bytes.len()), (204, 0));
    }
    it.post("/v1/messages", &message).error(422, "bad_field");
    assert_eq!(it.get("/v1/sessions/s2").json()["wanted"], "running", "only the default is gone");
}

#[test]
fn a_code_comes_as_a_data_url_too() {
    let it = Fixture::new();
    it.create("s1");
    let expires_at = it.clock.now().plus(std::time::Duration::from_secs(20));
    let qr = QrCode { text: Secret::new("2@made-up,for,this,test".to_owned()), expires_at };
    it.put("s1", SessionState::AwaitingScan, Some(qr));
    assert_eq!(it.get("/v1/sessions/s1").json()["status"], "SCAN_QR_CODE");
    let answer = it.get("/v1/sessions/s1/qr?format=data_url");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(json!(answer.text()), it.get("/v1/sessions/s1/qr").json()["png"]);
    assert!(answer.text().starts_with("data:image/png;base64,"));
}

#[test]
fn pools_are_listed_and_deleted_when_nothing_needs_them() {
    let it = Fixture::new();
    for (id, pool) in [("a", "one"), ("b", "two"), ("c", "two")] {
        assert_eq!(it.post("/v1/sessions", &json!({"id": id, "pool": pool})).status, 201);
    }
    let page = it.get("/v1/pools").json();
    let both = json!([{"id": "one", "sessions": 1}, {"id": "two", "sessions": 2}]);
    assert_eq!((&page["pools"], &page["next"]), (&both, &Value::Null));
    let page = it.get("/v1/pools?limit=1").json();
    assert_eq!((&page["pools"], &page["next"]), (&both.as_array().unwrap()[..1].into(), &json!("one")));
    assert_eq!(it.get("/v1/pools?limit=1&after=one").json()["pools"][0]["id"], "two");
    let message = json!({"pool": "one", "to": "081234567890", "content": {"type": "text", "text": "Halo"}});
    assert_eq!(it.post("/v1/messages", &message).status, 202);
    let one = it.get("/v1/pools/one").json();
    assert_eq!(one, json!({"id": "one", "sessions": 1, "waiting": {"otp": 0, "bulk": 1}}));

    it.delete("/v1/pools/one").error(409, "pool_in_use");
    for id in ["a", "b", "c"] {
        let left = it.send_json("PUT", KEY, &format!("/v1/sessions/{id}/pool"), &json!({"pool": null}));
        assert_eq!(left.status, 200);
    }
    it.delete("/v1/pools/one").error(409, "pool_has_messages");
    for path in ["/v1/pools/two", "/v1/pools/none", "/v1/pools/a%2Eb"] {
        for method in ["GET", "DELETE"] {
            it.call(method, path, &[("X-Api-Key", OTHER_KEY)], b"").error(404, "not_found");
        }
    }
    assert_eq!(it.get_with("/v1/pools", &[("X-Api-Key", OTHER_KEY)]).json()["pools"], json!([]));
    assert_eq!(it.delete("/v1/pools/two").status, 204);
    it.get("/v1/pools/two").error(404, "not_found");
    let target = Target::Pool(PoolId::new("two").unwrap());
    let job = PublishJob { target, lane: Lane::Otp, body: Vec::new(), headers: JobHeaders::default() };
    let put = it.runtime.block_on(it.queue.publish(vec![job])).unwrap();
    assert_eq!(put, [Enqueued::NoSuchTarget], "its queues are gone");
    assert_eq!(it.runtime.block_on(it.queue.depth(&session("a"), Lane::Otp)).unwrap(), 0, "those of sessions are not");
    let other = it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "d", "pool": "two"}));
    assert_eq!(other.status, 201, "the name is free");

    let made = it.post("/v1/keys", &json!({"scopes": ["read", "control"], "sessions": ["a"]})).json();
    let narrow = made["key"].as_str().unwrap();
    for path in ["/v1/pools", "/v1/pools/one"] {
        it.get_with(path, &[("X-Api-Key", narrow)]).error(404, "not_found");
    }
}

#[test]
fn a_session_is_wanted_with_a_worker_or_with_any() {
    let it = Fixture::new();
    it.create("s1");
    let move_to = |id: &str, worker: &Value| {
        it.send_json("POST", KEY, &format!("/v1/sessions/{id}/move"), &json!({ "worker": worker }))
    };
    let pins = || it.runtime.block_on(it.wishes.pins()).unwrap();
    for worker in ["w1", "w2"] {
        assert_eq!(move_to("s1", &json!(worker)).status, 202);
        assert_eq!(pins(), [(session("s1"), WorkerName::new(worker).unwrap())].into());
    }
    assert_eq!(move_to("s1", &json!("a.b")).error(422, "bad_field")["field"], "worker");
    assert_eq!(it.send_json("POST", KEY, "/v1/sessions/s1/move", &json!({})).status, 422);
    move_to("none", &json!("w1")).error(404, "not_found");
    it.send_json("POST", OTHER_KEY, "/v1/sessions/s1/move", &json!({"worker": "w1"})).error(404, "not_found");
    assert_eq!(pins().len(), 1);
    assert_eq!(move_to("s1", &Value::Null).status, 202);
    assert!(pins().is_empty());
    it.delete("/v1/sessions/s1");
    move_to("s1", &json!("w1")).error(409, "session_deleted");
}
