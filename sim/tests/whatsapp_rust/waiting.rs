//! Linking a client that was picked from the waiting ones, and reading its code from a picture.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::client::{PATIENCE, TestClient, simulator};
use crate::http::ask;
use crate::picture::picture;

async fn waiting(sim: &kurir_sim::SimHandle) -> Value {
    ask(sim, "GET", "/waiting", None).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_client_can_be_picked_once_its_code_was_seen() {
    let sim = simulator(|_| ()).await;
    assert_eq!(waiting(&sim).await, json!([]));
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let qr = client.qr().await;
    let shown = waiting(&sim).await;
    let id = shown[0]["id"].clone();
    assert_eq!((shown[0]["seen"].clone(), shown[0]["codes_left"].clone()), (json!(false), json!(6)));
    assert!(shown[0]["code_expires_in_ms"].as_u64().is_some_and(|left| left > 0 && left <= 60_000));

    let pick = json!({ "waiting": id, "phone": "15551230001" });
    let reply = ask(&sim, "POST", "/scan", Some(pick.clone())).await;
    assert_eq!((reply.status, reply.code().as_str()), (409, "qr_not_seen"));
    let other = format!("2@{}", &qr[3..]);
    assert_eq!(ask(&sim, "POST", "/waiting", Some(json!({ "qr": other }))).await.code(), "unknown_qr");

    let reply = ask(&sim, "POST", "/waiting", Some(json!({ "image": picture(&qr) }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!((&reply.json()["id"], &reply.json()["seen"]), (&id, &json!(true)));
    let reply = ask(&sim, "POST", "/scan", Some(pick.clone())).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    client.connected().await;
    assert_eq!(waiting(&sim).await, json!([]));
    assert_eq!(ask(&sim, "POST", "/scan", Some(pick)).await.code(), "unknown_qr");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_code_links_its_client() {
    let sim = simulator(|_| ()).await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let scan = json!({ "image": picture(&client.qr().await), "phone": "15551230001" });
    let reply = ask(&sim, "POST", "/scan", Some(scan)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    client.connected().await;

    let third = TestClient::start(&sim, Arc::default()).await;
    sim.wait_until("a waiting client", PATIENCE, |sim| (sim.waiting().len() == 1).then_some(())).await.expect("waits");
    third.stop().await;
    let gone = sim.wait_until("its end", PATIENCE, |sim| sim.waiting().is_empty().then_some(()));
    gone.await.expect("a client that left does not wait");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_phones_and_their_messages_are_read_in_parts() {
    let sim = simulator(|_| ()).await;
    for number in 1..=5 {
        let from = format!("1555123000{number}");
        for text in ["one", "two", "three"] {
            sim.send_text(&from, "15551239999", text).await.expect("writes");
        }
    }
    let list = async |query: &str| ask(&sim, "GET", &format!("/phones?{query}"), None).await.json();
    let all = list("order=number&limit=4").await;
    assert_eq!(all["total"], 6);
    assert_eq!(all["phones"][0]["number"], "15551230001");
    assert_eq!(list("order=number&offset=4").await["phones"][1]["number"], "15551239999");
    assert_eq!(list("search=%2B1%20555%20123-0003").await["phones"][0]["last_text"], "three");
    assert_eq!(list("search=77").await, json!({ "phones": [], "total": 0 }));
    assert_eq!(list("").await["total"], 6);

    let (mut texts, mut before) = (Vec::new(), String::new());
    loop {
        let part = ask(&sim, "GET", &format!("/phones/15551239999/messages?limit=4{before}"), None).await.json();
        let page = part["entries"].as_array().expect("entries");
        assert!(page.iter().all(|entry| entry["direction"] == "received"));
        texts.splice(0..0, page.iter().map(|entry| format!("{}{}", entry["from"], entry["text"])));
        match part["before"].as_str() {
            Some(place) => before = format!("&before={place}"),
            None => break,
        }
        // What arrives meanwhile does not move the place.
        sim.send_text("15551230007", "15551239999", "later").await.expect("writes");
    }
    assert_eq!(texts.len(), 15);
    assert_eq!((&*texts[0], &*texts[14]), (r#""15551230001""one""#, r#""15551230005""three""#));
    sim.stop(PATIENCE).await;
}
