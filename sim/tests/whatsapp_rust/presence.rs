//! Who is there and who types, in both directions.

use kurir_sim::{ChatState, ContactActivity, SimHandle};
use whatsapp_rust::Jid;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::{ChatPresence, ChatPresenceMedia};

use crate::client::{PATIENCE, TestClient, simulator};

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

/// Waits until Ben's phone shows this about Anna.
async fn until_ben_sees(sim: &SimHandle, what: &'static str, seen: impl Fn(ContactActivity) -> bool) {
    sim.wait_until(what, PATIENCE, |sim| seen(sim.contact(BEN, ANNA).ok()?.activity).then_some(()))
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", sim.contact(BEN, ANNA)));
}

/// The next news about Ben: whether he is there, and whether it says when he was.
async fn news(client: &mut TestClient) -> (bool, bool) {
    client
        .wait("presence", |event| match event {
            Event::Presence(news) if news.from.user == BEN => Some((!news.unavailable, news.last_seen.is_some())),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_when_a_contact_comes_and_goes() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    client.client.presence().set_available().await.expect("it has a name");
    client.client.presence().subscribe(Jid::pn(BEN)).await.expect("it is connected");
    assert_eq!(news(&mut client).await, (false, false));
    sim.set_available(BEN, true).expect("a number");
    assert_eq!(news(&mut client).await, (true, false));
    sim.set_available(BEN, false).expect("a number");
    assert_eq!(news(&mut client).await, (false, true));
    client.client.presence().unsubscribe(&Jid::pn(BEN)).await.expect("it is connected");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_told_when_a_client_comes_and_goes_or_is_gone() {
    let sim = simulator(|_| ()).await;
    let (client, _) = TestClient::linked(&sim, ANNA).await;
    sim.watch(BEN, ANNA).expect("both exist");
    client.client.presence().set_available().await.expect("it has a name");
    until_ben_sees(&sim, "presence", |seen| seen.available == Some(true)).await;
    client.client.presence().set_unavailable().await.expect("it has a name");
    until_ben_sees(&sim, "absence", |seen| seen.available == Some(false) && seen.last_seen.is_some()).await;
    client.client.presence().set_available().await.expect("it has a name");
    until_ben_sees(&sim, "presence", |seen| seen.available == Some(true)).await;
    client.stop().await;
    until_ben_sees(&sim, "absence", |seen| seen.available == Some(false)).await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_in_both_directions() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, ANNA).await;
    let ben = Jid::pn(BEN);
    client.client.chatstate().send_composing(&ben).await.expect("sent");
    until_ben_sees(&sim, "writing", |seen| seen.chat_state == Some(ChatState::Composing)).await;
    client.client.chatstate().send_recording(&ben).await.expect("sent");
    until_ben_sees(&sim, "recording", |seen| seen.chat_state == Some(ChatState::Recording)).await;
    client.client.chatstate().send_paused(&ben).await.expect("sent");
    until_ben_sees(&sim, "a pause", |seen| seen.chat_state == Some(ChatState::Paused)).await;
    for (state, told) in [
        (ChatState::Composing, (ChatPresence::Composing, ChatPresenceMedia::Text)),
        (ChatState::Recording, (ChatPresence::Composing, ChatPresenceMedia::Audio)),
        (ChatState::Paused, (ChatPresence::Paused, ChatPresenceMedia::Text)),
    ] {
        sim.type_to(BEN, ANNA, state).expect("both exist");
        let got = client
            .wait("chat state", |event| match event {
                Event::ChatPresence(update) if update.source.chat.user == BEN => Some((update.state, update.media)),
                _ => None,
            })
            .await;
        assert_eq!(got, told);
    }
    client.stop().await;
    sim.stop(PATIENCE).await;
}
