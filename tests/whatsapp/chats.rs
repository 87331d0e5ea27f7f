//! What a session shows in chats, and linking by a code that is typed.

use std::time::Duration;

use kurir_core::domain::{MessageId, Presence, Typing};
use kurir_core::port::{Connection, MessengerError, MessengerEvent};
use kurir_sim::{ChatState, ReceiptDelays, SimConfig};

use super::world::{DEADLINE, FRIEND, SENDER, World, connected, number, wait};

#[tokio::test]
async fn a_message_that_is_marked_as_read_is_shown_as_read_to_its_writer() {
    // No phone reads by itself: the sender's own one would.
    let receipts = ReceiptDelays { read: None, ..ReceiptDelays::default() };
    let world = World::with(SimConfig { receipts, ..SimConfig::default() }).await;
    let (mut connection, _) = world.link("a").await;
    let sent = world.sim.send_text(FRIEND, SENDER, "hello").await.unwrap();
    let (messages, stored) = wait(&mut connection, "the message", |event| match event {
        MessengerEvent::Incoming { messages, stored } => Some((messages, stored)),
        _ => None,
    })
    .await;
    stored.tell();
    assert_eq!(messages[0].id.as_str(), sent);
    let written = || world.sim.phone(FRIEND).unwrap().outgoing.into_iter().find(|message| message.id == sent).unwrap();
    world.sim.wait_until("delivery", DEADLINE, |_| written().delivered.then_some(())).await.unwrap();
    assert!(!written().read, "taking it is not reading it");
    connection.sender.mark_read(&number(FRIEND), &[MessageId::from_wire(sent.clone())]).await.unwrap();
    world.sim.wait_until("the read mark", DEADLINE, |_| written().read.then_some(())).await.unwrap();
}

#[tokio::test]
async fn a_chat_shows_who_writes() {
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    for (typing, shown) in [
        (Typing::Typing, ChatState::Composing),
        (Typing::Recording, ChatState::Recording),
        (Typing::Paused, ChatState::Paused),
    ] {
        connection.sender.show_typing(&number(FRIEND), typing).await.unwrap();
        let seen = |sim: &kurir_sim::SimHandle| {
            (sim.contact(FRIEND, SENDER).ok()?.activity.chat_state == Some(shown)).then_some(())
        };
        world.sim.wait_until("the chat's state", DEADLINE, seen).await.unwrap();
    }
    assert!(connection.sender.close(DEADLINE).await);
    let late = connection.sender.show_typing(&number(FRIEND), Typing::Typing).await;
    assert!(matches!(late, Err(MessengerError::NotConnected)), "{late:?}");
}

#[tokio::test]
async fn contacts_see_whether_a_session_is_there() {
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    world.sim.watch(FRIEND, SENDER).unwrap();
    let available = |sim: &kurir_sim::SimHandle| sim.contact(FRIEND, SENDER).ok()?.activity.available;
    for presence in [Presence::Available, Presence::Unavailable, Presence::Available] {
        connection.sender.show_presence(presence).await.unwrap();
        let shown = Some(presence == Presence::Available);
        let seen = |sim: &kurir_sim::SimHandle| (available(sim) == shown).then_some(());
        world.sim.wait_until("the presence", DEADLINE, seen).await.unwrap();
    }
    assert!(connection.sender.close(DEADLINE).await);
    let late = connection.sender.show_presence(Presence::Available).await;
    assert!(matches!(late, Err(MessengerError::NotConnected)), "{late:?}");
}

/// The next code that is told as an event.
async fn told(connection: &mut Connection) -> (String, Duration) {
    wait(connection, "word of the code", |event| match event {
        MessengerEvent::PairingCode(code) => Some((code.code.into_inner(), code.valid_for)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_code_that_is_typed_links_the_session() {
    let world = World::start().await;
    let mut connection = world.open("a").await;
    wait(&mut connection, "a QR code", |event| matches!(event, MessengerEvent::Qr { .. }).then_some(())).await;
    let first = connection.sender.pairing_code(&number(SENDER)).await.unwrap();
    assert!(first.valid_for > Duration::from_mins(2));
    assert_eq!(told(&mut connection).await.0, *first.code.expose());
    let again = connection.sender.pairing_code(&number(SENDER)).await.unwrap();
    assert_eq!(again.code, first.code, "the same is given while it is valid");
    let device = world.sim.enter_pair_code(SENDER, first.code.expose()).await.expect("the code links");
    let account = wait(&mut connection, "the link", |event| match event {
        MessengerEvent::Paired(account) => Some(account),
        _ => None,
    })
    .await;
    assert_eq!((account.number, account.device), (number(SENDER), device.device));
    connected(&mut connection).await;
    let linked = connection.sender.pairing_code(&number(SENDER)).await;
    assert!(matches!(linked, Err(MessengerError::Linked)), "{linked:?}");
}

#[tokio::test]
async fn another_number_gets_another_code_and_a_refusal_is_told() {
    let world = World::start().await;
    let mut connection = world.open("a").await;
    wait(&mut connection, "a QR code", |event| matches!(event, MessengerEvent::Qr { .. }).then_some(())).await;
    let first = connection.sender.pairing_code(&number(SENDER)).await.unwrap();
    let second = connection.sender.pairing_code(&number(FRIEND)).await.unwrap();
    assert_ne!(first.code, second.code);
    world.sim.enter_pair_code(SENDER, first.code.expose()).await.expect_err("the later code counts");
    // A number without WhatsApp.
    let refused = connection.sender.pairing_code(&number("6281230000000")).await;
    assert!(matches!(refused, Err(MessengerError::Refused(_))), "{refused:?}");
    assert!(connection.sender.close(DEADLINE).await);
    let late = connection.sender.pairing_code(&number(SENDER)).await;
    assert!(matches!(late, Err(MessengerError::NotConnected)), "{late:?}");
}
