//! Logins after the first, cuts, what waits in between, logging out, being replaced.

use std::sync::Arc;
use std::time::Duration;

use kurir_sim::{JournalEvent, ReceiptDelays, SimHandle};
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::ReceiptType;

use crate::client::{PATIENCE, TestClient, simulator};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_client_logs_in_with_stored_credentials() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let id = client.send("15551230002", "before").await;
    client.ack_and_receipts(&id).await;
    let store = client.stop().await;
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    let id = client.send("15551230002", "after").await;
    client.ack_and_receipts(&id).await;
    let inbox = sim.wait_for_messages("15551230002", 2, PATIENCE).await.expect("both arrive");
    assert_eq!(inbox[1].text.as_deref(), Some("after"));
    assert_eq!((sim.counters().overlaps, sim.counters().counter_replays), (0, 0));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_simulator_with_another_key_is_met_by_a_fallback() {
    let first = simulator(|_| ()).await;
    let (client, _) = TestClient::linked(&first, "15551230001").await;
    let store = client.stop().await;
    first.stop(PATIENCE).await;
    // It has neither the key nor the account, so the handshake must succeed and the login must fail.
    let second = simulator(|config| config.seed = Some(77)).await;
    let mut client = TestClient::start(&second, store).await;
    client
        .wait("logout", |event| match event {
            Event::LoggedOut(logged_out) => {
                assert!(logged_out.on_connect);
                Some(())
            }
            _ => None,
        })
        .await;
    client.stop().await;
    second.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_and_texts_wait_for_a_device_that_is_away() {
    let sim = simulator(|config| {
        let late = Some(Duration::from_millis(200));
        config.receipts = ReceiptDelays { delivered: late, read: late };
    })
    .await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    let id = client.send("15551230002", "read this later").await;
    client.server_ack(&id).await;
    let store = client.stop().await;
    let waiting = sim.send_text("15551230003", "15551230001", "while you were away").await.expect("the phone writes");
    wait_for_waiting(&sim, device.device, 3).await;

    let mut client = TestClient::start(&sim, store).await;
    let (mut delivered, mut read, mut text, mut announced) = (false, false, false, 0);
    client
        .wait("what waited", |event| {
            match event {
                Event::OfflineSyncPreview(preview) => announced = preview.total,
                Event::Receipt(receipt) if receipt.message_ids.contains(&id) => {
                    assert!(receipt.offline, "it waited");
                    delivered |= receipt.r#type == ReceiptType::Delivered;
                    read |= receipt.r#type == ReceiptType::Read;
                }
                Event::Messages(batch) => {
                    text |= batch.messages.iter().any(|message| message.info.id == waiting);
                }
                _ => {}
            }
            (delivered && read && text).then_some(())
        })
        .await;
    assert_eq!(announced, 3);
    wait_for_waiting(&sim, device.device, 0).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

async fn wait_for_waiting(sim: &SimHandle, device: u16, count: usize) {
    sim.wait_until("the number of waiting stanzas", PATIENCE, |sim| {
        let accounts = sim.accounts();
        let device = accounts.iter().flat_map(|account| &account.devices).find(|known| known.id == device)?;
        (device.waiting == count).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("{error}: {:?}", sim.accounts()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_comes_back_by_itself() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    sim.drop_connection("15551230001", device.device).await.expect("it is connected");
    client.wait("disconnect", |event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    client.connected().await;
    let id = client.send("15551230002", "back again").await;
    client.ack_and_receipts(&id).await;
    assert_eq!(sim.counters().overlaps, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_on_the_phone_ends_the_session_for_good() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    sim.logout("15551230001", device.device).await.expect("it is linked");
    let on_connect = client.wait("logout", logged_out).await;
    assert!(!on_connect);
    assert!(sim.accounts().is_empty());
    let store = client.stop().await;
    let mut again = TestClient::start(&sim, store).await;
    assert!(again.wait("refused login", logged_out).await);
    let refused =
        |entry: &Arc<kurir_sim::JournalEntry>| matches!(entry.event, JournalEvent::LoginRefused { code: 401, .. });
    assert!(sim.journal(0, 1000).iter().any(refused));
    again.stop().await;
    sim.stop(PATIENCE).await;
}

fn logged_out(event: &Event) -> Option<bool> {
    match event {
        Event::LoggedOut(logged_out) => Some(logged_out.on_connect),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_logs_itself_out() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    client.client.logout().await;
    client.wait("logout", logged_out).await;
    assert!(sim.accounts().is_empty());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_of_one_device_replaces_the_first() {
    let sim = simulator(|_| ()).await;
    let (mut first, _) = TestClient::linked(&sim, "15551230001").await;
    let mut second = TestClient::start(&sim, first.store.clone()).await;
    first.wait("replacement", |event| matches!(event, Event::StreamReplaced(_)).then_some(())).await;
    second.connected().await;
    assert_eq!(sim.counters().overlaps, 1);
    assert!(sim.accounts()[0].devices[0].connected);
    second.stop().await;
    first.stop().await;
    sim.stop(PATIENCE).await;
}
