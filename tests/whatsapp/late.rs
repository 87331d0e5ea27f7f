//! A message whose time is over is not written any more.

use std::time::Duration;

use kurir_core::domain::Timestamp;
use kurir_core::memory::SystemClock;
use kurir_core::port::{Clock as _, Connection, MessengerError, MessengerEvent, Outgoing, SendAnswer, Stored};
use kurir_sim::PhoneBehaviour;

use crate::world::{DEADLINE, FRIEND, World, connected, number, wait};
use crate::{id, text};

/// The first receipt that nobody has recorded yet: nothing goes out before it is.
async fn unrecorded(connection: &mut Connection) -> Stored {
    loop {
        let event = tokio::time::timeout(DEADLINE, connection.events.recv()).await.expect("a receipt").unwrap();
        if let MessengerEvent::Receipt { stored, .. } = event {
            return stored;
        }
    }
}

fn message(name: &str, not_after: Timestamp) -> Outgoing {
    let text = Outgoing::text(number(FRIEND), id(name), text("123456"));
    Outgoing { not_after: Some(not_after), ..text }
}

#[tokio::test]
async fn what_waits_behind_a_receipt_until_its_time_is_over_never_arrives() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    let first = message("3EB0AA", SystemClock.now().plus(DEADLINE));
    assert_eq!(connection.sender.send(&first, DEADLINE).await.unwrap(), SendAnswer::Accepted);
    let stored = unrecorded(&mut connection).await;

    // Less than a receipt may wait for its record.
    let not_after = SystemClock.now().plus(Duration::from_secs(3));
    let second = message("3EB0BB", not_after);
    let sender = std::sync::Arc::clone(&connection.sender);
    let recorded_late = async {
        let left = not_after.since(SystemClock.now());
        tokio::time::sleep(left).await; // tidy: until the message's own moment [sleep]
        stored.tell();
        let end = |event| matches!(event, MessengerEvent::Disconnected).then_some(());
        wait(&mut connection, "word of the end", end).await;
    };
    let (answer, ()) = tokio::join!(sender.send(&second, DEADLINE), recorded_late);
    // Whether it shared a write with another frame decides whether the client knows that it was not written.
    assert!(matches!(answer, Ok(SendAnswer::Unknown) | Err(MessengerError::NotConnected)), "{answer:?}");
    connected(&mut connection).await;
    let mut connection = crate::world::recording(connection);
    let third = message("3EB0CC", SystemClock.now().plus(DEADLINE));
    assert_eq!(connection.sender.send(&third, DEADLINE).await.unwrap(), SendAnswer::Accepted);
    let inbox = world.sim.wait_for_messages(FRIEND, 2, DEADLINE).await.unwrap();
    let ids: Vec<_> = inbox.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["3EB0AA", "3EB0CC"]);
    connection.events.close();
}

#[tokio::test]
async fn what_is_late_already_is_not_begun() {
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    let late = connection.sender.send(&message("3EB0AA", SystemClock.now()), DEADLINE).await;
    assert!(matches!(late, Err(MessengerError::TooLate)), "{late:?}");
    let next = message("3EB0BB", SystemClock.now().plus(DEADLINE));
    assert_eq!(connection.sender.send(&next, DEADLINE).await.unwrap(), SendAnswer::Accepted, "and costs nothing");
    let inbox = world.sim.wait_for_messages(FRIEND, 1, DEADLINE).await.unwrap();
    assert_eq!(inbox[0].id, "3EB0BB");
}

/// A phone that could not read a message asks for it again, and gets it as long as there is time; that the message came twice to
/// the wire costs the connection nothing afterwards.
#[tokio::test]
async fn a_message_that_is_asked_for_again_in_time_arrives_and_leaves_nothing_behind() {
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    let mut connection = crate::world::recording(connection);
    world.sim.set_phone(FRIEND, PhoneBehaviour { asks_for_retry: true, ..PhoneBehaviour::default() }).unwrap();
    let not_after = SystemClock.now().plus(Duration::from_secs(10));
    let sent = connection.sender.send(&message("3EB0AA", not_after), DEADLINE).await;
    assert_eq!(sent.unwrap(), SendAnswer::Accepted);
    let inbox = world.sim.wait_for_messages(FRIEND, 1, DEADLINE).await.unwrap();
    assert_eq!((inbox[0].id.as_str(), inbox[0].text.as_deref(), inbox[0].shown), ("3EB0AA", Some("123456"), 1));
    assert_eq!(inbox[0].arrivals, 2, "it was not asked for again");

    let left = not_after.since(SystemClock.now());
    tokio::time::sleep(left).await; // tidy: until the message's own moment [sleep]
    world.sim.set_phone(FRIEND, PhoneBehaviour::default()).unwrap();
    let next = message("3EB0BB", SystemClock.now().plus(DEADLINE));
    assert_eq!(connection.sender.send(&next, DEADLINE).await.unwrap(), SendAnswer::Accepted);
    connection.events.close();
    while let Some(event) = connection.events.recv().await {
        assert!(!matches!(event, MessengerEvent::Disconnected), "the connection was cut");
    }
}
