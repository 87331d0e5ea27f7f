//! From the queue to WhatsApp's answer: nothing is lost, and what goes out twice is shown once.

use kurir_core::domain::EventKind;

use crate::death::{died, kill, stop};
use crate::in_both_modes;
use crate::job::{Got, Job};
use crate::world::{Mode, World};

const TO: &str = "6281600000001";

in_both_modes!(delivery_and_send, charge_and_send, intent_and_send, wire_and_answer, answer_and_result,);

/// Dies at the point with one job, and lets another one go on. Gives what the phone got of it in all.
async fn sent_by_the_successor(mode: Mode, point: &str) -> Got {
    let mut world = World::start(mode, &[]).await;
    let first = world.sender(Some(point)).await;
    world.link().await;
    let job = Job::to(TO);
    world.publish(&job).await;
    died(first, point).await;
    let second = world.sender(None).await;
    job.is(&world, "sent").await;
    world.settles().await;
    job.is_told(&world, EventKind::MessageSent, 1).await;
    assert!(job.told(&world, EventKind::MessageDelayed).await.is_empty(), "it had to wait for itself");
    let got = job.got(&world).await;
    stop(second).await;
    got
}

/// Row "delivery and send".
async fn delivery_and_send(mode: Mode) {
    assert_eq!(sent_by_the_successor(mode, "job-taken").await, Got { arrivals: 1, shown: 1 });
}

/// The same, after the recipient's limit was charged: the job does not stand in its own way.
async fn charge_and_send(mode: Mode) {
    assert_eq!(sent_by_the_successor(mode, "recipient-charged").await, Got { arrivals: 1, shown: 1 });
}

/// Row "intent and WhatsApp's answer", at its beginning: the message was not handed to the client yet.
async fn intent_and_send(mode: Mode) {
    assert_eq!(sent_by_the_successor(mode, "intent-persisted").await, Got { arrivals: 1, shown: 1 });
}

/// The same row, at its end: the phone has the message, the answer never came. The point lies between two bytes on a
/// socket, so the process is killed from outside, when the phone shows that it is reached.
async fn wire_and_answer(mode: Mode) {
    let mut world = World::start(mode, &[]).await;
    let first = world.sender(None).await;
    world.link().await;
    world.next_answer_is_lost().await;
    let job = Job::to(TO);
    world.publish(&job).await;
    job.arrives(&world).await;
    kill(first).await;
    let second = world.sender(None).await;
    job.is(&world, "sent").await;
    world.settles().await;
    job.is_told(&world, EventKind::MessageSent, 1).await;
    assert_eq!(job.got(&world).await, Got { arrivals: 2, shown: 1 });
    stop(second).await;
}

/// Row "WhatsApp's answer and result".
async fn answer_and_result(mode: Mode) {
    assert_eq!(sent_by_the_successor(mode, "answered").await, Got { arrivals: 2, shown: 1 });
}
