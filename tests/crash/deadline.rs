//! The same points with a deadline that passes while nobody owns the session: nothing is sent any more.

use std::time::Duration;

use kurir_core::domain::EventKind;

use crate::death::{died, kill, stop};
use crate::in_both_modes;
use crate::job::{Got, Job};
use crate::world::{Mode, World};

const TO: &str = "6281600000002";

/// Long enough to come to the point, on two busy cores.
const LIFE: Duration = Duration::from_secs(12);

in_both_modes!(delivery_and_send, intent_and_send, wire_and_answer);

/// Dies at the point and comes back when the job is worth nothing any more.
async fn ends(mode: Mode, point: &str, state: &str, kind: EventKind) {
    let mut world = World::start(mode, &[]).await;
    let first = world.sender(Some(point)).await;
    world.link().await;
    let job = Job::within(TO, LIFE);
    world.publish(&job).await;
    died(first, point).await;
    job.passes().await;
    let second = world.sender(None).await;
    job.is(&world, state).await;
    job.is_told(&world, kind, 1).await;
    job.watch_deadline(&world).await;
    world.settles().await;
    assert_eq!(job.got(&world).await, Got { arrivals: 0, shown: 0 });
    stop(second).await;
}

/// Nothing was on the wire: it has expired.
async fn delivery_and_send(mode: Mode) {
    ends(mode, "job-taken", "expired", EventKind::MessageExpired).await;
}

/// It may have been on the wire, as far as the ledger knows.
async fn intent_and_send(mode: Mode) {
    ends(mode, "intent-persisted", "uncertain", EventKind::MessageUncertain).await;
}

/// It was on the wire, in time, and the answer never came: not sent again.
async fn wire_and_answer(mode: Mode) {
    let mut world = World::start(mode, &[]).await;
    let first = world.sender(None).await;
    world.link().await;
    world.next_answer_is_lost().await;
    let job = Job::within(TO, LIFE);
    world.publish(&job).await;
    job.arrives(&world).await;
    kill(first).await;
    job.passes().await;
    let second = world.sender(None).await;
    job.is(&world, "uncertain").await;
    job.is_told(&world, EventKind::MessageUncertain, 1).await;
    job.watch_deadline(&world).await;
    world.settles().await;
    assert_eq!(job.got(&world).await, Got { arrivals: 1, shown: 1 });
    stop(second).await;
}
