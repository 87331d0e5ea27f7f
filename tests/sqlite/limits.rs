//! Tables that would grow for ever, and what a dropped future leaves behind.

use std::time::Duration;

use kurir::adapters::sqlite::SqliteOptions;
use kurir_core::domain::{FailReason, Lane};
use kurir_core::port::{
    DeadFilter, DeadLetter, DeadLetters as _, EventFilter, EventSink as _, EventSource as _, JobQueue as _, Settled,
};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{KEY, Place, SOON, event, job, next, session};

#[tokio::test]
async fn only_the_newest_events_are_kept() {
    let place = Place::new();
    let options = SqliteOptions { events_kept: 5, ..SqliteOptions::new(place.file()) };
    let store = place.try_open(options, KEY).await.unwrap();
    let events = store.events();
    let mut behind = events.subscribe(EventFilter::default()).await.unwrap();
    for n in 0..20 {
        events.publish(&[event(n, &n.to_string())]).await.unwrap();
    }
    let mut outside =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(place.file())).await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM event").fetch_one(&mut outside).await.unwrap();
    assert_eq!(kept, 5);
    for n in 15..20 {
        let received = tokio::time::timeout(SOON, behind.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(received.body, n.to_string().as_bytes());
    }
}

#[tokio::test]
async fn only_the_newest_dead_letters_are_kept() {
    let place = Place::new();
    let options = SqliteOptions { dead_letters_kept: 2, ..SqliteOptions::new(place.file()) };
    let store = place.try_open(options, KEY).await.unwrap();
    let queue = store.queue();
    queue.declare(&session()).await.unwrap();
    queue.publish(["1", "2", "3", "4"].map(job).to_vec()).await.unwrap();
    let mut stream = queue.subscribe(&session(), Lane::Otp, 1).await.unwrap();
    for _ in 0..4 {
        let letter = DeadLetter { reason: FailReason::BadJson, detail: String::new() };
        assert_eq!(next(&mut stream).await.settle.dead(letter).await.unwrap(), Settled::Yes);
    }
    let bodies: Vec<_> =
        queue.list(&DeadFilter::default(), None, 10).await.unwrap().into_iter().map(|dead| dead.body).collect();
    assert_eq!(bodies, [b"3", b"4"], "the oldest are gone");
}

#[tokio::test]
async fn a_job_of_a_removed_queue_settles_stale() {
    let place = Place::new();
    let store = place.open().await;
    let queue = store.queue();
    queue.declare(&session()).await.unwrap();
    queue.publish(["1", "2"].map(job).to_vec()).await.unwrap();
    let mut stream = queue.subscribe(&session(), Lane::Otp, 2).await.unwrap();
    let taken = next(&mut stream).await;
    queue.remove(&session()).await.unwrap();
    assert_eq!(taken.settle.ack().await.unwrap(), Settled::Stale);
    // The second job was read ahead; it went with its queue.
    queue.declare(&session()).await.unwrap();
    queue.publish(vec![job("3")]).await.unwrap();
    assert_eq!(next(&mut stream).await.body, b"3");
}

#[tokio::test]
async fn calls_that_nobody_waits_for_are_carried_out() {
    let place = Place::new();
    let store = place.open().await;
    let queue = store.queue();
    queue.declare(&session()).await.unwrap();
    let mut stream = queue.subscribe(&session(), Lane::Otp, 1).await.unwrap();
    let mut waiting = Box::pin(stream.next());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    // Handed in by the first poll, then dropped: the stream is woken all the same.
    let mut publish = Box::pin(queue.publish(vec![job("1")]));
    assert!(futures_util::poll!(&mut publish).is_pending());
    drop(publish);
    let delivery = tokio::time::timeout(Duration::from_secs(4), waiting).await.expect("before the next look").unwrap();
    let delivery = delivery.unwrap();

    let mut ack = delivery.settle.ack();
    assert!(futures_util::poll!(&mut ack).is_pending());
    drop(ack);
    queue.publish(vec![job("2")]).await.unwrap();
    let mut stream = stream;
    assert_eq!(next(&mut stream).await.body, b"2", "the window is free again, and the first job is gone");
}

#[tokio::test]
async fn a_session_without_queues_cannot_be_subscribed() {
    let place = Place::new();
    let store = place.open().await;
    let refused = store.queue().subscribe(&session(), Lane::Otp, 1).await.err().expect("no queue is declared");
    assert!(!refused.is_transient() && refused.chain().contains("declare"), "{refused:?}");
}
