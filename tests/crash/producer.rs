//! A producer that does not know whether its job was taken publishes it again under the same id.

use kurir_core::domain::{EventKind, Lane, SessionId, Target};
use kurir_core::port::{Enqueued, JobHeaders, JobQueue as _, PublishJob};
use kurir_core::wire::JOB_KIND;

use crate::death::{died, stop};
use crate::in_both_modes;
use crate::job::{Got, Job};
use crate::world::{Mode, World};

const TO: &str = "6281600000005";

in_both_modes!(entry_and_publish, publish_and_answer);

/// The gateway dies at the point; its caller, who got no answer, asks again. Gives what the phone got.
async fn asked_again(mode: Mode, point: &str) -> Got {
    let mut world = World::start(mode, &[]).await;
    let front = world.front(Some(point)).await;
    let worker = if mode == Mode::Fleet { Some(world.sender(None).await) } else { None };
    world.link().await;
    let job = Job::to(TO);
    assert_eq!(world.publish(&job).await, None, "the gateway answered before it died");
    died(front, point).await;
    let front = world.front(None).await;
    assert_eq!(world.publish(&job).await, Some(200), "the same id is the same job");
    job.is(&world, "sent").await;
    world.settles().await;
    job.is_told(&world, EventKind::MessageSent, 1).await;
    let got = job.got(&world).await;
    for process in worker.into_iter().chain([front]) {
        stop(process).await;
    }
    got
}

/// Row "the gateway's ledger entry and its publish".
async fn entry_and_publish(mode: Mode) {
    assert_eq!(asked_again(mode, "entry-written").await, Got { arrivals: 1, shown: 1 });
}

/// Row "the producer's publish and its confirm", for callers of the gateway.
async fn publish_and_answer(mode: Mode) {
    assert_eq!(asked_again(mode, "job-published").await, Got { arrivals: 1, shown: 1 });
}

/// The same row, for producers at the broker: two copies in the queue under one id.
#[tokio::test(flavor = "multi_thread")]
async fn fleet_two_copies_in_the_queue() {
    let mut world = World::start(Mode::Fleet, &[]).await;
    let worker = world.sender(None).await;
    world.link().await;
    let job = Job::to(TO);
    let copy = || PublishJob {
        target: Target::Session(SessionId::new(&world.session).unwrap()),
        lane: Lane::Otp,
        body: job.body(&world.tenant, &world.session),
        headers: JobHeaders { kind: JOB_KIND.into(), message_id: Some(job.id.to_string()), ..JobHeaders::default() },
    };
    let answers = world.broker().publish(vec![copy(), copy()]).await.unwrap();
    assert_eq!(answers, [Enqueued::Accepted, Enqueued::Accepted]);
    job.is(&world, "sent").await;
    // And long after it was sent.
    assert_eq!(world.broker().publish(vec![copy()]).await.unwrap(), [Enqueued::Accepted]);
    world.settles().await;
    job.is_told(&world, EventKind::MessageSent, 1).await;
    assert_eq!(job.got(&world).await, Got { arrivals: 1, shown: 1 });
    stop(worker).await;
}
