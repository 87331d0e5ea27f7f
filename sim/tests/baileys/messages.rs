//! Texts in both directions, receipts, number checks, repetitions, several devices.

use kurir_sim::{Fault, PhoneBehaviour};
use serde_json::json;

use crate::client::{Baileys, PATIENCE, simulator};
use crate::texts;

#[tokio::test(flavor = "multi_thread")]
async fn texts_to_a_new_and_a_known_recipient_are_decrypted_and_confirmed() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, device)) = Baileys::linked(&sim, "15551230001").await else { return };
    for (place, text) in texts::TEXTS.into_iter().enumerate() {
        let id = client.send(texts::RECIPIENT, text).await;
        client.status(&id, "READ").await;
        texts::arrived(&sim, &device, place, &id).await;
    }
    texts::copied_and_counted(&sim, &device).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_check_tells_who_has_whatsapp() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let Some((mut client, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    let asked = json!({ "numbers": ["15551230002", "15551230000"] });
    let known = client.ask("check", asked).await.expect("an answer");
    assert_eq!(known, json!([{ "jid": "15551230002@s.whatsapp.net", "exists": true }]));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered_and_then_read_or_refused_or_left_unread() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    // Both receipts at once would be told as one.
    let in_steps = PhoneBehaviour { never_read: true, ..Default::default() };
    sim.set_phone("15551230002", in_steps).expect("the number exists");
    let unread = client.send("15551230002", "not read").await;
    client.status(&unread, "DELIVERY_ACK").await;
    let refuse = Fault::AckError { code: 463, from: None, to: Some("15551230003".parse().unwrap()), times: Some(1) };
    sim.fault(refuse).await.expect("a good fault");
    let refused = client.send("15551230003", "refused").await;
    let told = client.event("status", |event| event["id"] == refused.as_str()).await;
    assert_eq!((&told["status"], &told["details"][0]), (&json!("ERROR"), &json!("463")));
    let read = client.send("15551230003", "read").await;
    client.status(&read, "READ").await;
    assert!(!client.seen("status").iter().any(|event| event["id"] == unread.as_str() && event["status"] == "READ"));
    assert_eq!(sim.inbox("15551230003").expect("a number").len(), 1);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_and_the_device_answers() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    for text in ["hello", "hello again"] {
        let id = sim.send_text("15551230002", "15551230001", text).await.expect("the phone writes");
        let message = client.text(text).await;
        assert_eq!((&message["id"], &message["mine"]), (&json!(id), &json!(false)));
        assert_eq!(message["chat"], "15551230002@s.whatsapp.net");
        sim.wait_until("the confirmation", PATIENCE, |sim| {
            let outgoing = sim.phone("15551230002").ok()?.outgoing;
            outgoing.iter().any(|message| message.id == id && message.delivered).then_some(())
        })
        .await
        .expect("the device confirms");
    }
    let id = client.send("15551230002", "you too").await;
    client.status(&id, "READ").await;
    let inbox = sim.wait_for_messages("15551230002", 1, PATIENCE).await.expect("arrives");
    assert_eq!(inbox[0].text.as_deref(), Some("you too"));
    assert_eq!(sim.counters().unreadable, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_can_not_read_is_sent_again_under_the_same_id() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let Some((mut client, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    let id = client.send("15551239333", "again, please").await;
    let inbox = sim.wait_for_messages("15551239333", 1, PATIENCE).await.expect("arrives the second time");
    assert_eq!((inbox[0].id.as_str(), inbox[0].text.as_deref()), (id.as_str(), Some("again, please")));
    assert_eq!((inbox[0].arrivals, inbox[0].shown), (2, 1));
    assert_eq!(sim.counters().unreadable, 1);
    client.status(&id, "READ").await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_device_of_both_accounts_gets_a_text() {
    let sim = simulator(|_| ()).await;
    let Some((mut first, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    let Some((mut second, device)) = Baileys::linked(&sim, "15551230001").await else { return };
    assert_eq!(device.device, 2);
    let Some((mut friend, _)) = Baileys::linked(&sim, "15551230002").await else { return };
    let id = first.send("15551230002", "to all of you").await;
    let copy = second.text("to all of you").await;
    assert_eq!((&copy["id"], &copy["mine"]), (&json!(id), &json!(true)));
    assert_eq!(copy["chat"], "15551230002@s.whatsapp.net");
    let received = friend.text("to all of you").await;
    assert_eq!((&received["id"], &received["mine"]), (&json!(id), &json!(false)));
    first.status(&id, "READ").await;

    // The other way, the friend's one device reaches both of the first account's.
    friend.send("15551230001", "and back").await;
    for client in [&mut first, &mut second] {
        assert_eq!(client.text("and back").await["mine"], false);
    }
    assert_eq!(sim.counters().unreadable, 0);
    for client in [first, second, friend] {
        client.stop().await;
    }
    sim.stop(PATIENCE).await;
}
