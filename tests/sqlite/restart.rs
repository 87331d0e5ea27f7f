//! What is there after a stop or a crash.

use std::time::Duration;

use kurir_core::domain::{Lane, SessionStatus, Wanted};
use kurir_core::port::{
    Clock as _, Enqueued, EventFilter, EventSource as _, JobHeaders, JobQueue as _, PortError, SessionStore as _,
    Settled, Written,
};

use super::{Place, SOON, WallClock, claimed, job, next, owned, session};

/// The bodies of the jobs that stand in the lane.
async fn drain(store: &kurir::adapters::sqlite::SqliteStore, count: usize) -> Vec<String> {
    let mut stream = store.queue().subscribe(&session(), Lane::Otp, 10).await.unwrap();
    let mut bodies = Vec::new();
    for _ in 0..count {
        let delivery = next(&mut stream).await;
        bodies.push(String::from_utf8(delivery.body).unwrap());
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
    assert_eq!(store.queue().depth(&session(), Lane::Otp).await.unwrap(), 0);
    bodies
}

#[tokio::test]
async fn jobs_that_were_not_settled_come_again() {
    let place = Place::new();
    let store = place.open().await;
    let queue = store.queue();
    queue.declare(&session()).await.unwrap();
    let jobs = ["acked", "taken", "parked", "waiting"].map(job).to_vec();
    assert_eq!(queue.publish(jobs).await.unwrap(), [Enqueued::Accepted; 4]);
    let mut stream = queue.subscribe(&session(), Lane::Otp, 3).await.unwrap();
    assert_eq!(next(&mut stream).await.settle.ack().await.unwrap(), Settled::Yes);
    let taken = next(&mut stream).await;
    let headers = JobHeaders { attempt: 7, ..JobHeaders::default() };
    let parked = next(&mut stream).await;
    let took = parked.headers.enqueued_at;
    assert!(took.is_some());
    assert_eq!(parked.settle.park(Duration::from_millis(300), headers).await.unwrap(), Settled::Yes);
    store.close().await;
    drop((taken, stream, queue, store));

    let store = place.open().await;
    let mut stream = store.queue().subscribe(&session(), Lane::Otp, 10).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut stream).await;
        if delivery.body == b"parked" {
            assert_eq!((delivery.headers.attempt, delivery.headers.enqueued_at), (7, took));
        }
        seen.push(delivery.body);
    }
    seen.sort();
    assert_eq!(seen, [&b"parked"[..], b"taken", b"waiting"]);
}

#[tokio::test]
async fn what_was_confirmed_survives_a_crash() {
    let place = Place::new();
    let store = place.open().await;
    let queue = store.queue();
    queue.declare(&session()).await.unwrap();
    queue.publish(["1", "2", "3"].map(job).to_vec()).await.unwrap();
    let mut stream = queue.subscribe(&session(), Lane::Otp, 3).await.unwrap();
    assert_eq!(next(&mut stream).await.settle.ack().await.unwrap(), Settled::Yes);
    let fence = owned(&store).await;

    // What another process would find if this one ended now: the files as they are, without a close.
    let crashed = Place { entropy: place.entropy.clone(), ..Place::new() };
    std::fs::create_dir_all(crashed.file().parent().unwrap()).unwrap();
    for entry in std::fs::read_dir(place.file().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_str().unwrap().ends_with("-shm") {
            std::fs::copy(entry.path(), crashed.file().with_file_name(entry.file_name())).unwrap();
        }
    }
    let store = crashed.open().await;
    assert_eq!(store.epoch(&session()).await.unwrap(), Some(fence.epoch));
    assert_eq!(drain(&store, 2).await, ["2", "3"]);
}

#[tokio::test]
async fn closing_ends_what_waits() {
    let place = Place::new();
    let store = place.open().await;
    let queue = store.queue();
    queue.declare(&session()).await.unwrap();
    let mut jobs = queue.subscribe(&session(), Lane::Otp, 1).await.unwrap();
    let mut events = store.events().subscribe(EventFilter::default()).await.unwrap();
    let (jobs, events, ()) = tokio::time::timeout(SOON, async {
        tokio::join!(jobs.next(), events.next(), async {
            tokio::task::yield_now().await;
            store.close().await;
        })
    })
    .await
    .expect("nothing waits for ever");
    assert!(jobs.unwrap().is_none() && events.unwrap().is_none());
    let late = queue.publish(vec![job("late")]).await;
    assert!(matches!(late, Err(PortError::Closed(_))), "{late:?}");
}

#[tokio::test]
async fn a_session_created_anew_never_repeats_an_epoch() {
    let place = Place::new();
    let store = place.open().await;
    let mut old = owned(&store).await;
    for _ in 0..3 {
        assert!(store.want(&session(), Wanted::Deleted).await.unwrap());
        assert_eq!(store.delete(&old).await.unwrap(), Written::Done);
        let new = owned(&store).await;
        assert!(new.epoch > old.epoch, "{} after {}", new.epoch, old.epoch);
        let status = SessionStatus::created(WallClock.now());
        assert_eq!(store.update(&old, &status, &[]).await.unwrap(), Written::Fenced);
        assert_eq!(store.update(&new, &status, &[]).await.unwrap(), Written::Done);
        old = claimed(&store).await;
    }
}
