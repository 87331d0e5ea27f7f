//! The OpenAPI document: it is the published one, it holds together, and its examples work.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kurir_core::domain::{QrCode, Secret, SessionState};
use kurir_core::port::Clock as _;
use serde_json::{Value, json};

use crate::document::{Answered, Operation, addresses, bodies, described, holds_together, kind_of_body, operations};
use crate::fixture::{Answer, Fixture, KEY, written};

/// What the examples speak of.
const SESSION: &str = "toko-1";
const API_KEY: &str = "5f0c2a91d3e84b76";
const FILE: &str = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c";
const BATCH: &str = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0fba7c";
const VERIFICATION: &str = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c";
const PREFIX: &str = "5d41402abc4b2a76b9719d911017c592";
pub const WEBHOOK: &str = "b21f7c09e4d35a68";
pub const DELIVERY: &str = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c";
const TEMPLATE: &str = "pesanan_dikirim";
const NUMBER: &str = "6281234567890";
const MESSAGE: &str = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";

pub fn document() -> Value {
    serde_json::from_str(&kurir::gateway::openapi_document()).expect("JSON")
}

/// With `KURIR_BLESS=1` in the environment the published document is written instead.
#[test]
fn the_published_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let made = kurir::gateway::openapi_document() + "\n";
    if std::env::var_os("KURIR_BLESS").is_some() {
        fs::write(&path, made).expect("writes");
        return;
    }
    let stored = fs::read_to_string(&path).expect("docs/openapi.json is there");
    assert!(
        stored == made,
        "docs/openapi.json differs from the routes. If the interface is meant to change, run the test with KURIR_BLESS=1 \
         and commit."
    );
    let it = Fixture::new();
    let served = it.get_with("/openapi.json", &[]);
    assert_eq!((served.status, served.json()), (200, document()));
}

#[test]
fn the_document_holds_together() {
    holds_together(&document());
}

/// A gateway with the session and the message of the examples.
pub fn with_what_examples_speak_of(path: &str) -> Fixture {
    let it = Fixture::new();
    if path != "/v1/sessions" {
        it.create(SESSION);
        let text = Secret::new("2@code,of,a,test".to_owned());
        let qr = QrCode { text, expires_at: it.clock.now().plus(Duration::from_secs(20)) };
        it.put(SESSION, SessionState::AwaitingScan, Some(qr));
        it.own(SESSION, crate::calls::willing);
        let default = it.post("/v1/sessions", &json!({"id": "toko-2", "default": true}));
        assert_eq!(default.status, 201);
    }
    it.enter_file(FILE);
    if path.starts_with("/v1/pools/") {
        assert_eq!(it.post("/v1/sessions", &json!({"id": "toko-3", "pool": "senders"})).status, 201);
        let out = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
        assert_eq!(it.call("PUT", "/v1/sessions/toko-3/pool", &out, b"{\"pool\":null}").status, 200);
    }
    if path == "/v1/messages" || path.starts_with("/v1/messages/{id}") {
        let message =
            json!({"id": MESSAGE, "session": SESSION, "to": "6281234567890", "content": {"type": "text", "text": "x"}});
        assert_eq!(it.post("/v1/messages", &message).status, 202);
    }
    if path.starts_with("/v1/templates/") {
        let texts = json!({"id": "Halo {nama}, pesanan {nomor} sudah dikirim.", "en": "Hello {nama}, order {nomor} is on its way."});
        let template = json!({"name": TEMPLATE, "default_locale": "id", "texts": texts});
        assert_eq!(it.post("/v1/templates", &template).status, 201);
    }
    if path.starts_with("/v1/suppressions/") {
        assert_eq!(it.post("/v1/suppressions", &json!({"numbers": [NUMBER]})).status, 200);
    }
    it
}

/// Ids of keys, verifications and webhooks are made by the gateway, so none can stand in the document.
pub fn with_a_real_id(it: &Fixture, address: &str) -> String {
    if address.contains(WEBHOOK) {
        return with_a_real_webhook(it, address);
    }
    if address.contains(API_KEY) {
        let made = it.post("/v1/keys", &json!({"scopes": ["read"]})).json();
        return address.replace(API_KEY, made["id"].as_str().unwrap());
    }
    if address.starts_with("/v1/verifications/") {
        let made = it.post("/v1/verifications", &json!({"to": "6281234567890", "session": SESSION}));
        assert_eq!(made.status, 201, "{}", made.text());
        let prefixes = it.get("/v1/verifications/prefixes").json();
        let prefix = prefixes["prefixes"][0]["id"].as_str().unwrap();
        return address.replace(VERIFICATION, made.json()["id"].as_str().unwrap()).replace(PREFIX, prefix);
    }
    address.to_owned()
}

/// So are those of batches.
pub fn with_a_real_batch(it: &Fixture, address: &str) -> String {
    if !address.contains(BATCH) {
        return address.to_owned();
    }
    let content = json!({"type": "text", "text": "x"});
    let batch = json!({"session": SESSION, "content": content, "messages": [{"to": "6281234567890"}]});
    let made = it.post("/v1/messages/batch", &batch).json();
    address.replace(BATCH, made["id"].as_str().unwrap())
}

/// The same of webhooks and deliveries.
pub fn with_a_real_webhook(it: &Fixture, address: &str) -> String {
    let made = it.post("/v1/webhooks", &json!({"url": "https://example.com/kurir"}));
    let webhook = made.json()["id"].as_str().unwrap().to_owned();
    let delivery = it.post(&format!("/v1/webhooks/{webhook}/test"), &Value::Null).json();
    address.replace(WEBHOOK, &webhook).replace(DELIVERY, delivery["id"].as_str().unwrap())
}

/// Streams end when they have told what there is, or nobody could read all of one.
fn ended(address: &str) -> String {
    match address {
        "/v1/events" => "/v1/events?follow=false".to_owned(),
        other => other.to_owned(),
    }
}

fn answered(answer: &Answer) -> Answered<'_> {
    Answered { status: answer.status, kind: answer.header("content-type"), body: &answer.bytes }
}

#[test]
fn every_example_of_the_document_works() {
    let document = document();
    let mut ran = 0;
    for Operation { method, path, spec } in operations(&document, &[]) {
        for address in addresses(&document, path, spec) {
            for (name, body) in bodies(&document, spec) {
                let it = with_what_examples_speak_of(path);
                let address = ended(&with_a_real_batch(&it, &with_a_real_id(&it, &address)));
                let what = format!("{method} {address}, {name}");
                let mut headers = vec![("X-Api-Key", KEY)];
                let body = body.as_ref().map(written).unwrap_or_default();
                if let Some(kind) = kind_of_body(spec).filter(|_| !body.is_empty()) {
                    headers.push(("Content-Type", kind));
                }
                let answer = it.call(&method, &address, &headers, body.as_bytes());
                assert!(answer.status < 300, "{what}: {} {}", answer.status, answer.text());
                described(&document, &what, spec, &answered(&answer));
                ran += 1;
            }
        }
    }
    assert!(ran > 12, "only {ran} examples");
}

/// Without a key, with a key of nobody, and for what there is not: problems, each of them described.
#[test]
fn what_goes_wrong_is_described_too() {
    let (document, it) = (document(), Fixture::new());
    for Operation { method, path, spec } in operations(&document, &[]) {
        let address = ended(&addresses(&document, path, spec).remove(0));
        for key in [None, Some("nobodys"), Some(KEY)] {
            let headers: Vec<_> = key.map(|key| ("X-Api-Key", key)).into_iter().collect();
            let what = format!("{method} {address} with {key:?}");
            let answer = it.call(&method, &address, &headers, b"");
            described(&document, &what, spec, &answered(&answer));
            assert!(answer.status < 500, "{what}: {}", answer.text());
            let open = spec["security"].as_array().is_some_and(|ways| ways.contains(&json!({})));
            assert_eq!(answer.status == 401, !open && key != Some(KEY), "{what}: {}", answer.text());
        }
    }
}

/// The page is served whole, and lets no foreign script in.
#[test]
fn the_page_for_people_is_served() {
    let it = Fixture::new();
    for (path, kind) in [("/docs", "text/html"), ("/docs/docs.css", "text/css"), ("/docs/docs.js", "text/javascript")] {
        let answer = it.get_with(path, &[]);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{path}");
        assert!(answer.header("content-security-policy").unwrap().contains("script-src 'self'"), "{path}");
    }
}
