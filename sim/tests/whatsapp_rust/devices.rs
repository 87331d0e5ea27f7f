//! Lists of devices that change, and phones that come back with new keys.

use kurir_sim::{JournalEvent, SimHandle};
use whatsapp_rust::types::events::Event;

use crate::client::{PATIENCE, TestClient, simulator};

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

/// Sends texts until one of them reaches the other device, which says which.
async fn until_reached(sender: &TestClient, other: &mut TestClient) -> usize {
    let mut ids = Vec::new();
    let wait = async {
        loop {
            ids.push(sender.send(BEN, &format!("text {}", ids.len())).await);
            let got = tokio::time::timeout(std::time::Duration::from_millis(500), other.text()).await;
            if let Ok((id, _, _)) = got {
                return ids.iter().position(|known| *known == id).expect("one of those");
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("one of them arrives")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_told_of_a_new_device_and_of_its_end() {
    let sim = simulator(|_| ()).await;
    let (mut anna, _) = TestClient::linked(&sim, ANNA).await;
    let id = anna.send(BEN, "hello").await;
    anna.ack_and_receipts(&id).await;
    let (mut ben, device) = TestClient::linked(&sim, BEN).await;
    let updated = |event: &Event| match event {
        Event::DeviceListUpdate(update) if update.user.user == BEN => Some(update.devices.len()),
        _ => None,
    };
    assert_eq!(anna.wait("news of the new device", updated).await, 1);
    let id = anna.send(BEN, "to both").await;
    assert_eq!(ben.text().await.0, id);
    sim.logout(BEN, device.device).await.expect("it is linked");
    assert_eq!(anna.wait("news of its end", updated).await, 1);
    let id = anna.send(BEN, "to the phone").await;
    assert_eq!(anna.server_ack(&id).await.error, None);
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_with_an_old_list_notices_it_by_the_answer() {
    let sim = simulator(|_| ()).await;
    let (mut anna, _) = TestClient::linked(&sim, ANNA).await;
    let id = anna.send(BEN, "hello").await;
    anna.ack_and_receipts(&id).await;
    // Anna is away when Ben links a device, and she is not told of it later either.
    let store = anna.stop().await;
    let (mut ben, _) = TestClient::linked(&sim, BEN).await;
    sim.forget_waiting(ANNA, 1).expect("it is linked");
    let mut anna = TestClient::start(&sim, store).await;
    anna.connected().await;
    until_reached(&anna, &mut ben).await;
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_a_reinstalled_phone_arrives_and_what_it_writes_is_read() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    let id = client.send(BEN, "before").await;
    client.ack_and_receipts(&id).await;
    sim.reinstall(BEN).await.expect("a number");
    client
        .wait("news of the identity", |event| match event {
            Event::IdentityChange(change) => {
                assert_eq!((change.user.user.as_str(), change.implicit), (BEN, false));
                Some(())
            }
            _ => None,
        })
        .await;
    let id = client.send(BEN, "after").await;
    client.ack_and_receipts(&id).await;
    let inbox = sim.wait_for_messages(BEN, 2, PATIENCE).await.expect("both arrive");
    assert_eq!((inbox[1].id.as_str(), inbox[1].text.as_deref()), (id.as_str(), Some("after")));
    let id = sim.send_text(BEN, ANNA, "my new phone").await.expect("the phone writes");
    assert_eq!(client.text().await.0, id);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_was_not_told_of_the_new_identity_is_asked_to_send_again() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    let id = client.send(BEN, "before").await;
    client.ack_and_receipts(&id).await;
    // The phone's answer makes the session one that both sides have.
    sim.send_text(BEN, ANNA, "I heard you").await.expect("the phone writes");
    client.text().await;
    let store = client.stop().await;
    sim.reinstall(BEN).await.expect("a number");
    sim.forget_waiting(ANNA, 1).expect("it is linked");
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    let id = client.send(BEN, "after").await;
    client.ack_and_receipts(&id).await;
    let inbox = sim.wait_for_messages(BEN, 2, PATIENCE).await.expect("both arrive");
    assert_eq!((inbox[1].id.as_str(), inbox[1].text.as_deref()), (id.as_str(), Some("after")));
    assert!(inbox[1].arrivals > 1 && sim.counters().unreadable > 0, "it came unreadable at first");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reinstallation_logs_the_linked_devices_out() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    sim.reinstall(ANNA).await.expect("a number");
    client.wait("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    client.stop().await;
    let (mut again, _) = TestClient::linked(&sim, ANNA).await;
    let id = again.send(BEN, "from the new phone").await;
    again.ack_and_receipts(&id).await;
    again.stop().await;
    sim.stop(PATIENCE).await;
}

fn keys_left(sim: &SimHandle) -> Option<usize> {
    Some(sim.accounts().iter().find(|account| account.number.to_string() == ANNA)?.devices.first()?.one_time_keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_told_of_few_keys_uploads_more() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, ANNA).await;
    sim.wait_until("the first upload", PATIENCE, |sim| (keys_left(sim)? == 30).then_some(())).await.expect("uploads");
    // It must have read the answer to that, or it takes the one upload for the other.
    let id = client.send(BEN, "hello").await;
    client.ack_and_receipts(&id).await;
    sim.drain_keys(ANNA, device.device, 8).expect("it is linked");
    sim.wait_until("another upload", PATIENCE, |sim| (keys_left(sim)? > 8).then_some(())).await.expect("uploads");
    let low = |event: &JournalEvent| matches!(event, JournalEvent::KeysLow { left: 8, .. });
    assert!(sim.journal(0, 1000).iter().any(|entry| low(&entry.event)));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_opened_without_a_one_time_key() {
    let sim = simulator(|_| ()).await;
    let (anna, device) = TestClient::linked(&sim, ANNA).await;
    let (mut ben, _) = TestClient::linked(&sim, BEN).await;
    let store = anna.stop().await;
    sim.drain_keys(ANNA, device.device, 0).expect("it is linked");
    sim.send_text("15551230003", ANNA, "from a phone").await.expect("the phone writes");
    let id = ben.send(ANNA, "from a client").await;
    assert_eq!(ben.server_ack(&id).await.error, None);
    let mut anna = TestClient::start(&sim, store).await;
    let mut texts = Vec::new();
    anna.wait("both texts", |event| {
        if let Event::Messages(batch) = event {
            texts.extend(batch.messages.iter().filter_map(|inbound| inbound.message.conversation.clone()));
        }
        (texts.len() == 2).then_some(())
    })
    .await;
    texts.sort_unstable();
    assert_eq!(texts, ["from a client", "from a phone"]);
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}
