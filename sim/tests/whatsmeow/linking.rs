//! Linking by QR code, the restart after it, and logging in again.

use kurir_sim::JournalEvent;
use serde_json::json;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::program::{Folder, Program};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_links_the_client_which_restarts_and_publishes_its_keys() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, device) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    let own = client.ask("self", json!({})).await.expect("it runs");
    assert_eq!((own["jid"].as_str(), own["lid"].as_str()), (Some(device.jid.as_str()), Some(device.lid.as_str())));
    let journal = sim.journal(0, 100);
    let mut logins = journal.iter().filter(|entry| matches!(entry.event, JournalEvent::Connected { .. }));
    assert!(logins.next().is_some() && logins.next().is_none(), "linked, restarted, logged in once: {journal:?}");
    let keys = sim.accounts()[0].devices[0].one_time_keys;
    assert_eq!((keys, own["uploaded_keys"].as_u64()), (812, Some(812)));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_typed_on_the_phone_links_the_client() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let mut client = program.client("anna").await;
    client.event("qr", |_| Some(())).await;
    let code = client.ask("pair_phone", json!({ "to": "15551230001" })).await.expect("the server takes part");
    let code = code.as_str().expect("a text");
    let device = sim.enter_pair_code("15551230001", code).await.expect("the code links");
    client.connected().await;
    assert_eq!(client.ask("self", json!({})).await.expect("it runs")["jid"], device.jid);
    client.send("15551230002", "linked by a code").await;
    sim.wait_for_messages("15551230002", 1, PATIENCE).await.expect("it arrives");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_logs_in_with_stored_credentials() {
    let sim = simulator(|_| ()).await;
    let folder = Folder::new();
    let Some(program) = Program::start_in(&sim, &folder, &[]) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    let id = client.send("15551230002", "before").await;
    client.receipts(&id, &["", "read"]).await;
    client.stop().await;
    drop(program);

    let program = Program::start_in(&sim, &folder, &[]).expect("it ran before");
    let mut client = program.client("anna").await;
    client.connected().await;
    let id = client.send("15551230002", "after").await;
    client.receipts(&id, &["", "read"]).await;
    let inbox = sim.wait_for_messages("15551230002", 2, PATIENCE).await.expect("both arrive");
    assert_eq!(inbox[1].text.as_deref(), Some("after"));
    let counters = sim.counters();
    assert_eq!((counters.overlaps, counters.counter_replays, counters.unreadable), (0, 0, 0));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_has_another_root_is_refused() {
    let trusted = simulator(|_| ()).await;
    let stranger = simulator(|config| config.seed = Some(2)).await;
    assert_ne!(trusted.root_key(), stranger.root_key());
    let Some(program) = Program::start_trusting(&stranger, trusted.root_key()) else { return };
    let error = program.try_client("anna").await.err().expect("it must not connect");
    assert!(error.contains("cert"), "{error}");
    trusted.stop(PATIENCE).await;
    stranger.stop(PATIENCE).await;
}
