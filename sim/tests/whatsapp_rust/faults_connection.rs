//! Connections that end, stand still, or carry nonsense.

use std::time::{Duration, Instant};

use kurir_sim::{Direction, Effect, Fault, FaultRule, JournalEvent, Moment, SimHandle, StanzaMatch};
use whatsapp_rust::types::events::Event;

use crate::client::{PATIENCE, TestClient, simulator};

fn stanza(tag: &str, direction: Direction) -> StanzaMatch {
    StanzaMatch { tag: Some(tag.into()), direction: Some(direction), ..StanzaMatch::default() }
}

async fn order(sim: &SimHandle, effect: Effect, stanza: Option<StanzaMatch>) {
    let account = Some("15551230001".parse().expect("a number"));
    let rule = FaultRule { account, device: Some(1), stanza, times: Some(1), ..FaultRule::new(effect) };
    sim.fault(Fault::Rule(rule)).await.expect("a good fault");
}

async fn disconnected(client: &mut TestClient) {
    client.wait("disconnection", |event| matches!(event, Event::Disconnected(_)).then_some(())).await;
}

/// How many connections of the device have ended.
fn ends(sim: &SimHandle, why: &str) -> usize {
    let is = |event: &JournalEvent| matches!(event, JournalEvent::Disconnected { reason, .. } if reason == why);
    sim.journal(0, usize::MAX).iter().filter(|entry| is(&entry.event)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_errors_end_the_connection_and_the_client_comes_back() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    for code in [515, 503] {
        order(&sim, Effect::StreamError { code }, None).await;
        client.connected().await;
        assert_eq!(ends(&sim, &format!("stream error {code}")), 1);
    }
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_makes_the_client_wait_long_before_it_comes_back() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::StreamError { code: 429 }, None).await;
    let begun = Instant::now();
    disconnected(&mut client).await;
    let back = tokio::time::timeout(3 * PATIENCE, async {
        while !sim.accounts()[0].devices[0].connected {
            sim.changes().changed().await.expect("the simulator runs");
        }
    });
    back.await.expect("it comes back in the end");
    // After another end it tries again within about a second.
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_device_is_logged_out_for_good() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::DeviceRemoved, Some(stanza("message", Direction::FromClient))).await;
    client.send("15551230002", "never handled").await;
    client.wait("logout", |event| matches!(event, Event::LoggedOut(logout) if !logout.on_connect).then_some(())).await;
    assert!(sim.accounts().is_empty());
    assert!(sim.inbox("15551230002").expect("a number").is_empty());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_at_once_is_the_same() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::DeviceRemoved, None).await;
    client.wait("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    assert!(sim.accounts().is_empty());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_client_stays_away_but_is_still_linked() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::Replaced, None).await;
    client.wait("replacement", |event| matches!(event, Event::StreamReplaced(_)).then_some(())).await;
    let store = client.stop().await;
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_a_message_of_the_client_decides_whether_it_arrives() {
    for (moment, arrives) in [(Moment::Before, false), (Moment::During, true), (Moment::After, true)] {
        let sim = simulator(|_| ()).await;
        let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
        order(&sim, Effect::Cut { moment }, Some(stanza("message", Direction::FromClient))).await;
        let cut = client.send("15551230002", "cut").await;
        // An ack may be told after the end of the connection that brought it, but not after the next login.
        let mut acked = false;
        client
            .wait("another connection", |event| {
                acked |= matches!(event, Event::ServerAck(ack) if ack.id == cut);
                matches!(event, Event::Connected(_)).then_some(())
            })
            .await;
        assert_eq!(acked, moment == Moment::After, "{moment:?}");
        assert_eq!(ends(&sim, "cut"), 1);
        let next = client.send("15551230002", "after the cut").await;
        client.ack_and_receipts(&next).await;
        let inbox = sim.inbox("15551230002").expect("a number");
        assert_eq!(inbox.iter().any(|message| message.id == cut), arrives, "{moment:?}");
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_a_message_to_the_client_delivers_it_after_the_next_login() {
    for moment in [Moment::Before, Moment::During, Moment::After] {
        let sim = simulator(|_| ()).await;
        let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
        order(&sim, Effect::Cut { moment }, Some(stanza("message", Direction::ToClient))).await;
        let sent = sim.send_text("15551230002", "15551230001", "hello").await.expect("sends");
        assert_eq!(client.text().await.0, sent, "{moment:?}");
        assert_eq!(ends(&sim, "cut"), 1, "{moment:?}");
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_aimed_by_namespace_and_id() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let usync = StanzaMatch {
        tag: Some("iq".into()),
        xmlns: Some("usync".into()),
        direction: Some(Direction::FromClient),
        id_prefix: None,
    };
    order(&sim, Effect::Cut { moment: Moment::Before }, Some(usync)).await;
    let nobody = StanzaMatch { id_prefix: Some("no such id".into()), ..StanzaMatch::default() };
    order(&sim, Effect::StreamError { code: 503 }, Some(nobody)).await;
    // Asking for the devices of a new recipient is cut off; the client asks again or gives up.
    let message =
        whatsapp_rust::waproto::whatsapp::Message { conversation: Some("hello".into()), ..Default::default() };
    drop(client.client.send_message(whatsapp_rust::Jid::pn("15551230002"), message).await);
    sim.wait_until("the cut", PATIENCE, |sim| (ends(sim, "cut") == 1).then_some(())).await.expect("it is cut");
    client.connected().await;
    assert_eq!(sim.faults().len(), 1, "the rule for another id still waits");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

/// whatsapp-rust 0.7 logs a frame that it can't decrypt and goes on with the next one. So the message in it is
/// lost for this connection, and comes with the next login.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_corrupt_frame_comes_with_the_next_login() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::CorruptFrame, None).await;
    order(&sim, Effect::CorruptFrame, Some(stanza("message", Direction::ToClient))).await;
    let corrupt = sim.send_text("15551230002", "15551230001", "corrupt").await.expect("sends");
    let whole = sim.send_text("15551230003", "15551230001", "whole").await.expect("sends");
    assert_eq!(client.text().await.0, whole);
    assert_eq!(ends(&sim, "cut"), 0, "the client holds on to the connection");
    sim.drop_connection("15551230001", 1).await.expect("it is connected");
    assert_eq!(client.text().await.0, corrupt);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_reading_delays_each_message() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let first = client.send("15551230002", "opens the chat").await;
    client.ack_and_receipts(&first).await;
    order(&sim, Effect::SlowReading { delay_ms: 300 }, None).await;
    let begun = Instant::now();
    for _ in 0..3 {
        let id = client.send("15551230002", "slow").await;
        client.server_ack(&id).await;
    }
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_stands_still_goes_on_where_it_was() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let first = client.send("15551230002", "opens the chat").await;
    client.ack_and_receipts(&first).await;
    order(&sim, Effect::HalfOpen { for_ms: Some(1000) }, None).await;
    let begun = Instant::now();
    let id = client.send("15551230002", "into the void").await;
    client.ack_and_receipts(&id).await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert!(sim.accounts()[0].devices[0].connected);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

/// The client notices by itself that nothing comes back: its keep-alive looks every 15 to 30 s, asks, waits 20 s for the
/// answer, and takes a socket for dead that gave no sign for more than 20 s. A look that comes too early, and a question
/// whose 20 s are not yet over to the millisecond, cost a round each, so it may take 115 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_given_up_by_the_client() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    // So that nothing has to be asked before the next message goes out.
    let first = client.send("15551230002", "opens the chat").await;
    client.ack_and_receipts(&first).await;
    order(&sim, Effect::HalfOpen { for_ms: None }, None).await;
    let lost = client.send("15551230002", "into the void").await;
    let again = tokio::time::timeout(Duration::from_secs(150), async {
        let logins = |sim: &SimHandle| {
            let is = |event: &JournalEvent| matches!(event, JournalEvent::Connected { .. });
            sim.journal(0, usize::MAX).iter().filter(|entry| is(&entry.event)).count()
        };
        let mut changes = sim.changes();
        while logins(&sim) < 2 {
            changes.changed().await.expect("the simulator runs");
        }
    });
    again.await.expect("the client connects anew");
    let overlaps = sim.counters().overlaps;
    assert_eq!(overlaps, 0, "it had closed the dead socket before");
    assert!(!sim.inbox("15551230002").expect("a number").iter().any(|message| message.id == lost));
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}
