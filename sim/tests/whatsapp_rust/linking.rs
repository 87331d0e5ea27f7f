//! Linking by QR code, up to being connected.

use std::sync::Arc;

use kurir_sim::{JournalEvent, SimError};

use crate::client::{PATIENCE, TestClient, simulator};

#[tokio::test(flavor = "multi_thread")]
async fn a_scanned_client_is_connected_and_publishes_its_keys() {
    let sim = simulator(|_| ()).await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let qr = client.qr().await;
    let device = sim.scan(&qr, "15551230001").await.expect("the scan links");
    client.connected().await;
    assert_eq!((device.device, device.jid.as_str()), (1, "15551230001:1@s.whatsapp.net"));
    let view = sim
        .wait_until("the upload of keys and the acknowledgement of all stanzas", PATIENCE, |sim| {
            let device = sim.accounts().into_iter().next()?.devices.into_iter().next()?;
            (device.one_time_keys >= 30 && device.waiting == 0).then_some(device)
        })
        .await
        .expect("the client publishes its keys");
    assert!(view.connected);
    client.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_for_one_scan_by_a_number_with_whatsapp() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let qr = client.qr().await;
    let refused = sim.scan(&qr, "15551230000").await.expect_err("this number has no WhatsApp");
    assert!(matches!(refused, SimError::NotRegistered(_)), "{refused}");
    sim.scan(&qr, "15551230001").await.expect("the code was not used up by the refusal");
    client.connected().await;
    let refused = sim.scan(&qr, "15551230002").await.expect_err("the code is used");
    assert!(matches!(refused, SimError::UnknownQr), "{refused}");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_takes_only_so_many_devices() {
    let sim = simulator(|config| config.limits.devices_per_account = 1).await;
    let (first, _) = TestClient::linked(&sim, "15551230001").await;
    let mut second = TestClient::start(&sim, Arc::default()).await;
    let qr = second.qr().await;
    let refused = sim.scan(&qr, "15551230001").await.expect_err("one device is the limit");
    assert!(matches!(refused, SimError::TooManyDevices { limit: 1, .. }), "{refused}");
    first.stop().await;
    second.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_simulators_in_one_process_work_apart() {
    let one = simulator(|_| ()).await;
    let other = simulator(|config| config.seed = Some(2)).await;
    assert_ne!(one.root_key(), other.root_key());
    let (client, _) = TestClient::linked(&one, "15551230001").await;
    assert_eq!(one.accounts().len(), 1);
    assert!(other.accounts().is_empty());
    assert!(other.journal(0, 10).is_empty());
    assert!(one.journal(0, 10).iter().any(|entry| matches!(entry.event, JournalEvent::Linked { .. })));
    other.stop(PATIENCE).await;
    let id = client.send("15551230002", "still here").await;
    let inbox = one.wait_for_messages("15551230002", 1, PATIENCE).await.expect("it arrives");
    assert_eq!(inbox[0].id, id);
    client.stop().await;
    one.stop(PATIENCE).await;
}
