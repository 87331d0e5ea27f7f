//! Connections: their bounds and their end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kurir::gateway::Abandoned;
use kurir_core::domain::Lane;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, KEY, PATIENCE, Wishes, until};
use crate::queue::Fault;

fn message() -> String {
    json!({"session": "s1", "to": "+6281234567890", "content": {"type": "text", "text": "x"}}).to_string()
}

/// A request that is on its way, its answer not read yet.
fn send_raw(it: &Fixture) -> TcpStream {
    let body = message();
    let mut stream = connect(it);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

fn connect(it: &Fixture) -> TcpStream {
    let stream = TcpStream::connect(it.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read_all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn served(it: Fixture) -> Abandoned {
    let Fixture { runtime, served, .. } = it;
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, served).await });
    ended.expect("the stop ends").expect("no panic")
}

#[test]
fn a_stop_lets_requests_end_and_closes_idle_connections() {
    let it = Fixture::new();
    it.create("s1");
    let permits = Arc::new(Semaphore::new(0));
    it.queue.fail(Fault::Slow(Arc::clone(&permits)));
    // One that has never asked anything, and one whose job is at the queue.
    let idle = connect(&it);
    let busy = send_raw(&it);
    until("the job is being published", || it.queue.publishing.load(Ordering::SeqCst) == 1);
    it.stop.cancel();
    assert_eq!(read_all(idle), "");
    assert!(!it.served.is_finished());
    permits.add_permits(1);
    let answer = read_all(busy);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(it.depth("s1", Lane::Bulk), 1);
    assert!(TcpStream::connect(it.address).is_err(), "nobody listens any more");
    assert_eq!(served(it), Abandoned::default());
}

#[test]
fn a_stop_tells_what_it_abandons_at_its_deadline() {
    let it = Fixture::with(Wishes { stop_deadline: Duration::from_millis(200), ..Wishes::default() });
    it.create("s1");
    it.queue.fail(Fault::Slow(Arc::new(Semaphore::new(0))));
    let busy = send_raw(&it);
    until("the job is being published", || it.queue.publishing.load(Ordering::SeqCst) == 1);
    it.stop.cancel();
    assert_eq!(read_all(busy), "");
    assert_eq!(served(it), Abandoned { connections: 1, tasks: 1 });
}

#[test]
fn a_stop_waits_for_work_whose_caller_has_gone() {
    let it = Fixture::new();
    it.create("s1");
    let permits = Arc::new(Semaphore::new(0));
    it.queue.fail(Fault::Slow(Arc::clone(&permits)));
    let busy = send_raw(&it);
    until("the job is being published", || it.queue.publishing.load(Ordering::SeqCst) == 1);
    drop(busy);
    it.stop.cancel();
    permits.add_permits(1);
    until("the job is published after all", || it.depth("s1", Lane::Bulk) == 1);
    assert_eq!(served(it), Abandoned::default());
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let it = Fixture::with(Wishes { header_timeout: Duration::from_millis(100), ..Wishes::default() });
    let mut slow = connect(&it);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost:").unwrap();
    let answer = read_all(slow);
    assert!(!answer.contains("200"), "{answer}");
}

#[test]
fn a_body_that_does_not_come_ends_the_request() {
    let it = Fixture::with(Wishes { request_timeout: Duration::from_millis(100), ..Wishes::default() });
    let mut slow = connect(&it);
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\nConnection: close\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).unwrap();
    let answer = read_all(slow);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"timeout\""), "{answer}");
}

#[test]
fn connections_beyond_the_bound_wait_for_a_place_while_all_are_busy() {
    let it = Fixture::with(Wishes { max_connections: 1, ..Wishes::default() });
    it.create("s1");
    let permits = Arc::new(Semaphore::new(0));
    it.queue.fail(Fault::Slow(Arc::clone(&permits)));
    let first = send_raw(&it);
    until("the first job is being published", || it.queue.publishing.load(Ordering::SeqCst) == 1);
    let mut second = connect(&it);
    second.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(second.read(&mut [0]).is_err(), "answered while the only place was taken");
    permits.add_permits(1);
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(read_all(second).starts_with("HTTP/1.1 200"));
    // The first one got its answer before it made room.
    assert!(read_all(first).starts_with("HTTP/1.1 202"));
}

#[test]
fn whoever_asks_nothing_makes_room_the_longest_idle_first() {
    let it = Fixture::with(Wishes { max_connections: 8, ..Wishes::default() });
    it.create("s1");
    let mut idle: Vec<TcpStream> = (0..400).map(|_| connect(&it)).collect();
    // One that has had its answer is idle as well.
    let mut kept = connect(&it);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(kept.read(&mut [0]).unwrap() > 0);
    for _ in 0..20 {
        let mut asking = connect(&it);
        asking.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        assert!(read_all(asking).starts_with("HTTP/1.1 200"));
    }
    let body = message();
    assert_eq!(it.post_text(KEY, "/v1/messages", &body).status, 202);
    // The first ones were closed without a word.
    assert_eq!(idle[0].read(&mut [0]).unwrap(), 0);
}
