//! Restarts of the service: clients come back by themselves and nothing is lost.

use std::time::{Duration, Instant};

use kurir_sim::JournalEvent;
use tokio::net::TcpStream;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::http::request_text;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_cuts_all_refuses_for_a_while_and_loses_nothing() {
    const DOWN: Duration = Duration::from_millis(800);
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    // One that only shows its code is cut as well.
    let mut unlinked = TestClient::start(&sim, std::sync::Arc::default()).await;
    let before = unlinked.qr().await;
    let first = client.send("15551230002", "before").await;
    client.ack_and_receipts(&first).await;

    let address = sim.ws_url().trim_start_matches("ws://").trim_end_matches("/ws/chat").to_owned();
    let begun = Instant::now();
    let restart = tokio::spawn({
        let sim = sim.clone();
        async move { sim.restart(DOWN).await }
    });
    let stopped = |event: &JournalEvent| matches!(event, JournalEvent::Restarting { down_ms: 800 });
    sim.wait_until("the stop", PATIENCE, |sim| {
        sim.journal(0, usize::MAX).iter().any(|entry| stopped(&entry.event)).then_some(())
    })
    .await
    .expect("it stops");
    assert!(TcpStream::connect(&address).await.is_err(), "nobody listens");
    let queued = sim.send_text("15551230002", "15551230001", "while it is down").await.expect("phones go on");
    restart.await.expect("no panic").expect("it comes back");
    assert!(begun.elapsed() >= DOWN);

    assert_eq!(client.text().await.0, queued);
    assert_ne!(unlinked.qr().await, before, "a new connection has new codes");
    let after = client.send("15551230002", "after").await;
    client.ack_and_receipts(&after).await;
    let audit = sim.audit(0);
    assert!(audit.clean, "{audit:?}");
    assert_eq!(audit.totals.arrived, 3, "two at the phone, and one at the account's own phone");
    client.stop().await;
    unlinked.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_can_be_ordered_over_http() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let (status, body) = request_text(&sim, "POST", "/restart", r#"{"down_for_ms":50}"#).await;
    assert_eq!((status, body.as_str()), (204, ""));
    client.connected().await;
    let (status, body) = request_text(&sim, "POST", "/restart", r#"{"down_for":50}"#).await;
    assert_eq!(status, 422);
    assert!(body.contains("down_for_ms"), "{body}");
    let (status, _) = request_text(&sim, "POST", "/restart", "{}").await;
    assert_eq!(status, 204);
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}
