//! A phone is lost and comes back with new keys.

use kurir_sim::JournalEvent;
use serde_json::json;

use crate::client::{PATIENCE, TestClient, jid, simulator};
use crate::program::Program;

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_a_reinstalled_phone_arrives_and_what_it_writes_is_read() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    let id = client.send(BEN, "before").await;
    client.receipts(&id, &["", "read"]).await;
    sim.reinstall(BEN).await.expect("a number");
    let of = client.event("identity_changed", |event| event["of"].as_str().map(str::to_owned)).await;
    assert_eq!(of, jid(BEN));
    let id = client.send(BEN, "after").await;
    client.receipts(&id, &["", "read"]).await;
    let inbox = sim.wait_for_messages(BEN, 2, PATIENCE).await.expect("both arrive");
    assert_eq!((inbox[1].id.as_str(), inbox[1].text.as_deref()), (id.as_str(), Some("after")));
    let id = sim.send_text(BEN, ANNA, "my new phone").await.expect("the phone writes");
    let (got, _, text) = client.text().await;
    assert_eq!((got, text.as_str()), (id, "my new phone"));
    assert!(sim.journal(0, 1000).iter().any(|entry| matches!(entry.event, JournalEvent::Reinstalled { .. })));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reinstallation_logs_the_linked_devices_out() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut here, _) = TestClient::linked(&program, &sim, "here", ANNA).await;
    let (away, _) = TestClient::linked(&program, &sim, "away", ANNA).await;
    away.stop().await;
    sim.reinstall(ANNA).await.expect("a number");
    assert!(!here.event("logged_out", |event| event["on_connect"].as_bool()).await);
    let mut away = program.client("away").await;
    assert!(away.event("logged_out", |event| event["on_connect"].as_bool()).await);
    assert!(sim.accounts().is_empty());
    here.stop().await;
    away.stop().await;
    // The number can be linked again, to a phone with other keys.
    let (again, device) = TestClient::linked(&program, &sim, "again", ANNA).await;
    assert_eq!(again.ask("self", json!({})).await.expect("it runs")["jid"], device.jid);
    again.send(BEN, "from the new phone").await;
    sim.wait_for_messages(BEN, 1, PATIENCE).await.expect("it arrives");
    again.stop().await;
    sim.stop(PATIENCE).await;
}
