//! Number checks, texts in both directions, receipts, several devices of one account.

use kurir_sim::ReceiptDelays;
use serde_json::json;

use crate::client::{PATIENCE, TestClient, jid, simulator};
use crate::program::Program;
use crate::texts;

#[tokio::test(flavor = "multi_thread")]
async fn a_number_check_tells_who_has_whatsapp() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let Some(program) = Program::start(&sim) else { return };
    let (client, _) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    let asked = json!({ "of": ["+15551230002", "+15551230000"] });
    let answers = client.ask("check", asked).await.expect("the server answers");
    assert_eq!(answers["+15551230002"]["registered"], true);
    assert_eq!(answers["+15551230002"]["jid"], jid("15551230002"));
    assert_ne!(answers["+15551230000"]["registered"], true);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_to_a_new_and_a_known_recipient_are_decrypted_and_confirmed() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, device) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    for (place, text) in texts::TEXTS.into_iter().enumerate() {
        let id = client.send(texts::RECIPIENT, text).await;
        client.receipts(&id, &["", "read"]).await;
        texts::arrived(&sim, &device, place, &id).await;
    }
    texts::copied_and_counted(&sim, &device).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_never_reads_sends_only_the_delivery_receipt() {
    let sim = simulator(|config| config.receipts = ReceiptDelays { read: None, ..ReceiptDelays::default() }).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    let id = client.send("15551230002", "not read").await;
    client.receipts(&id, &[""]).await;
    // Whatever was on its way comes before what is sent after it.
    let last = client.send("15551230003", "mark").await;
    client
        .event("receipt", |event| {
            assert_ne!(event["kind"], "read");
            (event["ids"][0] == last).then_some(())
        })
        .await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_and_the_client_confirms_and_answers() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", "15551230001").await;
    for text in ["hello", "hello again"] {
        let id = sim.send_text("15551230002", "15551230001", text).await.expect("the phone writes");
        let (got, sender, inbound) = client.text().await;
        assert_eq!((got.as_str(), inbound.as_str()), (id.as_str(), text));
        assert_eq!(sender, jid("15551230002"));
        sim.wait_until("the confirmation", PATIENCE, |sim| {
            let outgoing = sim.phone("15551230002").ok()?.outgoing;
            outgoing.iter().any(|message| message.id == id && message.delivered).then_some(())
        })
        .await
        .expect("the client confirms");
    }
    let id = client.send("15551230002", "you too").await;
    client.receipts(&id, &["", "read"]).await;
    let inbox = sim.wait_for_messages("15551230002", 1, PATIENCE).await.expect("it arrives");
    assert_eq!(inbox[0].text.as_deref(), Some("you too"));
    assert_eq!(sim.counters().unreadable, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_devices_of_two_accounts_get_what_one_of_them_sends() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut first, _) = TestClient::linked(&program, &sim, "anna 1", "15551230001").await;
    let (mut second, device) = TestClient::linked(&program, &sim, "anna 2", "15551230001").await;
    assert_eq!(device.device, 2);
    let (mut ben, _) = TestClient::linked(&program, &sim, "ben 1", "15551230002").await;
    let (mut ben_too, _) = TestClient::linked(&program, &sim, "ben 2", "15551230002").await;
    let id = first.send("15551230002", "to all").await;
    for client in [&mut second, &mut ben, &mut ben_too] {
        let (got, sender, text) = client.text().await;
        assert_eq!((got.as_str(), text.as_str()), (id.as_str(), "to all"));
        assert!(sender.starts_with("15551230001"), "{sender}");
    }
    first.receipts(&id, &["", "read"]).await;
    let back = ben.send("15551230001", "back").await;
    for client in [&mut first, &mut second, &mut ben_too] {
        assert_eq!(client.text().await.0, back);
    }
    assert_eq!((sim.counters().unreadable, sim.counters().counter_replays), (0, 0));
    for client in [first, second, ben, ben_too] {
        client.stop().await;
    }
    sim.stop(PATIENCE).await;
}
