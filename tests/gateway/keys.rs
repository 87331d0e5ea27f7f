//! API keys: what each of them opens, and that it opens nothing else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::document::{Operation, addresses, bodies, kind_of_body, operations};
use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, Wishes, written};
use crate::openapi::{WEBHOOK, with_a_real_webhook};

/// A text for a session of `acme`.
fn text(session: &str) -> Value {
    json!({"session": session, "to": "6281234567890", "content": {"type": "text", "text": "halo"}})
}

impl Fixture {
    /// Makes a key of `acme`; gives it and its id.
    fn key(&self, wish: &Value) -> (String, String) {
        let made = self.post("/v1/keys", wish);
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    }

    fn look(&self, key: &str, path: &str) -> Answer {
        self.get_with(path, &[("X-Api-Key", key)])
    }
}

#[test]
fn a_key_is_shown_once_and_opens_its_tenant() {
    let it = Fixture::new();
    it.create("s1");
    let (key, id) = it.key(&json!({"label": "shop", "scopes": ["send", "read"]}));
    assert_eq!(it.post_as(&key, "/v1/messages", &text("s1")).status, 202);
    assert_eq!(it.look(&key, "/v1/sessions/s1").status, 200);
    let known = it.get(&format!("/v1/keys/{id}")).json();
    assert_eq!((&known["label"], &known["active"]), (&json!("shop"), &json!(true)));
    let list = it.get("/v1/keys");
    assert_eq!(list.json()["keys"].as_array().unwrap().len(), 1);
    for answer in [it.get(&format!("/v1/keys/{id}")), list] {
        assert!(!answer.text().contains(key.rsplit('_').next().unwrap()), "{}", answer.text());
    }
    assert_eq!(it.look(OTHER_KEY, "/v1/keys").json()["keys"], json!([]), "another tenant's");
}

#[test]
fn a_key_does_what_its_scopes_say() {
    let it = Fixture::new();
    it.create("s1");
    let id = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
    let mut message = text("s1");
    message["id"] = id.into();
    assert_eq!(it.post("/v1/messages", &message).status, 202);
    let calls: [(&str, &str, String, Value); 9] = [
        ("read", "GET", "/v1/sessions".into(), Value::Null),
        ("read", "GET", format!("/v1/messages/{id}"), Value::Null),
        ("send", "POST", "/v1/messages".into(), text("s1")),
        ("send", "POST", format!("/v1/messages/{id}/cancel"), Value::Null),
        ("control", "GET", "/v1/sessions/s1/qr".into(), Value::Null),
        ("control", "POST", "/v1/sessions".into(), json!({"id": "s2"})),
        ("admin", "GET", "/v1/keys".into(), Value::Null),
        ("read", "GET", "/v1/sessions/s1/limits".into(), Value::Null),
        ("admin", "PUT", "/v1/sessions/s1/limits".into(), json!({"per_day": 5})),
    ];
    for scope in ["send", "read", "control", "admin"] {
        let (key, _) = it.key(&json!({"scopes": [scope]}));
        for (needs, method, path, body) in &calls {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let answer =
                it.call(method, path, &[("X-Api-Key", &key), ("Content-Type", "application/json")], body.as_bytes());
            if scope == "admin" || scope == *needs {
                assert_ne!(answer.status, 403, "{scope}: {method} {path}");
            } else {
                answer.error(403, "forbidden");
            }
        }
    }
}

#[test]
fn a_key_for_some_sessions_sees_no_others() {
    let it = Fixture::new();
    it.create("mine");
    it.create("other");
    let (key, _) = it.key(&json!({"scopes": ["send", "read", "control"], "sessions": ["mine", "later"]}));
    assert_eq!(it.look(&key, "/v1/sessions/mine").status, 200);
    let sessions = it.look(&key, "/v1/sessions").json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(it.post_as(&key, "/v1/messages", &text("mine")).status, 202);
    assert_eq!(it.post_as(&key, "/v1/sessions", &json!({"id": "later"})).status, 201);

    for path in ["/v1/sessions/other", "/v1/sessions/other/qr"] {
        it.look(&key, path).error(404, "not_found");
    }
    it.call("DELETE", "/v1/sessions/other", &[("X-Api-Key", &key)], b"").error(404, "not_found");
    assert_eq!(it.post_as(&key, "/v1/messages", &text("other")).error(404, "not_found")["field"], "session");
    let pool = json!({"pool": "p", "to": "6281234567890", "content": {"type": "text", "text": "x"}});
    assert_eq!(it.post_as(&key, "/v1/messages", &pool).error(404, "not_found")["field"], "pool");
    for body in [json!({"id": "new"}), json!({}), json!({"id": "later", "pool": "p"})] {
        it.post_as(&key, "/v1/sessions", &body).error(404, "not_found");
    }
    // A message of another session.
    let mut message = text("other");
    message["id"] = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b".into();
    assert_eq!(it.post("/v1/messages", &message).status, 202);
    for (method, path) in [("GET", ""), ("POST", "/cancel"), ("POST", "/reschedule")] {
        let path = format!("/v1/messages/0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b{path}");
        it.call(method, &path, &[("X-Api-Key", &key)], b"").error(404, "not_found");
    }
    let (narrow, _) = it.key(&json!({"scopes": ["admin"], "sessions": ["mine"]}));
    it.post_as(&narrow, "/v1/keys", &json!({"scopes": ["admin"]})).error(403, "forbidden");
}

#[test]
fn a_key_ends_by_its_date_by_revocation_and_by_rotation() {
    let it = Fixture::new();
    it.create("s1");
    let (dated, _) = it.key(&json!({"scopes": ["read"], "expires_at": "2026-11-21T12:01:00Z"}));
    let (revoked, id) = it.key(&json!({"scopes": ["read"]}));
    let (old, old_id) = it.key(&json!({"label": "x", "scopes": ["read"], "sessions": ["s1"]}));
    for key in [&dated, &revoked, &old] {
        assert_eq!(it.look(key, "/v1/sessions/s1").status, 200);
    }
    assert_eq!(it.delete(&format!("/v1/keys/{id}")).json()["active"], json!(false));
    it.look(&revoked, "/v1/sessions/s1").error(401, "unauthorized");

    let made = it.post(&format!("/v1/keys/{old_id}/rotate"), &json!({"overlap": 60})).json();
    let new = made["key"].as_str().unwrap();
    assert_eq!((&made["label"], &made["sessions"]), (&json!("x"), &json!(["s1"])));
    for key in [old.as_str(), new] {
        assert_eq!(it.look(key, "/v1/sessions/s1").status, 200);
    }
    it.clock.advance(Duration::from_mins(1));
    for key in [&dated, &old] {
        it.look(key, "/v1/sessions/s1").error(401, "unauthorized");
    }
    assert_eq!(it.look(new, "/v1/sessions/s1").status, 200);
    it.post(&format!("/v1/keys/{old_id}/rotate"), &json!({})).error(409, "key_ended");
    for path in ["/v1/keys/nobodys", "/v1/keys/a%20b"] {
        it.get(path).error(404, "not_found");
    }
    for wrong in
        [json!({"scopes": []}), json!({"scopes": ["owner"]}), json!({}), json!({"scopes": ["read"], "sessions": []})]
    {
        it.post("/v1/keys", &wrong).error(422, "bad_field");
    }
    it.post("/v1/keys", &json!({"scopes": ["read"], "expires_at": "2026-11-21T12:00:00Z"})).error(422, "bad_field");
}

/// These make something of the caller's own, under a name that others may use as well.
const MAKE_ONES_OWN: [(&str, &str); 2] = [("PUT", "/v1/templates/{name}"), ("PUT", "/v1/suppressions/{number}")];

#[test]
fn what_others_have_under_the_same_name_is_not_touched() {
    let it = Fixture::new();
    let own = json!({"name": "pesanan", "default_locale": "id", "texts": {"id": "x"}});
    assert_eq!(it.post("/v1/templates", &own).status, 201);
    assert_eq!(it.post("/v1/suppressions", &json!({"numbers": ["6281234567890"], "note": "x"})).status, 200);
    let paths = ["/v1/templates/pesanan", "/v1/suppressions/6281234567890"];
    let before = paths.map(|path| it.get(path).json());
    let bodies = [json!({"default_locale": "en", "texts": {"en": "y"}}), json!({"note": "y"})];
    for (path, body) in paths.into_iter().zip(bodies) {
        let headers = [("X-Api-Key", OTHER_KEY), ("Content-Type", "application/json")];
        let made = it.call("PUT", path, &headers, body.to_string().as_bytes());
        assert!(made.status < 300, "{path}: {}", made.text());
        assert_eq!(it.look(OTHER_KEY, path).json(), made.json());
    }
    assert_eq!(paths.map(|path| it.get(path).json()), before);
}

/// Whatever the document has: what belongs to one tenant is not there for another one.
#[test]
fn a_foreign_key_finds_nothing_anywhere() {
    let document: Value = serde_json::from_str(&kurir::gateway::openapi_document()).unwrap();
    let it = Fixture::new();
    it.create("toko-1");
    let mut message = text("toko-1");
    message["id"] = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b".into();
    assert_eq!(it.post("/v1/messages", &message).status, 202);
    it.enter_file("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c");
    let (_, key) = it.key(&json!({"scopes": ["read"]}));
    let content = json!({"type": "text", "text": "x"});
    let batch = json!({"session": "toko-1", "content": content, "messages": [{"to": "6281234567890"}]});
    let batch = it.post("/v1/messages/batch", &batch).json()["id"].as_str().unwrap().to_owned();
    let made = it.post("/v1/verifications", &json!({"to": "6281234567890", "session": "toko-1"}));
    assert_eq!(made.status, 201, "{}", made.text());
    let verification = made.json()["id"].as_str().unwrap().to_owned();
    let prefixes = it.get("/v1/verifications/prefixes").json();
    let prefix = prefixes["prefixes"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(it.post("/v1/sessions", &json!({"id": "toko-2", "pool": "senders"})).status, 201);
    let template = json!({"name": "pesanan_dikirim", "default_locale": "id", "texts": {"id": "x"}});
    assert_eq!(it.post("/v1/templates", &template).status, 201);
    assert_eq!(it.post("/v1/suppressions", &json!({"numbers": ["6281234567890"]})).status, 200);
    let mut walked = 0;
    for Operation { method, path, spec } in operations(&document, &[]) {
        if !path.contains('{') || MAKE_ONES_OWN.contains(&(method.as_str(), path)) {
            continue;
        }
        for address in addresses(&document, path, spec) {
            let address = if address.contains(WEBHOOK) { with_a_real_webhook(&it, &address) } else { address };
            let address = address
                .replace("5f0c2a91d3e84b76", &key)
                .replace("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0fba7c", &batch)
                .replace("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c", &verification)
                .replace("5d41402abc4b2a76b9719d911017c592", &prefix);
            let hook = address.strip_prefix("/v1/webhooks/").and_then(|rest| rest.split('/').next()).unwrap_or("-");
            for (_, body) in bodies(&document, spec) {
                let body = body.as_ref().map(written).unwrap_or_default();
                let ask = |address: &str, key: &str| {
                    let kind = kind_of_body(spec).unwrap_or("application/json");
                    let headers = [("X-Api-Key", key), ("Content-Type", kind)];
                    it.call(&method, address, &headers, body.as_bytes())
                };
                let foreign = ask(&address, OTHER_KEY);
                foreign.error(404, "not_found");
                // The same words as for what nobody has.
                let none = address
                    .replace("toko-1", "nobodys")
                    .replace("senders", "nobodys")
                    .replace("pesanan_dikirim", "nobodys")
                    .replace("6281234567890", "6281200000000")
                    .replace(&batch, "0190ffff-c3d4-7e5f-8a6b-7c8d9e0fba7c")
                    .replace(&verification, "nobodys")
                    .replace(&prefix, "nobodys")
                    .replace(&key, "nobodys")
                    .replace(&format!("webhooks/{hook}"), "webhooks/nobodys")
                    .replace("0190a1b2", "0190ffff");
                assert_eq!(foreign.text(), ask(&none, OTHER_KEY).text(), "{method} {address}");
                walked += 1;
            }
        }
    }
    assert!(walked >= 14, "only {walked} routes");
    let check = json!({"to": "6281234567890", "code": "493817"});
    it.post_as(OTHER_KEY, "/v1/verifications/check", &check).error(404, "not_found");
    assert_eq!(it.look(OTHER_KEY, "/v1/verifications").json()["verifications"], json!([]));
    assert_eq!(it.look(OTHER_KEY, "/v1/verifications/prefixes").json()["prefixes"], json!([]));
    assert_eq!(it.get(&format!("/v1/verifications/{verification}")).json()["checks"], 0, "nothing was counted");
    assert_eq!(it.look(OTHER_KEY, "/v1/sessions").json()["sessions"], json!([]));
    assert_eq!(it.look(KEY, "/v1/sessions/toko-1").status, 200, "nothing was changed");
}

#[test]
fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let it = Fixture::with(Wishes { key_rate: 1, ..Wishes::default() });
    for left in ["2", "1", "0"] {
        let answer = it.get("/v1/sessions");
        assert_eq!((answer.status, answer.header("ratelimit-remaining")), (200, Some(left)));
        assert_eq!(answer.header("ratelimit-limit"), Some("3"));
    }
    let answer = it.get("/v1/sessions");
    let error = answer.error(429, "too_many_requests");
    assert_eq!((answer.header("retry-after"), &error["retryAfterSeconds"]), (Some("2"), &json!(2)));
    assert_eq!(answer.header("ratelimit-reset"), Some("3"));
    assert_eq!(it.look(OTHER_KEY, "/v1/sessions").status, 200, "another key's requests are its own");
    it.clock.advance(Duration::from_millis(1100));
    assert_eq!(it.get("/v1/sessions").status, 200);
    assert_eq!(it.get_with("/v1/sessions", &[]).header("ratelimit-limit"), None);
}
