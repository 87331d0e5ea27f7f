//! The OpenAPI document: it is the published one, it holds together, and its examples work.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use whatsapp_rust::pair_code::PairCodeOptions;

use crate::client::{PATIENCE, TestClient, simulator};
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

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| match value.as_str() {
            Some(target) if key == "$ref" => {
                found.insert(target);
            }
            _ => references(value, found),
        }),
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

struct Operation<'a> {
    method: String,
    path: &'a str,
    spec: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    let mut all: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("operations").iter();
            methods.map(move |(method, spec)| Operation { method: method.to_uppercase(), path, spec })
        })
        .collect();
    // What is taken back must be there before; one of a list goes before all of it.
    let rank = |one: &Operation<'_>| (LAST.contains(&one.path), one.method == "DELETE", !one.path.contains('{'));
    all.sort_by_key(rank);
    all
}

#[test]
fn the_document_holds_together() {
    let document = document();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut targets = BTreeSet::new();
    references(&document, &mut targets);
    assert!(targets.len() > 10);
    for target in targets {
        let pointer = target.strip_prefix('#').expect("a place in the document");
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
    let mut ids = BTreeSet::new();
    for Operation { method, path, spec } in operations(&document) {
        let id = spec["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{id} names two operations");
        assert!(spec["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no summary");
        assert!(spec["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{method} {path}");
        for parameter in spec["parameters"].as_array().into_iter().flatten() {
            let described = parameter["in"] == "path" || parameter["description"].is_string();
            assert!(described, "{method} {path}: {parameter}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        jsonschema::validator_for(&whole(schema, &document)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A schema with what it refers to.
fn whole(schema: &Value, document: &Value) -> Value {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    whole
}

fn follow<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(&target[1..]).expect("it refers to something"),
        None => schema,
    }
}

/// The example that the parts of a schema give together.
fn composed(document: &Value, schema: &Value) -> Option<Value> {
    let given = |schema: &Value| schema.get("example").or_else(|| schema["examples"].get(0)).cloned();
    // What stands beside a reference counts more than what it refers to.
    if let Some(example) = given(schema) {
        return Some(example);
    }
    let schema = follow(document, schema);
    if let Some(example) = given(schema) {
        return Some(example);
    }
    let parts = schema["properties"].as_object()?;
    let filled = parts.iter().filter_map(|(name, part)| Some((name.clone(), composed(document, part)?)));
    Some(Value::Object(filled.collect()))
}

/// Every body that the document gives for an operation, with its name.
fn bodies(document: &Value, spec: &Value) -> Vec<(String, Option<Value>)> {
    let content = &spec["requestBody"]["content"]["application/json"];
    if content.is_null() {
        return vec![("no body".into(), None)];
    }
    if let Some(examples) = content["examples"].as_object() {
        return examples.iter().map(|(name, example)| (name.clone(), Some(example["value"].clone()))).collect();
    }
    let example = content.get("example").cloned().or_else(|| composed(document, &content["schema"]));
    vec![("body".into(), Some(example.expect("a body has an example")))]
}

/// The path with its examples, and with and without its query.
fn addresses(document: &Value, path: &str, spec: &Value) -> Vec<String> {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in spec["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a name");
        let example = parameter.get("example").cloned().or_else(|| composed(document, &parameter["schema"]));
        let example = example.map(|example| example.as_str().map_or(example.to_string(), str::to_owned));
        match (parameter["in"].as_str(), example) {
            (Some("path"), Some(example)) => path = path.replace(&format!("{{{name}}}"), &example),
            (Some("path"), None) => panic!("{path}: no example for {name}"),
            (Some("query"), Some(example)) => query.push(format!("{name}={example}")),
            _ => {}
        }
    }
    let plain = path.clone();
    if query.is_empty() { vec![plain] } else { vec![plain, format!("{path}?{}", query.join("&"))] }
}

/// Whether an answer is one that the document describes.
fn described(document: &Value, what: &str, spec: &Value, reply: &Reply) {
    let responses = &spec["responses"];
    let response = responses.get(reply.status.to_string()).or_else(|| {
        assert!(reply.status >= 400, "{what}: {} is not described", reply.status);
        responses.get("default")
    });
    let response = follow(document, response.unwrap_or_else(|| panic!("{what}: {} is not described", reply.status)));
    let Some((kind, content)) = response["content"].as_object().and_then(|content| content.iter().next()) else {
        assert!(reply.body.is_empty(), "{what}: {}", reply.body);
        return;
    };
    assert!(reply.head.contains(&format!("content-type: {kind}")), "{what}: {}", reply.head);
    if kind.ends_with("json") {
        let schema = jsonschema::validator_for(&whole(&content["schema"], document)).expect("a schema");
        let body = reply.json();
        let errors: Vec<_> = schema.iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{what}: {errors:?} in {body}");
    } else if let Some(example) = content["example"].as_str() {
        assert_eq!(reply.body, example, "{what}");
    }
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

/// The same for a code that is typed.
async fn with_a_live_typed_code(sim: &kurir_sim::SimHandle) -> (Value, TestClient) {
    let mut client = TestClient::start(sim, Arc::default()).await;
    client.qr().await;
    let options = PairCodeOptions { phone_number: "15551230001".into(), ..PairCodeOptions::default() };
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
    for Operation { method, path, spec } in operations(&document) {
        if path == STREAM {
            continue;
        }
        for address in addresses(&document, path, spec) {
            for (name, body) in bodies(&document, spec) {
                let what = format!("{method} {address}, {name}");
                if path == TYPED {
                    let reply = ask(&sim, &method, &address, body).await;
                    assert_eq!((reply.status, reply.code().as_str()), (404, "no_pair_code"), "{what}");
                    let (live, waiting) = with_a_live_typed_code(&sim).await;
                    let reply = ask(&sim, &method, &address, Some(live)).await;
                    assert!(reply.status < 300, "{what}: {}", reply.body);
                    described(&document, &what, spec, &reply);
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
                    described(&document, &what, spec, &reply);
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
                    described(&document, &what, spec, &reply);
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
