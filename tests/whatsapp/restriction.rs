//! WhatsApp's restrictions of new chats, as the port tells them.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{SendAnswer, Timestamp};
use kurir_core::memory::SystemClock;
use kurir_core::port::{Clock as _, Connection, MessengerEvent, ReceiptKind};
use kurir_sim::Fault;

use crate::world::{DEADLINE, FRIEND, SENDER, World, number, wait};
use crate::{id, text};

/// The moment in a notification; `None` when it says that the restriction is over.
async fn told(connection: &mut Connection) -> Option<Timestamp> {
    wait(connection, "word of a restriction", |event| match event {
        MessengerEvent::Restricted { until } => Some(Some(until)),
        MessengerEvent::Unrestricted => Some(None),
        _ => None,
    })
    .await
}

/// Whether a moment lies about an hour ahead of `from`; WhatsApp tells whole seconds.
fn an_hour_after(from: Timestamp, until: Timestamp) -> bool {
    let ahead = until.since(from);
    (Duration::from_mins(59)..Duration::from_mins(62)).contains(&ahead)
}

#[tokio::test]
async fn a_timelock_is_told_and_asked_for_and_lifted() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    assert_eq!(connection.sender.restriction().await.unwrap(), None);
    let account = SENDER.parse().unwrap();
    let now = SystemClock.now();
    let lock = Fault::ReachoutTimelock { account, for_secs: Some(3600), enforcement_type: None };
    world.sim.fault(lock).await.unwrap();
    let until = told(&mut connection).await.expect("it is locked");
    assert!(an_hour_after(now, until), "{until}");
    let answer = connection.sender.send_text(&number(FRIEND), &id("3EB0AA"), &text("x"), DEADLINE).await;
    assert_eq!(answer.unwrap(), SendAnswer::Refused(463));
    assert_eq!(connection.sender.restriction().await.unwrap(), Some(until));
    world.sim.fault(Fault::LiftTimelock { account }).await.unwrap();
    assert_eq!(told(&mut connection).await, None);
    assert_eq!(connection.sender.restriction().await.unwrap(), None);
    let answer = connection.sender.send_text(&number(FRIEND), &id("3EB0AB"), &text("x"), DEADLINE).await;
    assert_eq!(answer.unwrap(), SendAnswer::Accepted);
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_asked_for() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    let account = SENDER.parse().unwrap();
    let now = SystemClock.now();
    let quota = Fault::NewChatQuota { account, total: Some(1), cycle_secs: Some(3600), code: Some(475) };
    world.sim.fault(quota).await.unwrap();
    let sender = Arc::clone(&connection.sender);
    let send = |to: &'static str| {
        let sender = Arc::clone(&sender);
        async move { sender.send_text(&number(to), &id(&format!("3EB0{to}")), &text("x"), DEADLINE).await.unwrap() }
    };
    assert_eq!(send(FRIEND).await, SendAnswer::Accepted);
    // Nothing goes out before its receipts are recorded.
    let read = |event: MessengerEvent| matches!(event, MessengerEvent::Receipt { receipt, .. } if receipt.kind == ReceiptKind::Read);
    wait(&mut connection, "the read receipt", |event| read(event).then_some(())).await;
    assert_eq!(send("6281230000003").await, SendAnswer::Refused(475));
    let until = connection.sender.restriction().await.unwrap().expect("it is used up");
    assert!(an_hour_after(now, until), "{until}");
}
