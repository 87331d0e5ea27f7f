//! Who is there and who types, in both directions.

use kurir_sim::{ChatState, ContactActivity, SimHandle};
use serde_json::json;

use crate::client::{PATIENCE, TestClient, jid, simulator};
use crate::program::Program;

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

/// Waits until Ben's phone shows this about Anna.
async fn until_ben_sees(sim: &SimHandle, what: &'static str, seen: impl Fn(ContactActivity) -> bool) {
    sim.wait_until(what, PATIENCE, |sim| seen(sim.contact(BEN, ANNA).ok()?.activity).then_some(()))
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", sim.contact(BEN, ANNA)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_when_a_contact_comes_and_goes() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    client.ask("presence", json!({ "state": "available" })).await.expect("it has a name");
    client.ask("subscribe", json!({ "to": jid(BEN) })).await.expect("it is connected");
    let available = |event: &serde_json::Value| {
        assert_eq!(event["from"], jid(BEN));
        event["available"].as_bool().zip(Some(event["last_seen"].as_u64()))
    };
    assert_eq!(client.event("presence", available).await, (false, None));
    sim.set_available(BEN, true).expect("a number");
    assert_eq!(client.event("presence", available).await, (true, None));
    sim.set_available(BEN, false).expect("a number");
    let (here, last_seen) = client.event("presence", available).await;
    assert!(!here && last_seen.is_some());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_told_when_a_client_comes_and_goes_or_is_cut() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, device) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    sim.watch(BEN, ANNA).expect("both exist");
    until_ben_sees(&sim, "absence", |seen| seen.available == Some(false) && seen.last_seen.is_none()).await;
    client.ask("presence", json!({ "state": "available" })).await.expect("it has a name");
    until_ben_sees(&sim, "presence", |seen| seen.available == Some(true)).await;
    client.ask("presence", json!({ "state": "unavailable" })).await.expect("it has a name");
    until_ben_sees(&sim, "absence", |seen| seen.available == Some(false) && seen.last_seen.is_some()).await;
    client.ask("presence", json!({ "state": "available" })).await.expect("it has a name");
    until_ben_sees(&sim, "presence", |seen| seen.available == Some(true)).await;
    sim.drop_connection(ANNA, device.device).await.expect("it is connected");
    until_ben_sees(&sim, "absence", |seen| seen.available == Some(false)).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_in_both_directions() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    for (state, media, shown) in [
        ("composing", "", ChatState::Composing),
        ("composing", "audio", ChatState::Recording),
        ("paused", "", ChatState::Paused),
    ] {
        client.ask("chat_state", json!({ "to": jid(BEN), "state": state, "media": media })).await.expect("sent");
        until_ben_sees(&sim, "what Anna does", |seen| seen.chat_state == Some(shown)).await;
        sim.type_to(BEN, ANNA, shown).expect("both exist");
        let told = client
            .event("chat_state", |event| {
                assert_eq!((&event["chat"], &event["sender"]), (&json!(jid(BEN)), &json!(jid(BEN))));
                Some((event["state"].as_str()?.to_owned(), event["media"].as_str()?.to_owned()))
            })
            .await;
        assert_eq!(told, (state.to_owned(), media.to_owned()));
    }
    client.stop().await;
    sim.stop(PATIENCE).await;
}
