//! Cuts, what waits in between, logging out, being replaced.

use kurir_sim::{JournalEvent, SimHandle};
use serde_json::json;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::program::Program;

async fn wait_for_waiting(sim: &SimHandle, count: usize) {
    sim.wait_until("the number of waiting stanzas", PATIENCE, |sim| {
        (sim.accounts().first()?.devices.first()?.waiting == count).then_some(())
    })
    .await
    .unwrap_or_else(|error| panic!("{error}: {:?}", sim.accounts()));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_for_a_client_that_is_away_and_come_in_order() {
    const TEXTS: usize = 12;
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, _) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    wait_for_waiting(&sim, 0).await;
    client.stop().await;
    let mut ids = Vec::new();
    for number in 0..TEXTS {
        let text = format!("text {number}");
        ids.push(sim.send_text("15551230002", "15551230001", &text).await.expect("the phone writes"));
    }
    wait_for_waiting(&sim, TEXTS).await;

    let mut client = program.client("anna").await;
    let (mut announced, mut arrived) = (None, Vec::new());
    let caught_up = client
        .until("end of what waited", |event| {
            match event["event"].as_str() {
                Some("waiting") => announced = event["messages"].as_u64().zip(event["total"].as_u64()),
                // Not what the own phone sends to its device at each login.
                Some("message") if event["category"] != "peer" => {
                    arrived.push(event["id"].as_str().unwrap_or_default().to_owned());
                }
                Some("caught_up") => return event["count"].as_u64(),
                _ => {}
            }
            None
        })
        .await;
    while arrived.len() < TEXTS {
        arrived.push(client.text().await.0);
    }
    assert_eq!((announced, caught_up), (Some((12, 12)), 12));
    assert_eq!(arrived, ids);
    wait_for_waiting(&sim, 0).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_comes_back_with_what_came_meanwhile() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, device) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    sim.drop_connection("15551230001", device.device).await.expect("it is connected");
    let id = sim.send_text("15551230002", "15551230001", "meanwhile").await.expect("the phone writes");
    // whatsmeow comes back so fast that it may tell of the cut after that, and the text may have been
    // quicker than the cut.
    let (mut cut, mut connected, mut got) = (false, false, false);
    client
        .until("cut, return and text", |event| {
            cut |= event["event"] == "disconnected";
            connected |= event["event"] == "connected";
            got |= event["event"] == "message" && event["id"] == id;
            (cut && connected && got).then_some(())
        })
        .await;
    let id = client.send("15551230002", "back again").await;
    client.receipts(&id, &["", "read"]).await;
    assert_eq!(sim.counters().overlaps, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_on_the_phone_ends_the_session_for_good() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, device) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    sim.logout("15551230001", device.device).await.expect("it is linked");
    let on_connect = client.event("logged_out", |event| event["on_connect"].as_bool()).await;
    assert!(!on_connect);
    assert!(sim.accounts().is_empty());
    client.stop().await;
    // Its credentials are gone, so it asks to be linked.
    let mut again = program.client("anna").await;
    again.event("qr", |_| Some(())).await;
    again.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_happened_while_the_client_was_away_is_told_at_its_login() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, device) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    client.stop().await;
    sim.logout("15551230001", device.device).await.expect("it is linked");
    let mut client = program.client("anna").await;
    let (on_connect, reason) =
        client.event("logged_out", |event| event["on_connect"].as_bool().zip(event["reason"].as_u64())).await;
    assert_eq!((on_connect, reason), (true, 401));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_logs_itself_out() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, _) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    client.ask("logout", json!({})).await.expect("the server agrees");
    assert!(sim.accounts().is_empty());
    let journal = sim.journal(0, 1000);
    let by_device = |event: &JournalEvent| matches!(event, JournalEvent::LoggedOut { by_device: true, .. });
    assert!(journal.iter().any(|entry| by_device(&entry.event)), "{journal:?}");
    client.stop().await;
    sim.stop(PATIENCE).await;
}
