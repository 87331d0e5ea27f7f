//! Somebody writes to the session: WhatsApp hears that the message was received only after it is in the outbox, so a death
//! in between loses nothing.

use kurir_core::domain::{EventId, EventKind, SessionId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::death::{died, stop};
use crate::http::until;
use crate::in_both_modes;
use crate::world::{Mode, OWN, World};

const FROM: &str = "6281600000006";

in_both_modes!(arrival_and_outbox, outbox_and_acknowledgement, waiting_messages);

/// A person writes; gives the id of the event that must tell of it.
async fn written(world: &World, text: &str) -> (String, Uuid) {
    let (status, answer) =
        world.sim.post(&format!("/phones/{FROM}/send"), json!({"to": OWN, "text": text})).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    let message = answer["id"].as_str().unwrap().to_owned();
    let session = SessionId::new(&world.session).unwrap();
    let id = EventId::of_session(&session, EventKind::MessageReceived, &format!("{FROM}/{message}")).0;
    (message, id)
}

async fn told(world: &World) -> Vec<Uuid> {
    let told = world.told().await.into_iter();
    told.filter(|event| event.kind == EventKind::MessageReceived.as_str()).map(|event| event.id).collect()
}

async fn is_told(world: &World, id: Uuid) {
    let what = format!("message.received with the id {id}");
    until(&what, async || {
        let told = told(world).await;
        if told.contains(&id) { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await;
}

/// Waits until WhatsApp has heard that the session got the message.
async fn is_acknowledged(world: &World, message: &str) {
    let path = format!("/phones/{FROM}");
    let delivered = |phone: &Value| {
        let mut all = phone["outgoing"].as_array().into_iter().flatten();
        all.any(|written| written["id"] == message && written["delivered"] == true)
    };
    world.sim.until("acknowledgement", &path, |(_, phone)| delivered(phone).then_some(())).await;
}

/// Dies at the point with a message; another one tells of it. Gives how often it was told.
async fn told_by_the_successor(mode: Mode, point: &str) -> usize {
    let mut world = World::start(mode, &[]).await;
    let first = world.sender(Some(point)).await;
    world.link().await;
    let (message, event) = written(&world, "Apakah ini benar?").await;
    died(first, point).await;
    let second = world.sender(None).await;
    is_told(&world, event).await;
    is_acknowledged(&world, &message).await;
    // The session goes on hearing, and nothing came under another id.
    let (next, after) = written(&world, "Halo?").await;
    is_told(&world, after).await;
    is_acknowledged(&world, &next).await;
    world.settles().await;
    let told = told(&world).await;
    assert!(told.iter().all(|id| [event, after].contains(id)), "told under another id: {told:?}");
    stop(second).await;
    told.iter().filter(|id| **id == event).count()
}

/// Nothing was stored: WhatsApp delivers it again. Before it dies the process stands still there for a while, so that an
/// acknowledgement that does not wait for the outbox gets out.
async fn arrival_and_outbox(mode: Mode) {
    assert_eq!(told_by_the_successor(mode, "incoming-arrived:1:1000").await, 1);
}

/// It is in the outbox, and WhatsApp delivers it again: the relay and the successor may both tell of it, by one id.
async fn outbox_and_acknowledgement(mode: Mode) {
    let times = told_by_the_successor(mode, "incoming-stored").await;
    assert!((1..=2).contains(&times), "told {times} times");
}

/// Messages that waited while nobody was there come many at once, and whoever takes them dies with them.
async fn waiting_messages(mode: Mode) {
    let mut world = World::start(mode, &[]).await;
    let first = world.sender(None).await;
    world.link().await;
    let (message, event) = written(&world, "Halo?").await;
    is_told(&world, event).await;
    is_acknowledged(&world, &message).await;
    stop(first).await;
    let mut all = Vec::new();
    for count in 0..5 {
        all.push(written(&world, &format!("Halo? {count}")).await);
    }
    died(world.doomed("incoming-stored"), "incoming-stored").await;
    died(world.doomed("incoming-arrived"), "incoming-arrived").await;
    let last = world.sender(None).await;
    for (message, event) in &all {
        is_told(&world, *event).await;
        is_acknowledged(&world, message).await;
    }
    world.settles().await;
    stop(last).await;
}
