//! The OpenAPI document: it is the published one, it holds together, and its examples work.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use whatsapp_rust::pair_code::PairCodeOptions;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::document::{Answered, Operation, addresses, bodies, described, holds_together, operations};
use crate::http::{Reply, ask, parse};

/// Operations whose answer does not end, or that end what the others need: they are run last.
const LAST: [&str; 1] = ["/accounts/{number}/devices/{device}/logout"];
/// Takes a code that a client shows to be typed.
const TYPED: &str = "/phones/{number}/pair-code";
/// Answered by a stream; `events.rs` reads it.
const STREAM: &str = "/events";

fn document() -> Value {
    parse(&kurir_sim::openapi_document())
}

/// With `KURIR_BLESS=1` in the environment the published document is written instead.
#[test]
fn the_published_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/simulator-openapi.json");
    let made = kurir_sim::openapi_document() + "\n";
    if std::env::var_os("KURIR_BLESS").is_some() {
        fs::write(&path, made).expect("writes");
        return;
    }
    let stored = fs::read_to_string(&path).expect("docs/simulator-openapi.json is there");
    assert!(
        stored == made,
        "docs/simulator-openapi.json differs from the routes. If the interface is meant to change, run the test with \
         KURIR_BLESS=1 and commit."
    );
}

#[test]
fn the_document_holds_together() {
    holds_together(&document());
}

fn answered(reply: &Reply) -> Answered<'_> {
    let kind = reply.head.lines().find_map(|line| line.strip_prefix("content-type: "));
    Answered { status: reply.status, kind, body: reply.body.as_bytes() }
}

/// A code can't be in a document: it is good once, for the client that shows it. So a code of the
/// document is run as it is, which must be the described refusal, and with a live one in its place.
async fn with_a_live_code(sim: &kurir_sim::SimHandle, body: &Value) -> (Value, TestClient) {
    let mut client = TestClient::start(sim, Arc::default()).await;
    let qr = client.qr().await;
    let mut body = body.clone();
    if body.get("waiting").is_some() {
        let seen = ask(sim, "POST", "/waiting", Some(json!({ "qr": qr }))).await;
        body["waiting"] = seen.json()["id"].clone();
    } else {
        body["qr"] = Value::from(qr);
    }
    (body, client)
}

/// The same for a code that is typed on the phone in `address`.
async fn with_a_live_typed_code(sim: &kurir_sim::SimHandle, address: &str) -> (Value, TestClient) {
    let phone_number = address.split('/').nth(2).expect("the phone's number").to_owned();
    let mut client = TestClient::start(sim, Arc::default()).await;
    client.qr().await;
    let options = PairCodeOptions { phone_number, ..PairCodeOptions::default() };
    let code = client.client.pair_with_code(options).await.expect("a code");
    (json!({ "code": code }), client)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_document_works() {
    let document = document();
    let sim = simulator(|_| ()).await;
    // What the examples speak of: a linked device that has written to the phone next to it, and a group.
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let id = client.send("15551230002", "hello").await;
    client.ack_and_receipts(&id).await;
    let members = ["15551230002", "15551230003"];
    sim.create_group("15551230001", "friends", &members, kurir_sim::Addressing::Lid).expect("a good name");
    let mut ran = 0;
    for Operation { method, path, spec } in operations(&document, &LAST) {
        if path == STREAM {
            continue;
        }
        for address in addresses(&document, path, spec) {
            for (name, body) in bodies(&document, spec) {
                let what = format!("{method} {address}, {name}");
                if path == TYPED {
                    let reply = ask(&sim, &method, &address, body).await;
                    assert_eq!((reply.status, reply.code().as_str()), (404, "no_pair_code"), "{what}");
                    let (live, waiting) = with_a_live_typed_code(&sim, &address).await;
                    let reply = ask(&sim, &method, &address, Some(live)).await;
                    assert!(reply.status < 300, "{what}: {}", reply.body);
                    described(&document, &what, spec, &answered(&reply));
                    waiting.stop().await;
                    ran += 1;
                    continue;
                }
                let codes = path == "/scan" || (path == "/waiting" && method == "POST");
                if let (true, Some(body)) = (codes, &body) {
                    let reply = ask(&sim, &method, &address, Some(body.clone())).await;
                    assert_eq!((reply.status, reply.code().as_str()), (404, "unknown_qr"), "{what}");
                    let (live, waiting) = with_a_live_code(&sim, body).await;
                    let reply = ask(&sim, &method, &address, Some(live)).await;
                    assert!(reply.status < 300, "{what}: {}", reply.body);
                    described(&document, &what, spec, &answered(&reply));
                    waiting.stop().await;
                } else {
                    // A device that an example cut off is connected again before the next one.
                    let connected = |sim: &kurir_sim::SimHandle| {
                        let accounts = sim.accounts();
                        let own = accounts.iter().find(|account| account.number.to_string() == "15551230001");
                        own.is_some_and(|own| own.devices[0].connected).then_some(())
                    };
                    sim.wait_until("the device's return", PATIENCE, connected).await.expect("it comes back");
                    let reply = ask(&sim, &method, &address, body).await;
                    assert!(reply.status < 300, "{what}: {} {}", reply.status, reply.body);
                    described(&document, &what, spec, &answered(&reply));
                }
                ran += 1;
            }
        }
    }
    assert!(ran > 25, "only {ran} examples");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served() {
    let sim = simulator(|_| ()).await;
    let reply = ask(&sim, "GET", "/openapi.json", None).await;
    assert_eq!(reply.json(), document());
    sim.stop(PATIENCE).await;
}
