//! The truth keeper with real clients: a clean run is clean, and each defect made on purpose is found.

use std::time::Duration;

use kurir_sim::{DeviceAddress, Effect, Fault, FaultRule, SystemClock};
use serde_json::json;
use whatsapp_rust::Jid;
use whatsapp_rust::send::SendOptions;
use whatsapp_rust::wacore::store::traits::SignalStore as _;
use whatsapp_rust::wacore::types::jid::JidExt as _;
use whatsapp_rust::waproto::whatsapp as wa;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::http::request_text;

fn in_a_minute() -> u64 {
    kurir_sim::Clock::now_millis(&SystemClock) + 60_000
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_run_of_two_accounts_is_clean() {
    let sim = simulator(|_| ()).await;
    let mut clients = Vec::new();
    for number in ["15551230001", "15551230002"] {
        clients.push(TestClient::linked(&sim, number).await);
    }
    let after = sim.journal(0, usize::MAX).last().map_or(0, |entry| entry.seq);
    let mut ids = Vec::new();
    for (client, _) in &mut clients {
        for to in ["15551230008", "15551230009"] {
            let id = client.send(to, "hello").await;
            client.ack_and_receipts(&id).await;
            ids.push(id);
        }
    }
    sim.expect_by(ids.iter().map(|id| (id.clone(), in_a_minute()))).expect("few ids");
    let audit = sim.audit(after);
    assert!(audit.clean && audit.complete, "{audit:?}");
    assert_eq!(audit.arrived.iter().map(|arrival| &arrival.id).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    for (_, device) in &clients {
        let counts = audit.accounts[&device.account];
        assert_eq!((counts.accepted, counts.arrived), (2, 2));
        // The client may log in once more right after it was linked (it handles the 515 beside its reading).
        assert!(counts.logins <= 1, "{counts:?}");
    }
    for (client, _) in clients {
        client.stop().await;
    }
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_under_the_same_id_and_a_lost_message_are_found() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let twice = client.send("15551230002", "hello").await;
    client.ack_and_receipts(&twice).await;
    let options = SendOptions::default().with_message_id(twice.as_str());
    let message = wa::Message { conversation: Some("hello".into()), ..Default::default() };
    client.client.send_message_with_options(Jid::pn("15551230002"), message, options).await.expect("sends");
    sim.wait_until("the second arrival", PATIENCE, |sim| (sim.counters().duplicates == 1).then_some(()))
        .await
        .expect("it arrives again");
    let lose = FaultRule { times: Some(1), ..FaultRule::new(Effect::NoAck { deliver: false }) };
    sim.fault(Fault::Rule(lose)).await.expect("a good fault");
    let lost = client.send("15551230002", "lost").await;
    let after = client.send("15551230002", "after it").await;
    client.ack_and_receipts(&after).await;
    sim.expect_by([(lost.clone(), 1), (twice.clone(), 1), (after, in_a_minute())]).expect("few ids");
    let audit = sim.audit(0);
    assert_eq!((audit.twice_on_wire.len(), &audit.twice_on_wire[0].id), (1, &twice));
    assert_eq!((audit.missing.len(), &audit.missing[0].id, audit.missing[0].overdue), (1, &lost, true));
    assert_eq!((audit.late.len(), &audit.late[0].id), (1, &twice));
    assert_eq!((audit.totals.shown_twice, audit.totals.keys_used_twice, audit.clean), (0, 0, false));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

/// A client that goes on from an old copy of its store uses message keys for the second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_set_back_uses_keys_twice_and_is_found() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let first = client.send("15551230002", "opens the chat").await;
    client.ack_and_receipts(&first).await;
    let store = client.stop().await;
    let address = Jid::lid("100015551230002").to_protocol_address_string();
    let old = store.get_session(&address).await.expect("readable").expect("the session with the phone");
    let mut ids = Vec::new();
    for _ in 0..2 {
        store.put_session(&address, &old).await.expect("writable");
        let mut client = TestClient::start(&sim, store.clone()).await;
        client.connected().await;
        let id = client.send("15551230002", "with the next key").await;
        client.server_ack(&id).await;
        ids.push(id);
        client.stop().await;
    }
    sim.wait_until("the second use", PATIENCE, |sim| (sim.counters().counter_replays == 1).then_some(()))
        .await
        .expect("it is noticed");
    let audit = sim.audit(0);
    assert_eq!((audit.keys_used_twice.len(), &audit.keys_used_twice[0].id), (1, &ids[1]));
    assert!(!audit.clean);
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_of_one_device_overlap_and_are_found() {
    let sim = simulator(|_| ()).await;
    let (first, device) = TestClient::linked(&sim, "15551230001").await;
    let mut second = TestClient::start(&sim, first.store.clone()).await;
    second.connected().await;
    let audit = sim.audit(0);
    let address = DeviceAddress { account: device.account, device: device.device };
    assert_eq!(audit.overlaps.iter().map(|overlap| overlap.device).collect::<Vec<_>>(), [address]);
    assert!(!audit.clean);
    first.stop().await;
    second.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_is_asked_for_over_http_and_admits_what_is_lost() {
    let sim = simulator(|config| config.limits.journal_entries = 3).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let (status, body) = request_text(&sim, "POST", "/deadlines", r#"{"never":1}"#).await;
    assert_eq!((status, body.as_str()), (200, r#"{"registered":1}"#));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = client.send("15551230002", "hello").await;
        client.ack_and_receipts(&id).await;
        ids.push(id);
    }
    let (status, body) = request_text(&sim, "GET", "/audit?after=0&limit=1", "").await;
    let audit: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &audit["complete"], &audit["clean"]), (200, &json!(false), &json!(false)), "{audit}");
    assert_eq!(audit["missing"][0]["id"], json!("never"));
    assert_eq!(audit["arrived"].as_array().map(Vec::len), Some(1));
    let (status, _) = request_text(&sim, "POST", "/deadlines", r#"{"":1}"#).await;
    assert_eq!(status, 400);
    let (status, _) = request_text(&sim, "DELETE", "/deadlines", "").await;
    assert_eq!(status, 204);
    assert!(sim.audit(0).missing.is_empty());
    assert!(sim.wait_for_messages("15551230002", 3, Duration::ZERO).await.is_ok());
    client.stop().await;
    sim.stop(PATIENCE).await;
}
