//! Blocking, privacy tokens, privacy settings, what contacts show of themselves.

use kurir_sim::JournalEvent;
use serde_json::json;

use crate::blocks::withheld;
use crate::client::{PATIENCE, TestClient, jid, simulator};
use crate::program::Program;

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_blocks_a_contact_and_hears_nothing_of_it() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna 1", ANNA).await;
    let (mut second, _) = TestClient::linked(&program, &sim, "anna 2", ANNA).await;
    assert_eq!(client.ask("blocklist", json!({})).await, Ok(json!([])));
    assert_eq!(client.ask("block", json!({ "to": jid(BEN) })).await, Ok(json!([jid(BEN)])));
    assert_eq!(second.event("blocklist", |event| event["changes"].as_u64()).await, 1);
    assert_eq!(second.ask("blocklist", json!({})).await, Ok(json!([jid(BEN)])));
    assert!(sim.contact(ANNA, BEN).expect("both exist").blocked);
    sim.send_text(BEN, ANNA, "do you hear me?").await.expect("the phone writes");
    assert_eq!(withheld(&sim), 1);
    assert_eq!(client.ask("unblock", json!({ "to": jid(BEN) })).await, Ok(json!([])));
    sim.send_text(BEN, ANNA, "and now?").await.expect("the phone writes");
    assert_eq!(client.text().await.2, "and now?");
    assert_eq!(sim.inbox(ANNA).expect("a number").len(), 1);
    client.stop().await;
    second.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_blocked_client_sends_is_taken_and_goes_nowhere() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    sim.block(BEN, ANNA, true).expect("both exist");
    client.send(BEN, "do you hear me?").await;
    assert_eq!(withheld(&sim), 1);
    sim.block(BEN, ANNA, false).expect("both exist");
    let id = client.send(BEN, "and now?").await;
    client
        .event("receipt", |event| {
            assert_eq!(event["ids"][0], id, "no receipt for what was withheld");
            (event["kind"] == "read").then_some(())
        })
        .await;
    let inbox = sim.wait_for_messages(BEN, 1, PATIENCE).await.expect("it arrives");
    assert_eq!((inbox.len(), inbox[0].text.as_deref()), (1, Some("and now?")));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_the_token_with_which_a_contact_trusts_it() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    sim.trust(BEN, ANNA).expect("both exist");
    assert!(sim.contact(BEN, ANNA).expect("both exist").trusted);
    let shown = || {
        let journal = sim.journal(0, 10_000);
        journal.iter().find_map(|entry| match entry.event {
            JournalEvent::TokenShown { valid, .. } => Some(valid),
            _ => None,
        })
    };
    // The client acknowledges the token before it has stored it.
    let wait = async {
        loop {
            client.send(BEN, "trust me").await;
            if let Some(valid) = shown() {
                return valid;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.expect("the client shows its token"));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_asks_about_contacts_and_settings_is_answered() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    let settings = client.ask("privacy", json!({})).await.expect("the server answers");
    assert_eq!((&settings["LastSeen"], &settings["ReadReceipts"]), (&json!("all"), &json!("all")));
    let told = client.ask("info", json!({ "of": [jid(BEN)] })).await.expect("the server answers");
    let ben = &told[jid(BEN)];
    assert_eq!((&ben["devices"], &ben["lid"]), (&json!(1), &json!("100015551230002@lid")));
    assert!(ben["status"].as_str().is_some_and(|status| !status.is_empty()), "{told}");
    let error = client.ask("picture", json!({ "to": jid(BEN) })).await.expect_err("phones have no picture");
    assert!(error.contains("profile picture"), "{error}");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_name_arrives_and_changes() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    assert_eq!(client.ask("self", json!({})).await.expect("it runs")["push_name"], "Simulated phone");
    for name in ["Anna", "Anna B"] {
        sim.rename(ANNA, name).expect("a number");
        let told = client.event("own_push_name", |event| event["name"].as_str().map(str::to_owned)).await;
        assert_eq!(told, name);
    }
    sim.rename(BEN, "Ben").expect("a number");
    sim.send_text(BEN, ANNA, "who is it?").await.expect("the phone writes");
    let name = client.event("message", |event| event["push_name"].as_str().map(str::to_owned)).await;
    assert_eq!(name, "Ben");
    client.stop().await;
    sim.stop(PATIENCE).await;
}
