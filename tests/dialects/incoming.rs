//! Two keys of `multi` with sessions of the same name: what comes in, what is there and what is kept of the keys is apart.

use std::path::Path;

use serde_json::json;

use crate::world::{World, events};

/// Whether a file below a folder has these bytes.
fn is_kept(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_kept(&path, text);
        }
        std::fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_is_told_to_its_session_alone() {
    const PERSON: &str = "6281288880021";
    let world = World::start().await;
    let (ours, theirs) = (world.multi_key("Ours"), world.multi_key("Theirs"));
    let places =
        [(&ours, "sales", "6281100000101"), (&ours, "support", "6281100000102"), (&theirs, "sales", "6281100000103")];
    for (key, name, phone) in places {
        world.link_multi(&world.multi(key), name, phone).await;
        // The text is the number that it was written to.
        let written = world.phones.post(&format!("/phones/{PERSON}/send"), json!({"to": phone, "text": phone})).await;
        assert_eq!(written.0, 200, "{}", written.1);
    }
    for (key, name, phone) in places {
        let native = world.native(key);
        let (_, list) = native.get(&format!("/v1/sessions?name={name}")).await;
        assert_eq!(list["sessions"].as_array().map(Vec::len), Some(1), "a name is one session of a key");
        let id = list["sessions"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/events?follow=false&since=2020-01-01T00:00:00Z&types=message.received&session={id}");
        let came = |_, stream: &serde_json::Value| Some(events(stream)).filter(|events| !events.is_empty());
        let came = native.until("what came in", 60, &path, came).await;
        let texts: Vec<_> = came.iter().map(|event| event["data"]["text"].as_str().unwrap_or_default()).collect();
        assert_eq!(texts, [phone], "{came:?}");
        assert!(came.iter().all(|event| event["session"] == json!(id)));
    }
    // Of all that a key may see, nothing is the other's.
    let all = "/v1/events?follow=false&since=2020-01-01T00:00:00Z&types=message.received";
    let (_, seen) = world.native(&theirs).get(all).await;
    let texts: Vec<_> = events(&seen).into_iter().map(|event| event["data"]["text"].clone()).collect();
    assert_eq!(texts, ["6281100000103"]);

    // A deletion by one key leaves the other's session of the same name alone.
    let deleted =
        ureq::delete(format!("{}/api/sessions/sales", world.address("multi"))).header("X-API-Key", &ours).call();
    assert_eq!(deleted.unwrap().status(), 200);
    let (_, left) = world.multi(&theirs).get("/api/status?sessionId=sales").await;
    assert_eq!(left["connected"], true, "{left}");

    // Keys are shown once and kept as hashes.
    let plain = world.data.path().join("key-in-plain-text");
    std::fs::write(&plain, &ours).unwrap();
    assert!(is_kept(world.data.path(), &ours), "the search finds what is there");
    std::fs::remove_file(&plain).unwrap();
    for key in [&ours, &theirs] {
        assert!(!is_kept(world.data.path(), key), "a key is kept as it is");
    }
    world.stop().await;
}
