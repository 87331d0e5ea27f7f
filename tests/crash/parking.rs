//! A job that has to wait while its owner dies: it comes back, and however many copies of it there are, one is sent.

use kurir_core::domain::EventKind;

use crate::death::{died, stop};
use crate::job::{Got, Job};
use crate::world::{Mode, World};

const TO: &str = "6281600000004";

/// How long the second password to one number has to wait: longer than a take-over takes.
const PAUSE: &str = "25s";

/// Sends one password, so that the next one to the same number has to wait, and dies with that at the point.
async fn dead_with_a_waiting_job(world: &mut World, point: &str) -> Job {
    let first = world.sender(Some(point)).await;
    world.link().await;
    let before = Job::to(TO);
    world.publish(&before).await;
    before.is(world, "sent").await;
    let job = Job::to(TO);
    world.publish(&job).await;
    died(first, point).await;
    job
}

/// Row "the confirm of a parked copy and the acknowledgement of the original". One process alone parks a job by one
/// write to its row: there are no two copies.
#[tokio::test(flavor = "multi_thread")]
async fn fleet_copy_and_original() {
    let mut world = World::start(Mode::Fleet, &[("KURIR_LIMITS__RECIPIENT__OTP_EVERY", PAUSE)]).await;
    let job = dead_with_a_waiting_job(&mut world, "copy-confirmed").await;
    let mut second = world.sender(None).await;
    // One copy is sent, the other one finds its end.
    let known = |line: &str| line.contains("was delivered again").then_some(());
    second.line("recognition of the second copy", known).await;
    job.is(&world, "sent").await;
    world.settles().await;
    job.is_told(&world, EventKind::MessageSent, 1).await;
    assert_eq!(job.got(&world).await, Got { arrivals: 1, shown: 1 });
    stop(second).await;
}

/// What there is of that row in one process alone: right after the write, the job waits for its time.
#[tokio::test(flavor = "multi_thread")]
async fn embedded_parked_job() {
    let mut world = World::start(Mode::Embedded, &[("KURIR_LIMITS__RECIPIENT__OTP_EVERY", "10s")]).await;
    let job = dead_with_a_waiting_job(&mut world, "job-parked").await;
    let second = world.sender(None).await;
    job.is(&world, "sent").await;
    world.settles().await;
    // The relay of the process that died tells events beside its worker, so it may have died between telling this one and
    // noting that.
    let told = job.is_told_at_least(&world, EventKind::MessageDelayed, 1).await;
    assert!(told <= 2, "{told}");
    job.is_told(&world, EventKind::MessageSent, 1).await;
    assert_eq!(job.got(&world).await, Got { arrivals: 1, shown: 1 });
    stop(second).await;
}
