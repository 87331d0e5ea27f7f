//! A message that goes to nobody is not taken for sent, whatever WhatsApp says.

use kurir_core::port::{MessengerError, Outgoing, SendAnswer};

use crate::world::{DEADLINE, FRIEND, World, number};
use crate::{id, text};

#[tokio::test]
async fn what_only_the_own_phone_gets_is_not_sent() {
    let world = World::start().await;
    let (connection, _) = world.link("a").await;
    let connection = crate::world::recording(connection);
    let message = |name, to| Outgoing::text(number(to), id(name), text("hello"));
    // WhatsApp names no device of a number that it does not know, and acknowledges what the client makes of that.
    let sent = connection.sender.send(&message("3EB0AA", "6281230010000"), DEADLINE).await;
    assert!(
        matches!(&sent, Err(MessengerError::Client { source, .. }) if source.to_string().contains("no copy")),
        "{sent:?}"
    );
    assert_eq!(connection.sender.send(&message("3EB0BB", FRIEND), DEADLINE).await.unwrap(), SendAnswer::Accepted);
    let to_itself = message("3EB0CC", crate::world::SENDER);
    assert_eq!(connection.sender.send(&to_itself, DEADLINE).await.unwrap(), SendAnswer::Accepted);
}
