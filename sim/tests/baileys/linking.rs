//! Linking by QR code, up to being connected, and logins after it.

use crate::client::{Baileys, PATIENCE, device, simulator};

#[tokio::test(flavor = "multi_thread")]
async fn a_scanned_client_restarts_and_is_connected() {
    let sim = simulator(|_| ()).await;
    let Some(mut client) = Baileys::unlinked(&sim).await else { return };
    let qr = client.qr().await;
    let linked = sim.scan(&qr, "15551230001").await.expect("the scan links");
    client.event("paired", |_| true).await;
    assert!(client.closed(515).await, "the restart after a link");
    let open = client.event("open", |_| true).await;
    assert_eq!(open["me"]["id"], linked.jid);
    assert_eq!(open["me"]["lid"], linked.lid);
    // It publishes its one-time keys before it calls itself connected.
    let view = device(&sim, &linked, |device| device.connected && device.waiting == 0).await;
    assert!(view.one_time_keys > 100, "{view:?}");
    client.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_logs_in_with_stored_credentials() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, linked)) = Baileys::linked(&sim, "15551230001").await else { return };
    let id = client.send("15551230002", "before").await;
    client.status(&id, "READ").await;
    let login = client.stop().await;
    device(&sim, &linked, |device| !device.connected).await;

    let Some(mut client) = Baileys::start(&sim, login).await else { return };
    client.opened(1).await;
    assert!(client.seen("qr").is_empty() && client.seen("closed").is_empty(), "it is linked already");
    let id = client.send("15551230002", "after").await;
    client.status(&id, "READ").await;
    let inbox = sim.wait_for_messages("15551230002", 2, PATIENCE).await.expect("both arrive");
    assert_eq!(inbox[1].text.as_deref(), Some("after"));
    assert_eq!((sim.counters().overlaps, sim.counters().counter_replays, sim.counters().unreadable), (0, 0, 0));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_checks_signatures_finds_ours_good() {
    let sim = simulator(|_| ()).await;
    let Some(mut client) = Baileys::checking(&sim, sim.root_key()).await else { return };
    let qr = client.qr().await;
    sim.scan(&qr, "15551230001").await.expect("the scan links");
    client.opened(1).await;
    let id = client.send("15551230002", "signed").await;
    client.status(&id, "READ").await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_trusts_another_root_refuses_the_certificate() {
    let sim = simulator(|_| ()).await;
    let mut other = sim.root_key();
    other[0] ^= 1;
    let Some(mut client) = Baileys::checking(&sim, other).await else { return };
    let closed = client.event("closed", |_| true).await;
    assert!(closed["reason"].as_str().is_some_and(|reason| reason.contains("certificate")), "{closed}");
    assert!(client.seen("qr").is_empty());
    client.stop().await;
    sim.stop(PATIENCE).await;
}
