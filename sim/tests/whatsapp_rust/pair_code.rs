//! Linking by a code that is typed on the phone.

use std::sync::Arc;
use std::time::Duration;

use kurir_sim::{SimError, SimHandle};
use whatsapp_rust::pair_code::{PairCodeOptions, PairCodeRejection, PairError};
use whatsapp_rust::types::events::Event;

use crate::client::{PATIENCE, TestClient, simulator};

const NUMBER: &str = "15551230001";

async fn ask(client: &TestClient, number: &str) -> Result<String, PairError> {
    let options = PairCodeOptions { phone_number: number.into(), ..PairCodeOptions::default() };
    client.client.pair_with_code(options).await
}

/// A client that shows a code for a number.
async fn showing(sim: &SimHandle, number: &str) -> (TestClient, String) {
    let mut client = TestClient::start(sim, Arc::default()).await;
    // The first QR code shows that the connection is there.
    client.qr().await;
    let code = ask(&client, number).await.expect("a code");
    (client, code)
}

/// A code that is not this one.
fn other_than(code: &str) -> String {
    let last = if code.ends_with('A') { 'B' } else { 'A' };
    format!("{}{last}", &code[..7])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_code_links_like_a_scan() {
    let sim = simulator(|_| ()).await;
    let (mut client, code) = showing(&sim, NUMBER).await;
    // As people type it.
    let typed = format!("{}-{}", code[..4].to_lowercase(), &code[4..]);
    let device = sim.enter_pair_code(NUMBER, &typed).await.expect("the code links");
    assert_eq!((device.device, device.jid.as_str()), (1, "15551230001:1@s.whatsapp.net"));
    client.connected().await;
    let id = client.send("15551230002", "by code").await;
    client.ack_and_receipts(&id).await;
    let refused = sim.enter_pair_code(NUMBER, &code).await.expect_err("the code is used");
    assert!(matches!(refused, SimError::NoPairCode(_)), "{refused}");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_links_nobody_and_may_be_corrected() {
    let sim = simulator(|_| ()).await;
    let (mut client, code) = showing(&sim, NUMBER).await;
    let refused = sim.enter_pair_code(NUMBER, &other_than(&code)).await.expect_err("a wrong code");
    assert!(matches!(refused, SimError::WrongPairCode { left: 2 }), "{refused}");
    assert!(sim.accounts().is_empty());
    sim.enter_pair_code(NUMBER, &code).await.expect("the right one links");
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_too_many_tries_the_client_is_told_to_show_a_new_code() {
    let sim = simulator(|_| ()).await;
    let (mut client, code) = showing(&sim, NUMBER).await;
    for expected in [2, 1, 0] {
        let refused = sim.enter_pair_code(NUMBER, &other_than(&code)).await.expect_err("a wrong code");
        assert!(matches!(refused, SimError::WrongPairCode { left } if left == expected), "{refused}");
    }
    client
        .wait("the order to show a new code", |event| match event {
            Event::PairingCodeRefresh(refresh) => {
                assert!(refresh.force_manual);
                Some(())
            }
            _ => None,
        })
        .await;
    let refused = sim.enter_pair_code(NUMBER, &code).await.expect_err("too late for the right one");
    assert!(matches!(refused, SimError::NoPairCode(_)), "{refused}");
    let code = ask(&client, NUMBER).await.expect("a new code");
    sim.enter_pair_code(NUMBER, &code).await.expect("the new one links");
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_for_one_number_and_for_its_time() {
    let sim = simulator(|config| {
        config.pair_codes.valid = Duration::ZERO;
        config.phones.magic_endings = true;
    })
    .await;
    let (client, code) = showing(&sim, NUMBER).await;
    let nonsense = sim.enter_pair_code(NUMBER, "a code").await.expect_err("no code");
    assert!(matches!(nonsense, SimError::BadPairCode), "{nonsense}");
    let nobody = sim.enter_pair_code("15551230000", &code).await.expect_err("a number without WhatsApp");
    assert!(matches!(nobody, SimError::NotRegistered(_)), "{nobody}");
    let expired = sim.enter_pair_code(NUMBER, &code).await.expect_err("it is not valid for any time");
    assert!(matches!(expired, SimError::NoPairCode(_)), "{expired}");
    client.stop().await;
    sim.stop(PATIENCE).await;

    let sim = simulator(|_| ()).await;
    let (mut client, code) = showing(&sim, NUMBER).await;
    let other = sim.enter_pair_code("15551230002", &code).await.expect_err("it is another phone's");
    assert!(matches!(other, SimError::NoPairCode(_)), "{other}");
    sim.enter_pair_code(NUMBER, &code).await.expect("that cost no try");
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_code_is_refused_as_clients_know_it() {
    let sim = simulator(|config| {
        config.phones.magic_endings = true;
        config.pair_codes.codes_in_a_row = 2;
    })
    .await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    client.qr().await;
    let refused = ask(&client, "15551230000").await.expect_err("a number without WhatsApp");
    assert_eq!(refused.rejection(), Some(PairCodeRejection::BadRequest));

    ask(&client, NUMBER).await.expect("a first code");
    client.client.cancel_pair_code().await;
    ask(&client, NUMBER).await.expect("a second code");
    client.client.cancel_pair_code().await;
    let refused = ask(&client, NUMBER).await.expect_err("a third code");
    assert_eq!(refused.rejection(), Some(PairCodeRejection::BadRequest), "the limit per number is told like this");

    sim.fault(kurir_sim::Fault::Ban { account: "15551230003".parse().unwrap(), expire_secs: None }).await.unwrap();
    let refused = ask(&client, "15551230003").await.expect_err("a banned account");
    assert_eq!(refused.rejection(), Some(PairCodeRejection::Forbidden));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_makes_the_code_void() {
    let sim = simulator(|_| ()).await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let qr = client.qr().await;
    let code = ask(&client, NUMBER).await.expect("a code");
    sim.scan(&qr, "15551230002").await.expect("the scan links");
    client.connected().await;
    let refused = sim.enter_pair_code(NUMBER, &code).await.expect_err("the client is linked to another phone");
    assert!(matches!(refused, SimError::NoPairCode(_)), "{refused}");
    assert_eq!(sim.accounts().len(), 1);
    client.stop().await;
    sim.stop(PATIENCE).await;
}
