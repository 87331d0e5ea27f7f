//! From the result to the end of the job: the fact is stored, so it is told, and nothing is sent again.

use kurir_core::domain::EventKind;

use crate::death::{died, stop};
use crate::in_both_modes;
use crate::job::{Got, Job};
use crate::world::{Mode, World};

const TO: &str = "6281600000003";

in_both_modes!(result_and_event, event_and_acknowledgement);

/// Dies at the point with one job; another one finds the job in the queue and its end in the ledger.
async fn told(mode: Mode, point: &str, times: usize) {
    let mut world = World::start(mode, &[]).await;
    let first = world.sender(Some(point)).await;
    world.link().await;
    let job = Job::to(TO);
    world.publish(&job).await;
    died(first, point).await;
    let mut second = world.sender(None).await;
    let known = |line: &str| line.contains("was delivered again").then_some(());
    second.line("recognition of the job that was delivered again", known).await;
    job.is_told(&world, EventKind::MessageSent, times).await;
    job.is(&world, "sent").await;
    world.settles().await;
    assert_eq!(job.got(&world).await, Got { arrivals: 1, shown: 1 });
    stop(second).await;
}

/// Row "result and the event's confirm": the relay publishes what was left.
async fn result_and_event(mode: Mode) {
    told(mode, "result-persisted", 1).await;
}

/// Row "confirm and acknowledgement": the relay publishes once more what nobody took out of the outbox.
async fn event_and_acknowledgement(mode: Mode) {
    told(mode, "event-confirmed", 2).await;
}
