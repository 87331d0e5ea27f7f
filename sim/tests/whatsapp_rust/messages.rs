//! Texts in both directions, receipts, number checks, repetitions.

use std::sync::Arc;
use std::time::Duration;

use kurir_sim::{JournalEvent, PhoneBehaviour, ReceiptDelays};
use whatsapp_rust::Jid;
use whatsapp_rust::send::SendOptions;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::waproto::whatsapp as wa;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::texts;

#[tokio::test(flavor = "multi_thread")]
async fn texts_to_a_new_and_a_known_recipient_are_decrypted_and_confirmed() {
    let sim = simulator(|_| ()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    for (place, text) in texts::TEXTS.into_iter().enumerate() {
        let id = client.send(texts::RECIPIENT, text).await;
        client.ack_and_receipts(&id).await;
        texts::arrived(&sim, &device, place, &id).await;
    }
    texts::copied_and_counted(&sim, &device).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_sent_twice_is_shown_once() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    for _ in 0..2 {
        let options = SendOptions::default().with_message_id("3EB0C0FFEE00112233");
        let message = wa::Message { conversation: Some("code".into()), ..Default::default() };
        client.client.send_message_with_options(Jid::pn("15551230002"), message, options).await.expect("sends");
        client.server_ack("3EB0C0FFEE00112233").await;
    }
    // The journal hears of an arrival after the phone.
    sim.wait_until("the second arrival", PATIENCE, |sim| (sim.counters().duplicates == 1).then_some(()))
        .await
        .expect("both arrive");
    let inbox = sim.inbox("15551230002").expect("a number");
    assert_eq!((inbox.len(), inbox[0].shown, inbox[0].arrivals), (1, 1, 2));
    assert_eq!(sim.counters().shown, 1);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_come_when_the_phone_is_told_to_send_them() {
    let sim = simulator(|config| {
        config.receipts = ReceiptDelays { delivered: Some(Duration::ZERO), read: None };
    })
    .await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let later = PhoneBehaviour { delivered_after_ms: Some(30), read_after_ms: Some(60), ..Default::default() };
    sim.set_phone("15551230003", later).expect("the number exists");
    let never_read = client.send("15551230002", "not read").await;
    client
        .wait("delivery receipt", |event| match event {
            Event::Receipt(receipt) if receipt.message_ids.contains(&never_read) => {
                assert_eq!(receipt.r#type, ReceiptType::Delivered);
                Some(())
            }
            _ => None,
        })
        .await;
    let read = client.send("15551230003", "read").await;
    let receipts = client.ack_and_receipts(&read).await;
    assert_eq!(receipts.len(), 2);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_check_tells_who_has_whatsapp() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let (client, _) = TestClient::linked(&sim, "15551230001").await;
    let asked = [Jid::pn("15551230002"), Jid::pn("15551230000")];
    let answers = client.client.contacts().is_on_whatsapp(&asked).await.expect("answers");
    let registered =
        |user: &str| answers.iter().find(|answer| answer.jid.user == user).map(|answer| answer.is_registered);
    assert_eq!(registered("15551230002"), Some(true));
    assert_eq!(registered("15551230000"), Some(false));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_to_a_number_without_whatsapp_reaches_nobody() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let id = client.send("15551230000", "hello?").await;
    assert_eq!(client.server_ack(&id).await.error, None);
    sim.wait_until("the own phone's copy", PATIENCE, |sim| {
        (!sim.phone("15551230001").ok()?.copies.is_empty()).then_some(())
    })
    .await
    .expect("the own phone has a copy");
    assert!(sim.inbox("15551230000").expect("a number").is_empty());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_and_the_device_answers() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    for text in ["hello", "hello again"] {
        let id = sim.send_text("15551230002", "15551230001", text).await.expect("the phone writes");
        let (got, sender, inbound) = client.text().await;
        assert_eq!((got.as_str(), inbound.as_str()), (id.as_str(), text));
        assert_eq!(sender.user, "15551230002");
        wait_confirmed(&sim, "15551230002", &id).await;
    }
    let id = client.send("15551230002", "you too").await;
    client.ack_and_receipts(&id).await;
    let inbox = sim.wait_for_messages("15551230002", 1, PATIENCE).await.expect("arrives");
    assert_eq!(inbox[0].text.as_deref(), Some("you too"));
    // The phone of the account has what was written to the account, too.
    assert_eq!(sim.inbox("15551230001").expect("a number").len(), 2);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

async fn wait_confirmed(sim: &kurir_sim::SimHandle, phone: &str, id: &str) {
    sim.wait_until("the confirmation", PATIENCE, |sim| {
        let outgoing = sim.phone(phone).ok()?.outgoing;
        outgoing.iter().any(|message| message.id == id && message.delivered).then_some(())
    })
    .await
    .expect("the device confirms");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_can_not_read_is_sent_again_under_the_same_id() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let (client, _) = TestClient::linked(&sim, "15551230001").await;
    let id = client.send("15551239333", "again, please").await;
    let inbox = sim.wait_for_messages("15551239333", 1, PATIENCE).await.expect("arrives the second time");
    assert_eq!((inbox[0].id.as_str(), inbox[0].text.as_deref()), (id.as_str(), Some("again, please")));
    assert_eq!((inbox[0].arrivals, inbox[0].shown), (2, 1));
    assert_eq!(sim.counters().unreadable, 1);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_linked_accounts_write_to_each_other() {
    let sim = simulator(|_| ()).await;
    let (mut anna, _) = TestClient::linked(&sim, "15551230001").await;
    let (mut ben, _) = TestClient::linked(&sim, "15551230002").await;
    let id = anna.send("15551230002", "from device to device").await;
    let (got, _, text) = ben.text().await;
    assert_eq!((got, text.as_str()), (id.clone(), "from device to device"));
    anna.ack_and_receipts(&id).await;
    let id = ben.send("15551230001", "and back").await;
    assert_eq!(anna.text().await.2, "and back");
    ben.ack_and_receipts(&id).await;
    assert_eq!(sim.counters().unreadable, 0);
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_gets_a_copy_of_what_the_first_one_sends() {
    let sim = simulator(|_| ()).await;
    let (mut first, _) = TestClient::linked(&sim, "15551230001").await;
    let (mut second, device) = TestClient::linked(&sim, "15551230001").await;
    assert_eq!(device.device, 2);
    let id = first.send("15551230002", "copied").await;
    first.ack_and_receipts(&id).await;
    let (got, _, text) = second.text().await;
    assert_eq!((got, text.as_str()), (id, "copied"));
    first.stop().await;
    second.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_texts_at_once_arrive_exactly_once_each() {
    const RECIPIENTS: usize = 40;
    const TEXTS: usize = 5;
    let sim = simulator(|_| ()).await;
    let (client, _) = TestClient::linked(&sim, "15551230001").await;
    let client = Arc::new(client);
    let sends = (0..RECIPIENTS).map(|recipient| {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            for text in 0..TEXTS {
                client.send(&format!("1555200{recipient:04}"), &format!("text {text}")).await;
            }
        })
    });
    for send in sends.collect::<Vec<_>>() {
        send.await.expect("sent");
    }
    sim.wait_until("all texts", PATIENCE, |sim| (sim.counters().shown == (RECIPIENTS * TEXTS) as u64).then_some(()))
        .await
        .expect("all arrive");
    let arrived = sim.journal(0, 10_000);
    let arrived = arrived.iter().filter(|entry| matches!(entry.event, JournalEvent::Arrived { .. })).count();
    assert_eq!(arrived, RECIPIENTS * TEXTS);
    for recipient in 0..RECIPIENTS {
        let inbox = sim.inbox(&format!("1555200{recipient:04}")).expect("a number");
        assert!(inbox.iter().all(|message| message.arrivals == 1), "{inbox:?}");
        assert_eq!(inbox.len(), TEXTS);
    }
    let client = Arc::into_inner(client).expect("all senders are done");
    client.stop().await;
    sim.stop(PATIENCE).await;
}
