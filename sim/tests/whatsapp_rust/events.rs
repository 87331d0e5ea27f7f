//! The event stream: no gap, whatever happens to the listener.

use std::sync::Arc;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::http::{EventStream, ask};

async fn write(sim: &kurir_sim::SimHandle, times: usize) {
    for _ in 0..times {
        sim.send_text("15551230002", "15551230001", "hello").await.expect("the phone writes");
    }
}

/// Reads entries until the one at `last`, and gives their positions.
async fn positions(events: &mut EventStream, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        let event = events.told().await;
        assert_eq!(event.name, None, "{event:?}");
        seen.push(event.data["seq"].as_u64().expect("a position"));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_goes_on_where_it_stopped() {
    let sim = simulator(|_| ()).await;
    write(&sim, 3).await;
    let last = sim.journal(0, 1000).last().expect("entries").seq;
    let mut events = EventStream::open(&sim, "/events?after=0", None).await;
    let first = events.told().await;
    assert_eq!(first.data["seq"], 1);
    assert_eq!(positions(&mut events, last).await, (2..=last).collect::<Vec<_>>());
    drop(events);

    write(&sim, 300).await;
    let now = sim.journal(0, 1000).last().expect("entries").seq;
    let id = first.id.expect("an id");
    // The header of a browser that reconnects counts more than the address it began with.
    let mut again = EventStream::open(&sim, "/events?after=0", Some(&id)).await;
    let live = async {
        write(&sim, 300).await;
        sim.journal(0, 5000).len() as u64
    };
    let replayed = async { positions(&mut again, now).await };
    let (seen, end) = tokio::join!(replayed, live);
    assert_eq!(seen, (2..=now).collect::<Vec<_>>());
    assert_eq!(positions(&mut again, end).await, (now + 1..=end).collect::<Vec<_>>());
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_learns_what_it_can_not_get_any_more() {
    let sim = simulator(|config| config.limits.journal_entries = 2).await;
    write(&sim, 5).await;
    let last = sim.journal(0, 10).last().expect("entries").seq;
    let mut events = EventStream::open(&sim, "/events?after=1", None).await;
    let missed = events.told().await;
    assert_eq!(missed.name.as_deref(), Some("missed"));
    assert_eq!(missed.data["missed"], last - 3);
    assert_eq!(positions(&mut events, last).await, [last - 1, last]);

    for id in ["another-1".to_owned(), format!("{}", last + 5)] {
        let mut events = EventStream::open(&sim, "/events", Some(&id)).await;
        assert_eq!(events.told().await.name.as_deref(), Some("reset"), "{id}");
        write(&sim, 1).await;
        assert_eq!(events.told().await.data["event"], "written");
    }
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_clients_and_silent_changes_are_told_and_a_stop_ends_the_stream() {
    let sim = simulator(|_| ()).await;
    let mut events = EventStream::open(&sim, "/events", None).await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let waiting = events.told().await;
    assert_eq!(waiting.name.as_deref(), Some("waiting"));
    assert_eq!(waiting.data[0]["seen"], false);
    let qr = client.qr().await;
    sim.scan(&qr, "15551230001").await.expect("links");
    let mut gone = events.told().await;
    while gone.name.is_none() {
        // What the journal tells of the link may come before it.
        gone = events.told().await;
    }
    assert_eq!((gone.name.as_deref(), &gone.data), (Some("waiting"), &serde_json::json!([])));
    client.connected().await;
    while events.next().await.expect("goes on").name.as_deref() != Some("changed") {}
    client.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
    while events.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_and_given_back() {
    let sim = simulator(|_| ()).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(EventStream::open(&sim, "/events", None).await);
    }
    let refused = ask(&sim, "GET", "/events", None).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "too_many_streams"));
    drop(open);
    // A place is free again once the simulator noticed that its listener is gone.
    write(&sim, 1).await;
    let begun = std::time::Instant::now();
    while EventStream::open(&sim, "/events", None).await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "no place was given back");
        tokio::task::yield_now().await;
    }
    sim.stop(PATIENCE).await;
}
