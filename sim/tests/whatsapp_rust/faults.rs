//! What goes wrong on purpose.

use kurir_sim::{Fault, JournalEvent, PhoneNumber};
use whatsapp_rust::types::events::Event;

use crate::client::{PATIENCE, TestClient, simulator};

fn number(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ack_error_reaches_the_client_and_the_message_nobody() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let to = Some(number("15551230002"));
    sim.fault(Fault::AckError { code: 463, from: None, to, times: Some(1) }).await.expect("a good fault");
    let refused = client.send("15551230002", "no").await;
    assert_eq!(client.server_ack(&refused).await.error.as_deref(), Some("463"));
    let taken = client.send("15551230002", "yes").await;
    client.ack_and_receipts(&taken).await;
    let inbox = sim.inbox("15551230002").expect("a number");
    assert_eq!(inbox.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), [taken.as_str()]);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_magic_ending_gives_an_ack_error_without_any_fault() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let id = client.send("15551239479", "no").await;
    assert_eq!(client.server_ack(&id).await.error.as_deref(), Some("479"));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ack_leaves_the_client_without_an_answer() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    let silence = |deliver| Fault::NoAck { from: Some(device.account), to: None, times: Some(1), deliver };
    sim.fault(silence(true)).await.expect("a good fault");
    sim.fault(silence(false)).await.expect("a good fault");
    let delivered = client.send("15551230002", "the answer is lost").await;
    let lost = client.send("15551230002", "all is lost").await;
    let normal = client.send("15551230002", "normal").await;
    let mut acked = Vec::new();
    client
        .wait("the third ack", |event| match event {
            Event::ServerAck(ack) if ack.class.as_deref() == Some("message") => {
                acked.push(ack.id.clone());
                (ack.id == normal).then_some(())
            }
            _ => None,
        })
        .await;
    assert_eq!(acked, std::slice::from_ref(&normal));
    let inbox = sim.wait_for_messages("15551230002", 2, PATIENCE).await.expect("two arrive");
    let ids: Vec<_> = inbox.iter().map(|message| message.id.clone()).collect();
    assert_eq!(ids, [delivered.clone(), normal]);
    let refused: Vec<_> = sim
        .journal(0, 1000)
        .iter()
        .filter_map(|entry| match &entry.event {
            JournalEvent::Refused { id, code: 0, delivered, .. } => Some((id.clone(), *delivered)),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [(delivered, true), (lost, false)]);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_error_makes_the_client_come_back() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    for code in [515, 503] {
        let fault = Fault::StreamError { account: device.account, device: device.device, code };
        sim.fault(fault).await.expect("it is connected");
        client.connected().await;
    }
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_ban_is_told_at_the_next_login_and_can_be_lifted() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    let account = device.account;
    sim.fault(Fault::Ban { account, expire_secs: Some(3600) }).await.expect("a good fault");
    let seconds = client
        .wait("ban", |event| match event {
            Event::TemporaryBan(ban) => Some(ban.expire.num_seconds()),
            _ => None,
        })
        .await;
    // What is left of the hour when the client comes back.
    assert!((3500..=3600).contains(&seconds), "{seconds}");
    let store = client.stop().await;
    sim.fault(Fault::LiftBan { account }).await.expect("a good fault");
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_ban_logs_the_client_out() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    sim.fault(Fault::Ban { account: device.account, expire_secs: None }).await.expect("a good fault");
    client.wait("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}
