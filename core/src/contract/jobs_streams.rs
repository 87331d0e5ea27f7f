//! The job queues: streams, their window and their end.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use super::Queues;
use super::jobs::{full_headers, job, next, nothing, own, take, text};
use super::suite::SOON;
use crate::domain::Lane;
use crate::port::{JobStream, PublishJob, Settled};

pub(super) async fn the_window_bounds_what_is_unsettled(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1", "2", "3", "4"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 2).await;
    let first = next(&mut stream).await;
    let second = next(&mut stream).await;
    nothing(&mut stream, "two of a window of two are unsettled").await;
    assert_eq!(second.settle.ack().await.unwrap(), Settled::Yes);
    let third = next(&mut stream).await;
    assert_eq!(text(&third), "3");
    nothing(&mut stream, "two of a window of two are unsettled again").await;
    assert_eq!(first.settle.ack().await.unwrap(), Settled::Yes);
    take(&mut stream, "4").await;
    assert_eq!(third.settle.ack().await.unwrap(), Settled::Yes);
}

pub(super) async fn an_acknowledged_job_is_gone(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 10).await;
    take(&mut stream, "1").await;
    stream.close().await.unwrap();
    drop(stream);
    let mut stream = queues.stream(&id, Lane::Otp, 10).await;
    nothing(&mut stream, "the only job was acknowledged").await;
}

pub(super) async fn a_closed_stream_hands_out_nothing_more(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1", "2", "3"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 10).await;
    take(&mut stream, "1").await;
    stream.close().await.unwrap();
    for _ in 0..2 {
        let end = timeout(SOON, stream.next()).await.expect("a closed stream tells its end at once").unwrap();
        assert!(end.is_none(), "a closed stream has no next job");
    }
    stream.close().await.unwrap();
    // While the closed stream is still there: it holds nothing back.
    let mut successor = queues.stream(&id, Lane::Otp, 10).await;
    take(&mut successor, "2").await;
    take(&mut successor, "3").await;
}

pub(super) async fn what_was_handed_out_can_be_settled_after_close(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1", "2"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 1).await;
    let first = next(&mut stream).await;
    stream.close().await.unwrap();
    assert_eq!(first.settle.ack().await.unwrap(), Settled::Yes);
    drop(stream);
    let mut successor = queues.stream(&id, Lane::Otp, 10).await;
    take(&mut successor, "2").await;
    nothing(&mut successor, "the first job was acknowledged").await;
}

/// Takes so many jobs, acknowledges them and tells their bodies.
async fn bodies(stream: &mut Box<dyn JobStream>, count: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for _ in 0..count {
        let delivery = next(stream).await;
        assert!(seen.insert(text(&delivery).to_owned()), "{:?} came twice", text(&delivery));
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
    seen
}

pub(super) async fn unsettled_jobs_are_delivered_again(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1", "2", "3", "4"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 3).await;
    let first = next(&mut stream).await;
    let second = next(&mut stream).await;
    let third = next(&mut stream).await;
    assert_eq!(second.settle.ack().await.unwrap(), Settled::Yes);
    stream.close().await.unwrap();
    drop((first, third, stream));
    let mut successor = queues.stream(&id, Lane::Otp, 10).await;
    assert_eq!(bodies(&mut successor, 3).await, BTreeSet::from(["1", "3", "4"].map(str::to_owned)));
    nothing(&mut successor, "the second job was acknowledged").await;
}

pub(super) async fn a_dropped_stream_has_ended(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1", "2", "3"]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 2).await;
    drop(next(&mut stream).await);
    drop(stream);
    let mut successor = queues.stream(&id, Lane::Otp, 10).await;
    assert_eq!(bodies(&mut successor, 3).await, BTreeSet::from(["1", "2", "3"].map(str::to_owned)));
}

pub(super) async fn one_consumer_at_a_time(queues: Queues) {
    let id = queues.session().await;
    let mut active = queues.stream(&id, Lane::Otp, 2).await;
    let mut waiting = queues.stream(&id, Lane::Otp, 10).await;
    let mut other_lane = queues.stream(&id, Lane::Bulk, 10).await;
    queues.put(&id, Lane::Otp, &["1", "2", "3"]).await;
    queues.put(&id, Lane::Bulk, &["bulk"]).await;
    nothing(&mut waiting, "another stream is active").await;
    take(&mut other_lane, "bulk").await;
    take(&mut active, "1").await;
    take(&mut active, "2").await;
    active.close().await.unwrap();
    take(&mut waiting, "3").await;
    queues.put(&id, Lane::Otp, &["4"]).await;
    take(&mut waiting, "4").await;
}

pub(super) async fn a_dropped_call_loses_no_job(queues: Queues) {
    let id = queues.session().await;
    let mut stream = queues.stream(&id, Lane::Otp, 1).await;
    let early = timeout(Duration::from_millis(50), stream.next()).await;
    assert!(early.is_err(), "there is no job yet");
    queues.put(&id, Lane::Otp, &["1"]).await;
    take(&mut stream, "1").await;
}

pub(super) async fn calls_dropped_in_a_storm_lose_no_job(queues: Queues) {
    let id = queues.session().await;
    let mut stream = queues.stream(&id, Lane::Otp, 3).await;
    let names: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let publisher = {
        let (queues, id, names) = (queues.clone(), id.clone(), names.clone());
        tokio::spawn(async move {
            for name in &names {
                queues.put(&id, Lane::Otp, &[name]).await;
            }
        })
    };
    let mut seen = Vec::new();
    let mut patience = 0;
    timeout(SOON, async {
        while seen.len() < names.len() {
            patience = (patience + 1) % 4;
            let Ok(answer) = timeout(Duration::from_millis(patience), stream.next()).await else { continue };
            let delivery = answer.unwrap().expect("the stream is open");
            seen.push(text(&delivery).to_owned());
            assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
        }
    })
    .await
    .expect("every job is handed out in the end");
    publisher.await.unwrap();
    assert_eq!(seen, names);
}

pub(super) async fn a_released_job_comes_back_at_once(queues: Queues) {
    let id = queues.session().await;
    let wanted = PublishJob { headers: full_headers(3), ..job(&id, Lane::Otp, "1") };
    queues.jobs.publish(vec![wanted.clone()]).await.unwrap();
    let mut stream = queues.stream(&id, Lane::Otp, 1).await;
    for _ in 0..3 {
        let delivery = next(&mut stream).await;
        assert_eq!((text(&delivery), own(&delivery.headers)), ("1", wanted.headers.clone()));
        assert_eq!(delivery.settle.release().await.unwrap(), Settled::Yes);
    }
    let delivery = next(&mut stream).await;
    stream.close().await.unwrap();
    assert_eq!(delivery.settle.release().await.unwrap(), Settled::Yes, "an owner that stops gives its jobs back");
    let mut successor = queues.stream(&id, Lane::Otp, 1).await;
    let delivery = next(&mut successor).await;
    assert_eq!((text(&delivery), own(&delivery.headers)), ("1", wanted.headers));
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    nothing(&mut successor, "the only job was acknowledged").await;
}
