//! Cuts, what waits in between, logging out, being replaced.

use kurir_sim::JournalEvent;
use serde_json::json;

use crate::client::{Baileys, PATIENCE, device, simulator};

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_replaced_and_what_waited_is_delivered() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, linked)) = Baileys::linked(&sim, "15551230001").await else { return };
    sim.drop_connection("15551230001", linked.device).await.expect("it is connected");
    assert!(client.closed(428).await, "a cut is no reason to stay away");
    client.opened(2).await;
    let id = client.send("15551230002", "back again").await;
    client.status(&id, "READ").await;

    // This time it stays away for a while.
    client.ask("stayAway", json!({})).await.expect("done");
    sim.drop_connection("15551230001", linked.device).await.expect("it is connected");
    client.event("closed", |event| event["code"] == 428 && event["again"] == false).await;
    device(&sim, &linked, |device| !device.connected).await;
    for text in ["first", "second", "third"] {
        sim.send_text("15551230003", "15551230001", text).await.expect("the phone writes");
    }
    device(&sim, &linked, |device| device.waiting == 3).await;
    client.ask("connect", json!({})).await.expect("done");
    for text in ["first", "second", "third"] {
        client.text(text).await;
    }
    device(&sim, &linked, |device| device.waiting == 0).await;
    assert_eq!(client.seen("message").iter().filter(|message| message["mine"] == false).count(), 3);
    assert_eq!(sim.counters().overlaps, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_on_the_phone_ends_the_session_for_good() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, linked)) = Baileys::linked(&sim, "15551230001").await else { return };
    sim.logout("15551230001", linked.device).await.expect("it is linked");
    assert!(!client.closed(401).await);
    assert!(sim.accounts().is_empty());
    let login = client.stop().await;
    let Some(mut again) = Baileys::start(&sim, login).await else { return };
    assert!(!again.closed(401).await);
    let refused = |entry: &kurir_sim::JournalEntry| matches!(entry.event, JournalEvent::LoginRefused { code: 401, .. });
    assert!(sim.journal(0, 1000).iter().any(|entry| refused(entry)));
    again.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_logs_itself_out() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    client.ask("logOut", json!({})).await.expect("done");
    client.closed(401).await;
    sim.wait_until("the end of the account's device", PATIENCE, |sim| sim.accounts().is_empty().then_some(()))
        .await
        .expect("it is logged out");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_of_one_device_replaces_the_first() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, linked)) = Baileys::linked(&sim, "15551230001").await else { return };
    // The driver makes a second socket beside the first one.
    client.ask("connect", json!({})).await.expect("done");
    assert!(!client.closed(440).await, "who was replaced must not come back");
    client.opened(2).await;
    assert_eq!(sim.counters().overlaps, 1);
    device(&sim, &linked, |device| device.connected).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}
