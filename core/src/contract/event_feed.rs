//! The suite of the feed of the log.

use std::sync::Arc;

use tokio::time::timeout;

use super::fixture::{now, session, tenant};
use super::suite::{QUIET, SOON, checks};
use crate::domain::{Epoch, EventKind, OutboxEvent, SessionStatus};
use crate::port::{EventFeed, EventIntake, EventSink};
use crate::wire::SessionDataV1;

/// What is published at one end waits at the other one.
#[derive(Clone)]
pub struct FeedPorts {
    /// Where events go.
    pub sink: Arc<dyn EventSink>,
    /// Where they wait for the log.
    pub feed: Arc<dyn EventFeed>,
}

/// Checks what the feed of the log promises. `make` gives a feed that nobody else publishes to and in which nothing waits.
pub async fn event_feed(make: impl AsyncFn() -> FeedPorts) {
    use self as feed;
    checks!(
        "event feed",
        make,
        [
            feed::events_wait_for_their_reader,
            feed::what_was_kept_does_not_come_again,
            feed::what_was_not_kept_comes_again,
            feed::readers_share_the_events,
            feed::a_dropped_call_loses_nothing,
        ]
    );
}

/// An event as the fleet publishes it: its body is its envelope.
fn told() -> OutboxEvent {
    let status = SessionStatus::created(now());
    let (tenant, session) = (tenant(), session());
    SessionDataV1::event(EventKind::SessionCreated, &tenant, &session, &status, (Epoch(1), 1), now()).unwrap()
}

fn told_many(count: usize) -> Vec<OutboxEvent> {
    (0..count).map(|_| told()).collect()
}

async fn next(part: &mut Box<dyn EventIntake>, most: usize) -> Vec<OutboxEvent> {
    timeout(SOON, part.next(most)).await.expect("events come soon").unwrap().expect("the feed is open")
}

async fn gather(part: &mut Box<dyn EventIntake>, count: usize) -> Vec<OutboxEvent> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(next(part, count - found.len()).await);
    }
    found
}

async fn nothing(part: &mut Box<dyn EventIntake>) {
    if let Ok(more) = timeout(QUIET, part.next(10)).await {
        panic!("something came: {more:?}");
    }
}

async fn events_wait_for_their_reader(ports: FeedPorts) {
    let events = told_many(5);
    ports.sink.publish(&events).await.unwrap();
    let mut part = ports.feed.take_part().await.unwrap();
    assert_eq!(gather(&mut part, 5).await, events);
    part.kept().await.unwrap();
}

async fn what_was_kept_does_not_come_again(ports: FeedPorts) {
    let mut part = ports.feed.take_part().await.unwrap();
    ports.sink.publish(&told_many(3)).await.unwrap();
    gather(&mut part, 3).await;
    part.kept().await.unwrap();
    nothing(&mut part).await;
    drop(part);
    let mut part = ports.feed.take_part().await.unwrap();
    nothing(&mut part).await;
}

async fn what_was_not_kept_comes_again(ports: FeedPorts) {
    let events = told_many(3);
    ports.sink.publish(&events).await.unwrap();
    let mut part = ports.feed.take_part().await.unwrap();
    gather(&mut part, 3).await;
    drop(part);
    let mut part = ports.feed.take_part().await.unwrap();
    assert_eq!(gather(&mut part, 3).await, events);
    part.kept().await.unwrap();
}

async fn readers_share_the_events(ports: FeedPorts) {
    let mut one = ports.feed.take_part().await.unwrap();
    let mut two = ports.feed.take_part().await.unwrap();
    let events = told_many(40);
    ports.sink.publish(&events).await.unwrap();
    let mut found = Vec::new();
    while found.len() < events.len() {
        let (part, more) = tokio::select! {
            more = one.next(1) => (&mut one, more),
            more = two.next(1) => (&mut two, more),
        };
        found.extend(more.unwrap().expect("the feed is open"));
        part.kept().await.unwrap();
    }
    let mut ids: Vec<_> = found.iter().map(|event| event.id).collect();
    let mut expected: Vec<_> = events.iter().map(|event| event.id).collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected, "each of them once");
}

async fn a_dropped_call_loses_nothing(ports: FeedPorts) {
    let mut part = ports.feed.take_part().await.unwrap();
    nothing(&mut part).await;
    let events = told_many(2);
    ports.sink.publish(&events).await.unwrap();
    assert_eq!(gather(&mut part, 2).await, events);
    part.kept().await.unwrap();
}
