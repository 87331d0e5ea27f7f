//! The WhatsApp adapter against the simulator.
#![cfg(feature = "simulator")]

mod chats;
mod contents;
mod copies;
mod incoming;
mod late;
mod media;
mod restriction;
mod world;

use std::time::Duration;

use kurir_core::domain::{MessageId, Secret};
use kurir_core::port::{
    MessengerError, MessengerEvent, NumberStatus, ReceiptKind, SendAnswer, StateKey, StateStore as _,
};
use kurir_sim::{Fault, PhonesRule, QrTimings, SimConfig};

use world::{DEADLINE, FRIEND, SENDER, World, connected, number, rest, wait};

fn text(body: &str) -> Secret<String> {
    Secret::new(body.to_owned())
}

fn id(text: &str) -> MessageId {
    MessageId::from_wire(text)
}

#[tokio::test]
async fn a_linked_session_sends_and_hears_of_its_message() {
    let world = World::start().await;
    let (mut connection, account) = world.link("a").await;
    assert_eq!(account.number, number(SENDER));

    let answer = connection.sender.send_text(&number(FRIEND), &id("3EB0AA"), &text("code 1"), DEADLINE).await;
    assert_eq!(answer.unwrap(), SendAnswer::Accepted);
    let inbox = world.sim.wait_for_messages(FRIEND, 1, DEADLINE).await.unwrap();
    assert_eq!((inbox[0].id.as_str(), inbox[0].text.as_deref(), inbox[0].shown), ("3EB0AA", Some("code 1"), 1));

    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let kind = wait(&mut connection, "a receipt", |event| match event {
            MessengerEvent::Receipt { receipt, .. } => {
                assert_eq!(receipt.ids, [id("3EB0AA")]);
                Some(receipt.kind)
            }
            _ => None,
        });
        kinds.push(kind.await);
    }
    assert_eq!(kinds, [ReceiptKind::Delivered, ReceiptKind::Read]);
    assert!(connection.sender.close(DEADLINE).await, "all is flushed");
    assert!(connection.events.recv().await.is_none());
    assert!(connection.sender.close(DEADLINE).await, "closing twice is closing");
}

/// A receipt whose record fails costs the connection, and comes again on the next one.
#[tokio::test]
async fn a_receipt_is_acknowledged_once_it_is_recorded() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    let answer = connection.sender.send_text(&number(FRIEND), &id("3EB0AA"), &text("code 1"), DEADLINE).await;
    assert_eq!(answer.unwrap(), SendAnswer::Accepted);
    let first = loop {
        let event = tokio::time::timeout(DEADLINE, connection.events.recv()).await.expect("a receipt").unwrap();
        if let MessengerEvent::Receipt { receipt, stored } = event {
            assert!(waiting(&world) > 0, "it was acknowledged");
            // Nobody recorded it.
            drop(stored);
            break receipt;
        }
    };
    assert_eq!(first.kind, ReceiptKind::Delivered);
    let mut left = vec!["connection", "delivered", "read"];
    while !left.is_empty() {
        let came = wait(&mut connection, "the next connection and its receipts", |event| match event {
            MessengerEvent::Connected => Some("connection"),
            MessengerEvent::Receipt { receipt, .. } if receipt.kind == ReceiptKind::Delivered => Some("delivered"),
            MessengerEvent::Receipt { .. } => Some("read"),
            _ => None,
        });
        let came = came.await;
        left.retain(|one| *one != came);
    }
    world.sim.wait_until("the acknowledgements", DEADLINE, |_| (waiting(&world) == 0).then_some(())).await.unwrap();
}

#[tokio::test]
async fn answers_to_a_check_are_in_order() {
    use NumberStatus::{Registered, Unregistered};
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    let numbers = ["6281230000003", "6281230010000", FRIEND, "6281230020000", "6281230000004"].map(number);
    let statuses = connection.sender.check(&numbers).await.unwrap();
    assert_eq!(statuses, [Registered, Unregistered, Registered, Unregistered, Registered]);
    assert!(connection.sender.check(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn refusals_and_silence_are_told_apart() {
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    let send = |to: &'static str, patience| {
        let sender = &connection.sender;
        async move { sender.send_text(&number(to), &id(&format!("3EB0{to}")), &text("x"), patience).await.unwrap() }
    };
    assert_eq!(send("6281230009463", DEADLINE).await, SendAnswer::Refused(463));
    assert_eq!(send("6281230009999", Duration::from_secs(2)).await, SendAnswer::Unknown);
    assert_eq!(send(FRIEND, DEADLINE).await, SendAnswer::Accepted);
}

#[tokio::test]
async fn two_sends_of_one_id_are_both_answered_and_shown_once() {
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    let (to, once, body) = (number(FRIEND), id("3EB0BB"), text("x"));
    let send = || connection.sender.send_text(&to, &once, &body, DEADLINE);
    let (first, second) = tokio::join!(send(), send());
    assert_eq!((first.unwrap(), second.unwrap()), (SendAnswer::Accepted, SendAnswer::Accepted));
    let inbox = world.sim.wait_for_messages(FRIEND, 1, DEADLINE).await.unwrap();
    assert_eq!((inbox.len(), inbox[0].shown), (1, 1));
}

#[tokio::test]
async fn a_cut_leaves_the_answer_unknown_and_the_client_comes_back() {
    let world = World::start().await;
    let (mut connection, account) = world.link("a").await;
    let silent = Fault::NoAck { from: None, to: None, times: None, deliver: false };
    let silent = world.sim.fault(silent).await.unwrap().expect("a rule");
    let (to, lost, body) = (number(FRIEND), id("3EB0CC"), text("x"));
    let cut = async {
        // Cut once the message has reached the server.
        let swallowed = |sim: &kurir_sim::SimHandle| {
            let journal = sim.journal(0, usize::MAX);
            let text = serde_json::to_string(&journal.iter().map(|entry| &**entry).collect::<Vec<_>>());
            text.expect("the journal is JSON").contains("3EB0CC").then_some(())
        };
        world.sim.wait_until("the message", DEADLINE, swallowed).await.unwrap();
        world.sim.drop_connection(SENDER, account.device).await.unwrap();
    };
    let (answer, ()) = tokio::join!(connection.sender.send_text(&to, &lost, &body, DEADLINE), cut);
    assert_eq!(answer.unwrap(), SendAnswer::Unknown);
    wait(&mut connection, "word of the cut", |event| matches!(event, MessengerEvent::Disconnected).then_some(())).await;
    world.sim.clear_fault(silent);
    connected(&mut connection).await;
    assert_eq!(connection.sender.send_text(&to, &lost, &body, DEADLINE).await.unwrap(), SendAnswer::Accepted);
    let inbox = world.sim.wait_for_messages(FRIEND, 1, DEADLINE).await.unwrap();
    assert_eq!((inbox.len(), inbox[0].shown), (1, 1));
}

#[tokio::test]
async fn a_second_owner_needs_no_scan_and_the_first_is_out() {
    let world = World::start().await;
    let (mut first, _) = world.link("a").await;
    assert_eq!(
        first.sender.send_text(&number(FRIEND), &id("3EB001"), &text("one"), DEADLINE).await.unwrap(),
        SendAnswer::Accepted
    );
    let mut second = world.open("b").await;
    connected(&mut second).await;

    let last = rest(&mut first).await.pop();
    assert!(matches!(last, Some(MessengerEvent::Replaced | MessengerEvent::Fenced)), "{last:?}");
    let late = first.sender.send_text(&number(FRIEND), &id("3EB002"), &text("late"), DEADLINE).await;
    assert!(matches!(late, Err(MessengerError::NotConnected | MessengerError::Fenced)), "{late:?}");

    let answer = second.sender.send_text(&number(FRIEND), &id("3EB003"), &text("two"), DEADLINE).await;
    assert_eq!(answer.unwrap(), SendAnswer::Accepted);
    let inbox = world.sim.wait_for_messages(FRIEND, 2, DEADLINE).await.unwrap();
    let texts: Vec<_> = inbox.iter().map(|message| message.text.as_deref().unwrap_or_default()).collect();
    assert_eq!(texts, ["one", "two"]);
    let counters = world.sim.counters();
    assert_eq!((counters.unreadable, counters.counter_replays), (0, 0));
}

#[tokio::test]
async fn a_former_owner_that_writes_is_fenced() {
    let world = World::start().await;
    let (mut first, _) = world.link("a").await;
    world.claim("b").await;
    // A send needs a session with the recipient stored before it may go out.
    let late = first.sender.send_text(&number(FRIEND), &id("3EB0DD"), &text("late"), DEADLINE).await;
    assert!(matches!(late, Err(MessengerError::Fenced)), "{late:?}");
    assert!(matches!(rest(&mut first).await.pop(), Some(MessengerEvent::Fenced)));
    assert!(world.sim.inbox(FRIEND).unwrap().is_empty());
    assert!(!first.sender.close(DEADLINE).await, "what it knew could not be stored");
}

#[tokio::test]
async fn a_logout_on_the_phone_removes_the_credentials() {
    let world = World::start().await;
    let (mut connection, account) = world.link("a").await;
    world.sim.logout(SENDER, account.device).await.unwrap();
    assert!(matches!(rest(&mut connection).await.pop(), Some(MessengerEvent::LoggedOut)));
    let session = kurir_core::domain::SessionId::new("s1").unwrap();
    let kept = world.stores.get(&session, &[StateKey::new("device", "")]).await.unwrap();
    assert_eq!(kept, [None]);
    // The session can be linked again.
    drop(connection);
    world.link("b").await;
}

#[tokio::test]
async fn logging_out_ends_the_link_at_whatsapp() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    connection.sender.logout().await.unwrap();
    assert!(matches!(rest(&mut connection).await.pop(), Some(MessengerEvent::LoggedOut)));
    let linked: usize = world.sim.accounts().iter().map(|account| account.devices.len()).sum();
    assert_eq!(linked, 0);
}

#[tokio::test]
async fn a_ban_is_told_with_its_term() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    let account = SENDER.parse().unwrap();
    world.sim.fault(Fault::Ban { account, expire_secs: Some(3600) }).await.unwrap();
    let last = rest(&mut connection).await.pop();
    // The term is what is left of it when the session asks to come in, in whole seconds.
    let left = Duration::from_mins(59)..=Duration::from_hours(1);
    assert!(matches!(last, Some(MessengerEvent::Banned { for_: Some(term), .. }) if left.contains(&term)), "{last:?}");
}

#[tokio::test]
async fn a_message_is_acknowledged_once_it_is_stored() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    let sent = world.sim.send_text(FRIEND, SENDER, "hello").await.unwrap();
    let incoming = |event| match event {
        MessengerEvent::Incoming { messages, stored } => Some((messages, stored)),
        _ => None,
    };
    let (messages, stored) = wait(&mut connection, "the message", incoming).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].id.as_str(), sent);
    assert_eq!(messages[0].from, Some(number(FRIEND)));
    assert_eq!(messages[0].text, Some(text("hello")));
    // Nobody stored it, so the next owner gets it again.
    drop(stored);
    connection.sender.close(DEADLINE).await;
    assert!(waiting(&world) > 0, "it was acknowledged");

    let mut connection = world.open("b").await;
    let (messages, stored) = wait(&mut connection, "the message again", incoming).await;
    assert_eq!((messages[0].id.as_str(), &messages[0].text), (sent.as_str(), &Some(text("hello"))));
    stored.tell();
    world.sim.wait_until("the acknowledgement", DEADLINE, |_| (waiting(&world) == 0).then_some(())).await.unwrap();
}

/// How many stanzas WhatsApp still keeps for the session's device.
fn waiting(world: &World) -> usize {
    world.sim.accounts().iter().flat_map(|account| &account.devices).map(|device| device.waiting).sum()
}

#[tokio::test]
async fn codes_that_nobody_scans_run_out() {
    let qr = QrTimings { refs: 1, ..QrTimings::default() };
    let world = World::with(SimConfig { qr, phones: PhonesRule::default(), ..SimConfig::default() }).await;
    let mut connection = world.open("a").await;
    wait(&mut connection, "a QR code", |event| matches!(event, MessengerEvent::Qr { .. }).then_some(())).await;
    assert!(connection.sender.close(DEADLINE).await, "a client that waits for a scan can be closed");
    assert!(connection.events.recv().await.is_none());
}
