//! `kurir sessions`: whatever the API can do with a session, by the tools.

use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

/// A session as the gateway tells it.
async fn get(it: &World, session: &str) -> Value {
    it.run(&["sessions", "get", session, "--output", "json"]).await.good().json()
}

/// Waits until it is so.
async fn until(it: &World, session: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let started = tokio::time::Instant::now();
    loop {
        let told = get(it, session).await;
        if holds(&told) {
            return told;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: {told}");
    }
}

#[tokio::test]
async fn a_session_does_what_it_is_told() {
    let it = World::start(&[]).await;
    it.linked("s1").await;
    let order =
        async |line: &[&str]| it.run(&[&["sessions"], line, &["--output", "json"]].concat()).await.good().json();
    let before = get(&it, "s1").await;
    assert_eq!(order(&["stop", "s1"]).await["status"], "STOPPED");
    // Its connection is gone once nothing can be asked of it.
    let started = tokio::time::Instant::now();
    while it.run(&["sessions", "typing", "s1", "6281277770001"]).await.status != Some(3) {
        assert!(started.elapsed() < PATIENCE, "it does not stop");
    }
    assert_eq!(order(&["start", "s1"]).await["wanted"], "running");
    let newer = |than: &Value| {
        let than = than["epoch"].as_u64();
        move |told: &Value| told["state"] == "connected" && told["epoch"].as_u64() > than
    };
    let before = until(&it, "s1", "connected again", newer(&before)).await;
    assert_eq!(order(&["restart", "s1"]).await["wanted"], "running");
    let after = until(&it, "s1", "another connection", newer(&before)).await;
    assert_eq!(after["number"], before["number"], "a restart keeps the credentials");
    let worker = after["worker"].as_str().unwrap();
    order(&["move", "s1", worker]).await;
    order(&["move", "s1", "--anywhere"]).await;

    // The state is that of the store; the connection itself may be a moment behind it.
    let typing = loop {
        let said = it.run(&["sessions", "typing", "s1", "6281277770001", "recording"]).await;
        if said.status == Some(0) {
            break said.out;
        }
        assert!(started.elapsed() < PATIENCE, "{said:?}");
    };
    assert_eq!(typing, "done\n");
    order(&["read", "s1", "+62 812-7777-0001", "3EB0C767D26A1F4B8A"]).await;

    assert_eq!(order(&["logout", "s1"]).await["wanted"], "logged_out");
    until(&it, "s1", "logged out", |told| told["state"] == "logged_out" && told["number"].is_null()).await;
    it.run(&["sessions", "typing", "s1", "6281277770001"]).await.bad(3, "session_not_connected");
    assert_eq!(order(&["delete", "s1"]).await["wanted"], "deleted");
    let started = tokio::time::Instant::now();
    while it.run(&["sessions", "get", "s1"]).await.status == Some(0) {
        assert!(started.elapsed() < PATIENCE, "s1 is not removed");
    }
    it.run(&["sessions", "restart", "s1"]).await.bad(3, "not_found");
}

#[tokio::test]
async fn a_session_is_linked_by_a_code_that_is_typed_on_the_phone() {
    let it = World::start(&[]).await;
    it.run(&["sessions", "create", "s1"]).await.good();
    // There is somebody to ask as soon as it shows a code.
    until(&it, "s1", "a code to scan", |told| told["qr"] == true).await;
    let started = tokio::time::Instant::now();
    let pairing = loop {
        // A debug build may take longer for the first one than the gateway waits for it.
        let said = it.run(&["sessions", "pair", "s1", "+62 819-0000-0001", "--output", "json"]).await;
        if said.status == Some(0) {
            break said.json();
        }
        assert!(started.elapsed() < PATIENCE && said.status == Some(4), "{said:?}");
    };
    assert_eq!(pairing["code"].as_str().unwrap().len(), 8, "{pairing}");
    it.types(pairing["code"].as_str().unwrap()).await;
    let linked = until(&it, "s1", "linked", |told| told["state"] == "connected").await;
    assert!(linked["number"].as_str().unwrap().starts_with("6281"), "{linked}");
    it.run(&["sessions", "pair", "s1", "6281900000001"]).await.bad(3, "session_linked");
}

#[tokio::test]
async fn sessions_are_described_found_pooled_and_one_is_the_default() {
    let it = World::start(&[]).await;
    let line = ["sessions", "create", "toko-1", "--name", "Toko Sari", "--label", "team=jakarta", "--label", "tier=1"];
    let made = it.run(&[&line[..], &["--default", "--stopped", "--output", "json"]].concat()).await.good().json();
    let named = |told: &Value| (told["name"].clone(), told["labels"].clone());
    assert_eq!(named(&made), (json!("Toko Sari"), json!({"team": "jakarta", "tier": "1"})));
    assert_eq!(made["wanted"], "stopped");
    it.run(&["sessions", "create", "toko-2", "--stopped", "--pool", "senders"]).await.good();

    let rename = async |more: &[&str]| {
        it.run(&[&["sessions", "rename", "toko-1"], more, &["--output", "json"]].concat()).await.good().json()
    };
    let told = rename(&["Toko Sari, Bandung", "--label", "team=bandung", "--no-label", "tier"]).await;
    assert_eq!(named(&told), (json!("Toko Sari, Bandung"), json!({"team": "bandung"})));
    assert_eq!(named(&rename(&["--label", "tier=2"]).await).0, "Toko Sari, Bandung", "what is not named stays");
    assert_eq!(named(&rename(&["--no-name"]).await).0, Value::Null);
    it.run(&["sessions", "rename", "toko-1"]).await.bad(2, "NAME");

    let listed = async |more: &[&str]| -> Vec<Value> {
        let told = it.run(&[&["sessions", "list", "--output", "json"], more].concat()).await.good().lines();
        told.into_iter().map(|session| session["id"].clone()).collect()
    };
    assert_eq!(listed(&["--label", "team=bandung", "--label", "tier=2"]).await, ["toko-1"]);
    assert_eq!(listed(&["--pool", "senders"]).await, ["toko-2"]);
    assert_eq!(listed(&["--state", "created"]).await.len(), 2);
    assert_eq!(listed(&["--name", "nobody"]).await.len(), 0);
    it.run(&["sessions", "list", "--state", "asleep"]).await.bad(3, "state");

    let json = async |line: &[&str]| it.run(&[line, &["--output", "json"]].concat()).await.good().json();
    assert_eq!(json(&["sessions", "pool", "toko-2", "--none"]).await["pool"], Value::Null);
    assert_eq!(json(&["sessions", "pool", "toko-1", "senders"]).await["pool"], "senders");
    it.run(&["sessions", "pool", "toko-1"]).await.bad(2, "POOL");

    assert_eq!(json(&["sessions", "default"]).await["id"], "toko-1");
    assert_eq!(json(&["sessions", "default", "toko-2"]).await["id"], "toko-2");
    it.run(&["sessions", "default", "--none"]).await.good();
    it.run(&["sessions", "default"]).await.bad(3, "not_found");
    it.run(&["sessions", "delete", "default"]).await.bad(2, "kurir sessions default");

    let limits = async |more: &[&str]| json(&[&["sessions", "limits", "toko-1"], more].concat()).await;
    let before = limits(&[]).await;
    let (own, pace) = (&before["own"], &before["every_ms"]);
    let after = limits(&["--per-day", "300", "--every", "6s"]).await;
    assert_eq!((&after["own"]["per_day"], &after["every_ms"]), (&json!(300), &json!(6000)));
    let more = limits(&["--burst", "2", "--warmed-up", "true"]).await;
    assert_eq!((&more["own"]["per_day"], &more["burst"]), (&json!(300), &json!(2)), "what is not named stays");
    let less = limits(&["--as-all", "--new-per-day", "7"]).await;
    assert_eq!(
        (&less["own"]["cold_per_day"], &less["own"]["per_day"], &less["every_ms"]),
        (&json!(7), &json!(null), pace)
    );
    assert_eq!(&limits(&["--as-all"]).await["own"], own);
    it.run(&["sessions", "limits", "toko-1", "--every", "2h"]).await.bad(3, "every_ms");
    it.run(&["sessions", "limits", "toko-1", "--burst", "0"]).await.bad(2, "burst");
}
