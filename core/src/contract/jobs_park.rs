//! The job queues: jobs that wait elsewhere, and jobs that come back never.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Queues;
use super::jobs::{full_headers, job, next, nothing, own, take, text};
use super::suite::{SOON, eventually};
use crate::domain::{FailReason, Lane, Target};
use crate::port::{DeadLetter, PublishJob, Settled};

const DELAY: Duration = Duration::from_secs(1);

/// Clocks that count milliseconds may disagree by a few of them.
const SLACK: Duration = Duration::from_millis(10);

pub(super) async fn a_parked_job_comes_back_no_earlier(queues: Queues) {
    let id = queues.session().await;
    let mut body: Vec<u8> = (0..=u8::MAX).collect();
    body.reverse();
    let job = PublishJob { body: body.clone(), headers: full_headers(1), ..job(&id, Lane::Bulk, "") };
    queues.jobs.publish(vec![job]).await.unwrap();
    let mut stream = queues.stream(&id, Lane::Bulk, 10).await;
    for turn in 2..=3 {
        let delivery = next(&mut stream).await;
        let parked = Instant::now();
        assert_eq!(delivery.settle.park(DELAY, full_headers(turn)).await.unwrap(), Settled::Yes);
        let back = next(&mut stream).await;
        assert!(parked.elapsed() + SLACK >= DELAY, "it was back after {:?}", parked.elapsed());
        assert_eq!(own(&back.headers), full_headers(turn), "it has the headers that it was parked with");
        assert_eq!((&back.target, back.lane), (&Target::Session(id.clone()), Lane::Bulk));
        assert!(back.body == body, "it has the body that it had");
        assert_eq!(back.settle.release().await.unwrap(), Settled::Yes);
    }
    let delivery = next(&mut stream).await;
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    nothing(&mut stream, "the only job was acknowledged").await;
}

pub(super) async fn a_parked_job_lets_others_pass(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["parked", "next"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 1).await;
    let delivery = next(&mut stream).await;
    assert_eq!(text(&delivery), "parked");
    assert_eq!(delivery.settle.park(DELAY, full_headers(1)).await.unwrap(), Settled::Yes);
    take(&mut stream, "next").await;
    take(&mut stream, "parked").await;
}

pub(super) async fn a_parked_job_survives_its_stream(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 1).await;
    let delivery = next(&mut stream).await;
    stream.close().await.unwrap();
    assert_eq!(delivery.settle.park(DELAY, full_headers(5)).await.unwrap(), Settled::Yes);
    drop(stream);
    let mut successor = queues.stream(&id, Lane::Otp, 1).await;
    let back = next(&mut successor).await;
    assert_eq!((text(&back), back.headers.attempt), ("1", 5));
    assert_eq!(back.settle.ack().await.unwrap(), Settled::Yes);
}

pub(super) async fn a_parked_job_frees_the_window(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1", "2", "3"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 1).await;
    for _ in 0..3 {
        let delivery = next(&mut stream).await;
        let headers = full_headers(delivery.headers.attempt + 1);
        assert_eq!(delivery.settle.park(DELAY, headers).await.unwrap(), Settled::Yes);
    }
    let mut left: Vec<_> = ["1", "2", "3"].to_vec();
    timeout(SOON, async {
        while !left.is_empty() {
            let delivery = next(&mut stream).await;
            assert_eq!(delivery.headers.attempt, 1, "it was parked once");
            let before = left.len();
            left.retain(|body| *body != text(&delivery));
            assert_eq!(left.len() + 1, before, "{:?} came twice", text(&delivery));
            assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
        }
    })
    .await
    .expect("all come back");
}

pub(super) async fn a_dead_job_leaves_the_queue(queues: Queues) {
    let id = queues.session().await;
    let (bad, worse) = (format!("bad of {id}"), format!("worse of {id}"));
    queues.put(&id, Lane::Otp, &[&bad, "good", &worse]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 10).await;
    let letters = [
        (bad, DeadLetter { reason: FailReason::BadField, detail: "to: missing".into() }),
        (worse, DeadLetter { reason: FailReason::BadJson, detail: String::new() }),
    ];
    let delivery = next(&mut stream).await;
    assert_eq!(text(&delivery), letters[0].0);
    assert_eq!(delivery.settle.dead(letters[0].1.clone()).await.unwrap(), Settled::Yes);
    take(&mut stream, "good").await;
    let delivery = next(&mut stream).await;
    assert_eq!(delivery.settle.dead(letters[1].1.clone()).await.unwrap(), Settled::Yes);
    nothing(&mut stream, "a dead job does not come back").await;
    stream.close().await.unwrap();
    drop(stream);
    let mut successor = queues.stream(&id, Lane::Otp, 10).await;
    nothing(&mut successor, "a dead job does not come back").await;

    let Some(probe) = queues.dead else { return };
    let mut seen = Vec::new();
    for (body, letter) in letters {
        eventually("the dead letter with its reason and body", SOON, async || {
            seen.extend(probe.read().await);
            seen.contains(&(body.clone().into_bytes(), letter.clone())).then_some(())
        })
        .await;
    }
}
