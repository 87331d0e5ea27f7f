//! Streams of events: what they tell to whom, where they go on, and how they end.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::StreamExt as _;
use kurir::gateway::Abandoned;
use kurir_core::domain::{EventId, EventKind, OutboxEvent, SessionId};
use kurir_core::port::{Clock as _, EventLog as _, EventSink as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, KEY, OTHER_KEY, PATIENCE, Wishes, session, tenant};

const SENT: EventKind = EventKind::MessageSent;
const READ: EventKind = EventKind::MessageRead;

impl Fixture {
    /// Something happens at a session of a tenant: it comes into the log and is told live.
    fn happen(&self, of: &str, at: Option<&SessionId>, kind: EventKind, n: u32) {
        let body = json!({"type": kind.as_str(), "n": n}).to_string().into_bytes();
        let at_time = self.clock.now();
        let id = EventId(Uuid::new_v4());
        let event = OutboxEvent { id, tenant: tenant(of), session: at.cloned(), kind, at: at_time, body };
        self.runtime.block_on(async {
            self.stores.append(std::slice::from_ref(&event)).await.unwrap();
            self.events.publish(&[event]).await.unwrap();
        });
    }

    fn open(&self, key: &str, query: &str, headers: &[(&str, &str)]) -> Frames {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
        let mut request = agent.get(self.url(&format!("/v1/events{query}"))).header("X-Api-Key", key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let mut frames = Frames { lines: BufReader::new(Box::new(answer.into_body().into_reader())) };
        let first = frames.next().expect("the stream begins");
        assert_eq!(first.retry.as_deref(), Some("2000"));
        frames
    }
}

/// The frames of a stream.
struct Frames {
    lines: BufReader<Box<dyn Read + Send>>,
}

#[derive(Debug, Default)]
struct Frame {
    id: Option<String>,
    event: String,
    data: String,
    retry: Option<String>,
}

impl Frame {
    fn n(&self) -> u64 {
        serde_json::from_str::<Value>(&self.data).unwrap()["n"].as_u64().unwrap()
    }
}

impl Frames {
    /// The next one; `None` at the stream's end.
    fn next(&mut self) -> Option<Frame> {
        let mut frame = Frame::default();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end_matches('\n');
            if line.is_empty() {
                return Some(frame);
            }
            let (name, value) = line.split_once(':').unwrap();
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "id" => frame.id = Some(value),
                "event" => frame.event = value,
                "data" => frame.data = value,
                "retry" => frame.retry = Some(value),
                _ => {}
            }
        }
    }

    /// The next events' numbers.
    fn numbers(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.next().expect("the stream goes on").n()).collect()
    }

    /// The reason of the last word, after which there is nothing.
    fn end(&mut self) -> String {
        let last = self.next().expect("a last word");
        assert_eq!(last.event, "end", "{last:?}");
        assert!(self.next().is_none());
        serde_json::from_str::<Value>(&last.data).unwrap()["reason"].as_str().unwrap().to_owned()
    }
}

#[test]
fn what_happens_is_told_as_it_happens_and_a_reader_goes_on_where_he_was() {
    let it = Fixture::new();
    let s1 = session("s1");
    it.happen("acme", Some(&s1), SENT, 1);
    let mut stream = it.open(KEY, "", &[]);
    for n in 2..=4 {
        it.happen("acme", Some(&s1), SENT, n);
    }
    let second = stream.next().unwrap();
    assert_eq!((second.event.as_str(), second.n()), ("message.sent", 2), "what was before is not told");
    assert_eq!(stream.numbers(2), [3, 4]);
    drop(stream);
    it.happen("acme", None, SENT, 5);
    let id = second.id.unwrap();
    let mut again = it.open(KEY, "", &[("Last-Event-ID", &id)]);
    assert_eq!(again.numbers(3), [3, 4, 5]);
    it.happen("acme", None, SENT, 6);
    assert_eq!(again.numbers(1), [6]);
    assert_eq!(it.open(KEY, &format!("?last_event_id={id}"), &[]).numbers(4), [3, 4, 5, 6]);
    let mut short = it.open(KEY, "?since=2026-11-21T00:00:00Z&follow=false", &[]);
    assert_eq!(short.numbers(6), [1, 2, 3, 4, 5, 6]);
    assert_eq!(short.end(), "caught_up");
    // One that this log has never given out.
    let mut ahead = it.open(KEY, "?last_event_id=99999", &[]);
    it.happen("acme", None, SENT, 7);
    assert_eq!(ahead.numbers(1), [7]);
}

#[test]
fn a_reader_whose_place_is_forgotten_is_told_of_the_gap() {
    let it = Fixture::new();
    for n in 1..=3 {
        it.happen("acme", None, SENT, n);
    }
    it.clock.advance(Duration::from_mins(1));
    it.happen("acme", None, SENT, 4);
    let old = it.clock.now().minus(Duration::from_secs(1));
    assert_eq!(it.runtime.block_on(it.stores.forget(old, 100)).unwrap(), 3);
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let answer = agent.get(it.url("/v1/events?last_event_id=1&follow=false")).header("X-Api-Key", KEY).call().unwrap();
    let mut frames = Frames { lines: BufReader::new(Box::new(answer.into_body().into_reader())) };
    assert_eq!(frames.next().unwrap().event, "gap");
    assert_eq!(frames.numbers(1), [4]);
}

#[test]
fn a_stream_tells_what_was_asked_for() {
    let it = Fixture::new();
    let (s1, s2) = (session("s1"), session("s2"));
    it.happen("acme", Some(&s1), SENT, 1);
    it.happen("acme", Some(&s2), READ, 2);
    it.happen("acme", Some(&s1), EventKind::SessionConnected, 3);
    it.happen("acme", None, EventKind::WorkerJoined, 4);
    let all = "since=2026-11-21T00:00:00Z&follow=false";
    for (query, expected) in [
        ("", &[1, 2, 3, 4][..]),
        ("&types=*", &[1, 2, 3, 4]),
        ("&types=message.*", &[1, 2]),
        ("&types=message.read,session.*", &[2, 3]),
        ("&session=s1", &[1, 3]),
        ("&session=s1&types=message.*", &[1]),
        ("&session=nobodys", &[]),
        ("&types=fleet.worker_joined", &[4]),
    ] {
        let mut stream = it.open(KEY, &format!("?{all}{query}"), &[]);
        assert_eq!(stream.numbers(expected.len()), expected, "{query}");
        assert_eq!(stream.end(), "caught_up");
    }
    for (wrong, field) in [
        ("types=message", "types"),
        ("types=", "types"),
        ("session=a%20b", "session"),
        ("since=yesterday", "since"),
        ("last_event_id=x", "last_event_id"),
    ] {
        assert_eq!(it.get(&format!("/v1/events?{wrong}")).error(422, "bad_field")["field"], field, "{wrong}");
    }
    it.get("/v1/events?surprise=1").error(422, "bad_field");
    it.get("/v1/events?follow=perhaps").error(422, "bad_field");
}

#[test]
fn a_stream_tells_nothing_of_others() {
    let it = Fixture::new();
    let (mine, other) = (session("mine"), session("other"));
    it.happen("acme", Some(&mine), SENT, 1);
    it.happen("acme", Some(&other), SENT, 2);
    it.happen("acme", None, EventKind::WorkerJoined, 3);
    let all = "?since=2026-11-21T00:00:00Z&follow=false";
    assert_eq!(it.open(OTHER_KEY, all, &[]).end(), "caught_up");
    let made = it.post("/v1/keys", &json!({"scopes": ["read"], "sessions": ["mine"]})).json();
    let narrow = made["key"].as_str().unwrap();
    let mut stream = it.open(narrow, all, &[]);
    assert_eq!(stream.numbers(1), [1]);
    assert_eq!(stream.end(), "caught_up");
    it.get_with("/v1/events?session=other", &[("X-Api-Key", narrow)]).error(404, "not_found");
    let made = it.post("/v1/keys", &json!({"scopes": ["send"]})).json();
    it.get_with("/v1/events", &[("X-Api-Key", made["key"].as_str().unwrap())]).error(403, "forbidden");
    // Live as well.
    let mut stream = it.open(narrow, "", &[]);
    it.happen("other", Some(&mine), SENT, 4);
    it.happen("acme", Some(&other), SENT, 5);
    it.happen("acme", Some(&mine), SENT, 6);
    assert_eq!(stream.numbers(1), [6]);
}

#[test]
fn a_key_that_ends_takes_its_streams_with_it() {
    let it = Fixture::new();
    let made = it.post("/v1/keys", &json!({"scopes": ["read"]})).json();
    let mut stream = it.open(made["key"].as_str().unwrap(), "", &[]);
    assert_eq!(it.delete(&format!("/v1/keys/{}", made["id"].as_str().unwrap())).status, 200);
    assert_eq!(stream.end(), "key_ended");
}

#[test]
fn there_are_so_many_streams_of_a_key_and_no_more() {
    let it = Fixture::with(Wishes { max_streams: 3, streams_per_key: 2, ..Wishes::default() });
    let first = it.open(KEY, "", &[]);
    let _second = it.open(KEY, "", &[]);
    let refused = it.get("/v1/events");
    refused.error(429, "too_many_streams");
    assert!(refused.header("retry-after").is_some());
    let _other = it.open(OTHER_KEY, "", &[]);
    it.get_with("/v1/events", &[("X-Api-Key", OTHER_KEY)]).error(429, "too_many_streams");
    drop(first);
    crate::fixture::until("a place is free again", || it.get("/v1/events?follow=false").status == 200);
}

#[test]
fn a_reader_who_takes_nothing_is_cut_off() {
    let wishes = Wishes { max_streams: 1, stream_patience: Duration::from_millis(300), ..Wishes::default() };
    let it = Fixture::with(wishes);
    let mut deaf = TcpStream::connect(it.address).unwrap();
    deaf.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n\r\n");
    deaf.write_all(request.as_bytes()).unwrap();
    let mut byte = [0];
    deaf.read_exact(&mut byte).unwrap();
    // More than any buffer between the two ends takes.
    let text = "x".repeat(60_000);
    let events: Vec<_> = (0..400)
        .map(|_| OutboxEvent {
            id: EventId(Uuid::new_v4()),
            tenant: tenant("acme"),
            session: None,
            kind: SENT,
            at: it.clock.now(),
            body: json!({ "text": text }).to_string().into_bytes(),
        })
        .collect();
    it.runtime.block_on(it.stores.append(&events)).unwrap();
    crate::fixture::until("the place is free again", || it.get("/v1/events?follow=false").status == 200);
    let mut rest = Vec::new();
    // What was under way still comes; then the connection ends, though the reader has never closed it.
    let _ = deaf.read_to_end(&mut rest);
    assert!(rest.len() < 400 * 60_000, "all of it came");
}

#[test]
fn a_stop_ends_streams_with_a_last_word() {
    let it = Fixture::new();
    let mut stream = it.open(KEY, "", &[]);
    let mut socket = it.socket("");
    it.stop.cancel();
    assert_eq!(stream.end(), "stopping");
    assert_eq!(it.runtime.block_on(socket.closed()), (1001, "stopping".to_owned()));
    let Fixture { runtime, served, .. } = it;
    let abandoned = runtime.block_on(async { tokio::time::timeout(PATIENCE, served).await });
    assert_eq!(abandoned.expect("the stop ends").expect("no panic"), Abandoned::default());
}

type Connection = tokio_websockets::WebSocketStream<tokio::net::TcpStream>;

struct Socket(Connection);

impl Fixture {
    fn socket(&self, query: &str) -> Socket {
        let uri = format!("ws://{}/v1/events{query}", self.address);
        self.runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
            let name = http::HeaderName::from_static("x-api-key");
            let builder = tokio_websockets::ClientBuilder::new()
                .uri(&uri)
                .unwrap()
                .add_header(name, http::HeaderValue::from_static(KEY))
                .unwrap();
            Socket(builder.connect_on(stream).await.unwrap().0)
        })
    }
}

impl Socket {
    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("soon").unwrap().unwrap();
            if let Some(text) = message.as_text() {
                return serde_json::from_str(text).unwrap();
            }
            assert!(!message.is_close(), "closed: {:?}", message.as_close());
        }
    }

    /// Code and reason of the close frame.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("soon").unwrap().unwrap();
            if let Some((code, reason)) = message.as_close() {
                return (code.into(), reason.to_owned());
            }
        }
    }
}

#[test]
fn a_websocket_tells_the_same() {
    let it = Fixture::new();
    let s1 = session("s1");
    it.happen("acme", Some(&s1), SENT, 1);
    let mut socket = it.socket("?types=message.*");
    it.happen("acme", Some(&s1), EventKind::SessionConnected, 2);
    it.happen("acme", Some(&s1), READ, 3);
    let told = it.runtime.block_on(socket.next());
    assert_eq!(told["event"]["n"], 3);
    let position = told["position"].as_str().unwrap();
    it.happen("acme", None, SENT, 4);
    let mut again = it.socket(&format!("?last_event_id={position}&follow=false"));
    assert_eq!(it.runtime.block_on(again.next())["event"]["n"], 4);
    assert_eq!(it.runtime.block_on(again.closed()), (1000, "caught_up".to_owned()));
    let headers = [("X-Api-Key", KEY), ("Connection", "Upgrade"), ("Upgrade", "websocket")];
    it.get_with("/v1/events", &headers).error(400, "bad_handshake");
}
