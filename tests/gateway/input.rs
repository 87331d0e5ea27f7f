//! Bad input: the right status, one shape, and no value repeated.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, PATIENCE};

/// What must not come back in any error.
const CODE: &str = "493817";

fn good() -> Value {
    json!({
        "id": "018f2a52-7c4e-7a3b-9d10-0123456789ab", "session": "s1", "to": "+6281234567890", "ttl": 120,
        "content": {"type": "otp", "code": CODE}, "metadata": {"order": "77"},
    })
}

fn ready() -> Fixture {
    let it = Fixture::new();
    it.create("s1");
    it
}

#[test]
fn bad_fields_are_named() {
    let it = ready();
    let many: serde_json::Map<String, Value> = (0..17).map(|n| (n.to_string(), json!("x"))).collect();
    let cases = [
        ("/id", json!("not-a-uuid"), 422, "bad_field", "id"),
        ("/session", json!(5), 422, "bad_field", "session"),
        ("/session", json!("a.b"), 422, "bad_field", "session"),
        ("/to", json!("12ab"), 422, "bad_number", "to"),
        ("/to", json!(6_281_234_567_890_i64), 422, "bad_field", "to"),
        ("/lane", json!("fast"), 422, "bad_field", "lane"),
        ("/content", json!({"type": "otp", "code": 493_817}), 422, "bad_field", "content"),
        ("/content", json!({"type": "otp", "code": CODE, "text": "{kode}"}), 422, "bad_field", "content"),
        ("/content", json!({"type": "image", "text": CODE}), 422, "bad_field", "content.type"),
        ("/content", json!({"type": "text", "text": ""}), 422, "bad_field", "content"),
        ("/content", json!({"type": "text", "text": "x", "extra": CODE}), 422, "bad_field", "content"),
        ("/ttl", json!(0), 422, "bad_field", "ttl"),
        ("/ttl", json!(-1), 422, "bad_field", "ttl"),
        ("/ttl", json!(99_999_999), 422, "bad_field", "ttl"),
        ("/expires_at", json!("2026-11-21T13:00:00Z"), 422, "bad_field", "ttl"),
        ("/metadata", json!({"order": 77}), 422, "bad_field", "metadata.order"),
        ("/metadata", Value::Object(many), 422, "bad_field", "metadata"),
        ("/sesion", json!(CODE), 422, "bad_field", "sesion"),
        ("/tenant", json!("other"), 422, "bad_field", "tenant"),
    ];
    for (pointer, value, status, code, field) in cases {
        let mut body = good();
        body[&pointer[1..]] = value;
        let answer = it.post("/v1/messages", &body);
        let error = answer.error(status, code);
        assert_eq!(error["field"], field, "{pointer}: {error}");
        assert!(!answer.text().contains(CODE), "{pointer}: {error}");
    }
    for (moment, ttl) in [("2026-11-21T11:59:59Z", Value::Null), ("tomorrow", Value::Null)] {
        let mut body = good();
        body["ttl"] = ttl;
        body["expires_at"] = json!(moment);
        assert_eq!(it.post("/v1/messages", &body).error(422, "bad_field")["field"], "expires_at", "{moment}");
    }
    let mut body = good();
    body.as_object_mut().unwrap().remove("to");
    assert_eq!(it.post("/v1/messages", &body).error(422, "bad_field")["field"], "to");
    for id in ["", "a.b", "-a", "x y"] {
        assert_eq!(it.post("/v1/sessions", &json!({"id": id})).error(422, "bad_field")["field"], "id", "{id}");
    }
    assert_eq!(it.post("/v1/sessions", &json!({"nickname": "x"})).error(422, "bad_field")["field"], "nickname");
    assert!(it.entry("018f2a52-7c4e-7a3b-9d10-0123456789ab").is_none());
    assert_eq!(it.events(), ["session.created"]);
}

#[test]
fn bad_bodies_are_refused() {
    let it = ready();
    let text = good().to_string();
    for body in [&text[..40], "{", "nonsense", &format!("{text} x"), "{\"id\":\u{7}}"] {
        let answer = it.post_text(KEY, "/v1/messages", body);
        answer.error(400, "bad_json");
        assert!(!answer.text().contains(CODE));
    }
    for body in ["[]", "5", "null", "\"x\""] {
        it.post_text(KEY, "/v1/messages", body).error(422, "bad_field");
    }
    it.call("POST", "/v1/messages", &[("X-Api-Key", KEY), ("Content-Type", "application/json")], b"")
        .error(400, "bad_json");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let headers = [("X-Api-Key", KEY), ("Content-Type", kind)];
        it.call("POST", "/v1/messages", &headers, text.as_bytes()).error(415, "not_json");
    }
    let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json; charset=utf-8")];
    assert_eq!(it.call("POST", "/v1/messages", &headers, text.as_bytes()).status, 202);
}

#[test]
fn bodies_are_bounded() {
    let it = ready();
    let mut body = good();
    body["content"]["code"] = json!("x".repeat(64 * 1024));
    it.post("/v1/messages", &body).error(413, "body_too_large");
    // Within the request's bound, but the job made of it is not within the queue's.
    let frame = good().to_string().len() - CODE.len();
    body["content"]["code"] = json!("x".repeat(64 * 1024 - frame));
    assert_eq!(body.to_string().len(), 64 * 1024);
    assert_eq!(it.post("/v1/messages", &body).error(413, "body_too_large")["field"], "content");
    // Without an announced length, the body is counted as it comes.
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    let answer = raw(&it, &format!("{head}{}", chunk.repeat(17)));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("body_too_large"), "{answer}");
}

/// Sends text as it is and reads until the server has said what it has to say.
fn raw(it: &Fixture, text: &str) -> String {
    let mut stream = TcpStream::connect(it.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(b"}") {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&answer)),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn paths_and_methods_are_told_apart() {
    let it = ready();
    for path in ["/", "/v1", "/v1/session", "/v1/sessions/s1/qr/x", "/v2/messages", "/v1/messages/"] {
        it.get(path).error(404, "no_such_path");
    }
    for (method, path, allow) in [
        ("PUT", "/v1/messages", "POST"),
        ("DELETE", "/v1/messages/x", "GET"),
        ("PUT", "/v1/sessions/s1", "DELETE"),
        ("POST", "/healthz", "GET"),
    ] {
        let answer = it.call(method, path, &[("X-Api-Key", KEY)], b"");
        answer.error(405, "wrong_method");
        let allowed = answer.header("allow").unwrap_or_default();
        assert!(allowed.contains(allow), "{method} {path}: {allowed:?}");
    }
}

#[test]
fn every_call_needs_a_key_of_ours() {
    let it = ready();
    let bearer = format!("Bearer {KEY}");
    let basic = format!("Basic {KEY}");
    let longer = format!("{KEY}x");
    let calls = [
        vec![],
        vec![("X-Api-Key", "")],
        vec![("X-Api-Key", &KEY[1..])],
        vec![("X-Api-Key", longer.as_str())],
        vec![("Authorization", basic.as_str())],
        vec![("Authorization", "Bearer")],
        vec![("Authorization", "Bearer wrong-key"), ("X-Api-Key", KEY)],
    ];
    for headers in calls {
        let answer = it.get_with("/v1/sessions", &headers);
        answer.error(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{headers:?}");
    }
    for path in ["/v1/sessions/s1", "/v1/sessions/s1/qr", "/v1/messages/x"] {
        it.get_with(path, &[]).error(401, "unauthorized");
    }
    let headers = [("Content-Type", "application/json")];
    it.call("POST", "/v1/messages", &headers, good().to_string().as_bytes()).error(401, "unauthorized");
    assert_eq!(it.get_with("/v1/sessions", &[("Authorization", &bearer)]).status, 200);
    assert_eq!(it.get_with("/v1/sessions", &[("Authorization", &bearer.replace("Bearer", "bearer"))]).status, 200);
}

#[test]
fn every_answer_has_a_request_id() {
    let it = ready();
    let answer = it.get_with("/v1/sessions", &[("X-Api-Key", KEY), ("X-Request-Id", "mine-1")]);
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    let long = "x".repeat(65);
    for id in ["a b", long.as_str(), "a\"b"] {
        let answer = it.get_with("/nowhere", &[("X-Request-Id", id)]);
        let own = answer.header("x-request-id").unwrap();
        assert!(own != id && own.len() == 32, "{own}");
    }
    assert_ne!(it.get("/healthz").header("x-request-id"), it.get("/healthz").header("x-request-id"));
}
