//! The scripted messenger does as it is told, in the ways that tests of the workers count on.

use std::time::Duration;

use kurir_core::domain::{Epoch, Fence, JobId, JobKey, MessageId, PhoneNumber, Secret, SessionId, TenantId};
use kurir_core::memory::{MemoryMessenger, Reply};
use kurir_core::port::{Connection, Messenger, MessengerError, MessengerEvent, NumberStatus, SendAnswer};
use tokio::sync::oneshot;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_millis(50);

fn fence(session: &str, epoch: u64) -> Fence {
    Fence { session: SessionId::new(session).unwrap(), epoch: Epoch(epoch) }
}

fn id(n: u128) -> MessageId {
    MessageId::derive(&JobKey::new(TenantId::new("t").unwrap(), JobId::new(Uuid::from_u128(n))))
}

fn number(tail: u32) -> PhoneNumber {
    PhoneNumber::from_digits(format!("628{tail:09}")).unwrap()
}

async fn send(connection: &Connection, n: u128) -> Result<SendAnswer, MessengerError> {
    connection.sender.send_text(&number(1), &id(n), &Secret::new(n.to_string()), PATIENCE).await
}

#[tokio::test]
async fn what_is_sent_is_recorded_and_answered_by_the_script() {
    let messenger = MemoryMessenger::new();
    let mut connection = messenger.open(fence("s", 1)).await.unwrap();
    assert!(matches!(connection.events.recv().await, Some(MessengerEvent::Connected)));
    assert_eq!(send(&connection, 1).await.unwrap(), SendAnswer::Accepted);
    let (answer, held) = oneshot::channel();
    let mut held = Some(held);
    messenger.script(move |message| match message.text() {
        "2" => Reply::Answer(SendAnswer::Refused(463)),
        "3" => Reply::NotConnected,
        "4" => Reply::Fenced,
        _ => held.take().map_or(Reply::Answer(SendAnswer::Unknown), Reply::Held),
    });
    assert_eq!(send(&connection, 2).await.unwrap(), SendAnswer::Refused(463));
    assert!(matches!(send(&connection, 3).await, Err(MessengerError::NotConnected)));
    assert!(matches!(send(&connection, 4).await, Err(MessengerError::Fenced)));
    assert_eq!(send(&connection, 5).await.unwrap(), SendAnswer::Unknown, "patience ended");
    drop(answer);
    let ids: Vec<_> = messenger.sent_at_least(3).await.into_iter().map(|sent| sent.id).collect();
    assert_eq!(ids, [id(1), id(2), id(5)], "what is not on the wire is not recorded");
}

#[tokio::test]
async fn numbers_are_as_told() {
    let messenger = MemoryMessenger::new();
    messenger.unregistered([number(2)]);
    let connection = messenger.open(fence("s", 1)).await.unwrap();
    let answers = connection.sender.check(&[number(1), number(2), number(3)]).await.unwrap();
    assert_eq!(answers, [NumberStatus::Registered, NumberStatus::Unregistered, NumberStatus::Registered]);
    assert_eq!(messenger.checked().len(), 3);
}

#[tokio::test]
async fn events_say_whether_it_can_send() {
    let messenger = MemoryMessenger::new();
    messenger.connect_on_open(false);
    let (fence, mut seen) = (fence("s", 1), Vec::new());
    let mut connection = messenger.open(fence.clone()).await.unwrap();
    assert!(matches!(send(&connection, 1).await, Err(MessengerError::NotConnected)));
    for (event, works) in [
        (MessengerEvent::Connected, true),
        (MessengerEvent::Disconnected, false),
        (MessengerEvent::Connected, true),
        (MessengerEvent::LoggedOut, false),
    ] {
        messenger.emit(&fence.session, event).await.unwrap();
        assert_eq!(send(&connection, 1).await.is_ok(), works);
    }
    assert!(messenger.emit(&fence.session, MessengerEvent::Connected).await.is_err(), "the client has stopped");
    while let Some(event) = connection.events.recv().await {
        seen.push(event);
    }
    assert_eq!(seen.len(), 4, "the events end after the client has stopped: {seen:?}");
    assert_eq!(messenger.open_sessions(), []);
}

#[tokio::test]
async fn a_second_connection_replaces_the_first() {
    let messenger = MemoryMessenger::new();
    let mut first = messenger.open(fence("s", 1)).await.unwrap();
    let second = messenger.open(fence("s", 2)).await.unwrap();
    first.events.recv().await;
    assert!(matches!(first.events.recv().await, Some(MessengerEvent::Replaced)));
    assert!(first.events.recv().await.is_none());
    assert!(send(&first, 1).await.is_err());
    assert!(first.sender.close(PATIENCE).await);
    assert_eq!(send(&second, 1).await.unwrap(), SendAnswer::Accepted, "closing the first does not touch the second");
    assert_eq!((messenger.replaced(), messenger.opened().len()), (1, 2));
    assert!(second.sender.close(PATIENCE).await);
    messenger.until_open(&SessionId::new("s").unwrap(), false).await;
    assert!(send(&second, 2).await.is_err());
}

#[tokio::test]
async fn a_logout_ends_the_connection() {
    let messenger = MemoryMessenger::new();
    let mut connection = messenger.open(fence("s", 1)).await.unwrap();
    connection.sender.logout().await.unwrap();
    assert_eq!(messenger.logged_out(), [SessionId::new("s").unwrap()]);
    connection.events.recv().await;
    assert!(connection.events.recv().await.is_none());
}
