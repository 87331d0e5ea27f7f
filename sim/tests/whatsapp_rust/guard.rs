//! What the control interface refuses, and in what words.

use serde_json::{Value, json};

use crate::client::{PATIENCE, simulator};
use crate::http::{ask, raw};

#[tokio::test(flavor = "multi_thread")]
async fn other_web_sites_reach_nothing() {
    let sim = simulator(|_| ()).await;
    let own = sim.control_url().trim_start_matches("http://").to_owned();
    let origin = sim.control_url();
    let body = r#"{"to":"15551230001","text":"hello"}"#;
    let line = "POST /phones/15551230002/send";
    let json = ("content-type", "application/json");

    let reply = raw(&sim, "GET /accounts", &[("host", "evil.example")], "").await;
    assert_eq!((reply.status, reply.code().as_str()), (421, "foreign_host"));
    let reply = raw(&sim, line, &[("host", &own), json, ("origin", "http://evil.example")], body).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "foreign_origin"));
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let reply = raw(&sim, line, &[("host", &own), ("content-type", kind)], body).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "not_json"));
    }
    let reply = raw(&sim, line, &[("host", &own)], body).await;
    assert_eq!((reply.status, reply.code().as_str()), (415, "not_json"), "a body without a type");
    let reply = raw(&sim, "GET /events", &[("host", &own), ("sec-fetch-site", "cross-site")], "").await;
    assert_eq!(reply.code(), "foreign_origin");
    assert!(sim.journal(0, 10).is_empty(), "nothing was written");

    let reply = raw(&sim, line, &[("host", &own), json, ("origin", &origin)], body).await;
    assert_eq!(reply.status, 200, "the own page may: {}", reply.body);
    let reply = raw(&sim, "GET /", &[("host", &own)], "").await;
    for header in
        ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff", "x-frame-options: DENY"]
    {
        assert!(reply.head.to_ascii_lowercase().contains(&header.to_ascii_lowercase()), "{header}: {}", reply.head);
    }
    assert!(!reply.head.contains("unsafe-inline"));
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_with_its_code() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let own = sim.control_url().trim_start_matches("http://").to_owned();
    let typed = [("host", own.as_str()), ("content-type", "application/json")];
    let reply = raw(&sim, "POST /scan", &typed, "{").await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "bad_json"));

    let picture = |image: &str| json!({ "image": image, "phone": "15551230001" });
    let known = json!({ "qr": "2@x,AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=,AwM=", "phone": "15551230001" });
    let too_much = json!({ "to": "15551230001", "text": "x".repeat(70_000) });
    let cases: Vec<(&str, &str, Option<Value>, u16, &str)> = vec![
        ("GET", "/nothing", None, 404, "no_such_path"),
        ("DELETE", "/scan", None, 405, "wrong_method"),
        ("GET", "/phones/12/inbox", None, 400, "bad_path"),
        ("GET", "/journal?after=x", None, 400, "bad_query"),
        ("GET", "/journal?untill=1", None, 400, "bad_query"),
        ("GET", "/phones/15551230001/messages?before=1.2", None, 400, "bad_query"),
        ("POST", "/scan", Some(json!({ "qr": 7, "phone": "15551230001" })), 422, "bad_body"),
        ("POST", "/scan", Some(json!({ "qr": "x", "fone": "15551230001" })), 422, "bad_body"),
        ("POST", "/scan", Some(json!({ "phone": "15551230001" })), 422, "bad_body"),
        ("POST", "/scan", Some(json!({ "qr": "x", "waiting": 1, "phone": "15551230001" })), 422, "bad_body"),
        ("POST", "/scan", Some(json!({ "qr": "x", "phone": "15551230001" })), 400, "bad_qr"),
        ("POST", "/scan", Some(json!({ "qr": "x", "phone": "0123" })), 422, "bad_body"),
        ("POST", "/scan", Some(known), 404, "unknown_qr"),
        ("POST", "/scan", Some(json!({ "waiting": 99, "phone": "15551230001" })), 404, "unknown_qr"),
        ("POST", "/scan", Some(picture("%%")), 400, "bad_picture"),
        ("POST", "/waiting", Some(json!({ "image": "aGVsbG8=" })), 400, "bad_picture"),
        ("POST", "/phones/15551230002/send", Some(too_much), 413, "too_large"),
        ("POST", "/phones/15551230002/send", Some(json!({ "to": "15551230000", "text": "x" })), 404, "not_on_whatsapp"),
        ("PUT", "/phones/15551230000", Some(json!({})), 404, "not_on_whatsapp"),
        ("POST", "/accounts/15551230001/devices/1/logout", None, 404, "no_such_device"),
        ("POST", "/faults", Some(json!({ "kind": "ack_error", "code": 7 })), 400, "bad_fault"),
        ("POST", "/faults", Some(json!({ "kind": "rain" })), 422, "bad_body"),
        ("DELETE", "/faults/7", None, 404, "no_such_fault"),
    ];
    for (method, path, body, status, code) in cases {
        let reply = ask(&sim, method, path, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{method} {path}: {}", reply.body);
    }
    sim.stop(PATIENCE).await;
}
