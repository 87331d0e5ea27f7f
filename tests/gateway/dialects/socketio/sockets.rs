use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kurir::gateway::Abandoned;
use kurir_core::domain::{EventKind, SessionState};
use serde_json::{Value, json};

use super::line::{Line, mark};
use super::{ask, make};
use crate::fixture::{Fixture, KEY, OTHER_KEY, PATIENCE, Wishes, until};

const STRANGER: Value = Value::Null;

/// Starts a session, so that it is wanted to run.
fn start(it: &Fixture, id: &str) {
    assert_eq!(ask(it, "POST", &format!("/api/sessions/{id}/start"), &json!({})).status, 200);
}

#[test]
fn a_socket_is_told_of_a_session_from_its_code_to_its_end() {
    let it = Fixture::new();
    let mut line = Line::of(&it, &STRANGER);
    let id = make(&it, "Toko");
    it.occurs("acme", &id, EventKind::SessionCreated, SessionState::Created, None);
    line.hears("created", &json!({"sessionId": id, "name": "Toko"}));
    start(&it, &id);
    it.turns("acme", &id, EventKind::SessionQr, SessionState::AwaitingScan, Some("2@first"));
    line.hears("qr", &json!({"qr": "2@first", "sessionId": id}));
    it.turns("acme", &id, EventKind::SessionQr, SessionState::AwaitingScan, Some("2@second"));
    line.hears("qr", &json!({"qr": "2@second", "sessionId": id}));
    it.turns("acme", &id, EventKind::SessionPaired, SessionState::Paired, None);
    line.hears("authenticated", &mark(&id));
    it.turns("acme", &id, EventKind::SessionConnected, SessionState::Connected, None);
    line.hears("ready", &json!({"sessionId": id, "name": "Toko", "phoneNumber": null}));
    it.turns("acme", &id, EventKind::SessionDisconnected, SessionState::Disconnected, None);
    line.hears("disconnected", &json!({"sessionId": id, "reason": "CONNECTION_LOST"}));
    it.turns("acme", &id, EventKind::SessionLoggedOut, SessionState::LoggedOut, None);
    line.hears("disconnected", &json!({"sessionId": id, "reason": "LOGOUT"}));
    it.turns("acme", &id, EventKind::SessionBanned, SessionState::Banned, None);
    line.hears("auth_failure", &json!({"sessionId": id, "message": "Nomor ini diblokir oleh WhatsApp"}));
    line.hears("disconnected", &json!({"sessionId": id, "reason": "BANNED"}));
    ask(&it, "POST", &format!("/api/sessions/{id}/stop"), &json!({}));
    line.hears("disconnected", &json!({"sessionId": id, "reason": "STOPPED"}));
    ask(&it, "DELETE", &format!("/api/sessions/{id}"), &Value::Null);
    line.hears("disconnected", &json!({"sessionId": id, "reason": "DELETED"}));
}

#[test]
fn who_comes_late_or_asks_again_sees_the_code_of_the_moment() {
    let it = Fixture::new();
    let (scanned, old, linked) = (make(&it, "Satu"), make(&it, "Dua"), make(&it, "Tiga"));
    for id in [&scanned, &old, &linked] {
        start(&it, id);
    }
    it.put(&old, SessionState::Connected, None);
    it.clock.advance(Duration::from_mins(2));
    it.put(&linked, SessionState::Paired, None);
    it.shows(&scanned, "2@now");
    let mut line = Line::of(&it, &json!({"key": KEY}));
    // In the order of their ids; who is connected for long is no news.
    line.hears("qr", &json!({"qr": "2@now", "sessionId": scanned}));
    line.hears("authenticated", &mark(&linked));
    start(&it, &scanned);
    line.hears("qr", &json!({"qr": "2@now", "sessionId": scanned}));
    start(&it, &old);
    line.hears("ready", &json!({"sessionId": old, "name": "Dua", "phoneNumber": null}));
    // A code that is over is not shown.
    it.clock.advance(Duration::from_mins(1));
    start(&it, &scanned);
    it.occurs("acme", &scanned, EventKind::SessionQr, SessionState::AwaitingScan, None);
    it.occurs("acme", &linked, EventKind::SessionPaired, SessionState::Paired, None);
    line.hears("authenticated", &mark(&linked));
}

#[test]
fn a_session_without_a_code_in_time_or_without_a_scan_is_told() {
    let it = Fixture::with(Wishes { qr_timeout: Duration::from_secs(5), ..Wishes::default() });
    let id = make(&it, "Toko");
    let mut line = Line::of(&it, &STRANGER);
    start(&it, &id);
    let (name, data) = line.event();
    assert_eq!((name.as_str(), &data["sessionId"]), ("qr_timeout", &json!(id)));
    assert!(data["message"].as_str().unwrap().starts_with("QR code tidak tersedia"), "{data}");
    it.turns("acme", &id, EventKind::SessionDisconnected, SessionState::ScanTimedOut, None);
    let (name, data) = line.event();
    assert_eq!(name, "qr_timeout");
    assert!(data["message"].as_str().unwrap().starts_with("QR code tidak dipindai"), "{data}");
    // One that shows its code in time is not told of.
    start(&it, &id);
    it.turns("acme", &id, EventKind::SessionQr, SessionState::AwaitingScan, Some("2@in-time"));
    line.hears("qr", &json!({"qr": "2@in-time", "sessionId": id}));
    let other = make(&it, "Lain");
    start(&it, &other);
    let (name, data) = line.event();
    assert_eq!((name.as_str(), &data["sessionId"]), ("qr_timeout", &json!(other)));
}

#[test]
fn nobody_hears_of_sessions_that_are_not_his() {
    let it = Fixture::new();
    let id = make(&it, "Toko");
    start(&it, &id);
    let scoped = |wish: Value| it.post("/v1/keys", &wish).json()["key"].as_str().unwrap().to_owned();
    let reader = scoped(json!({"label": "reader", "scopes": ["read"]}));
    let narrow = scoped(json!({"label": "narrow", "scopes": ["read", "control"], "sessions": ["another"]}));
    it.create("another");
    let mut other = Line::of(&it, &json!({"token": OTHER_KEY}));
    let mut reader = Line::of(&it, &json!({"key": reader}));
    let mut narrow = Line::of(&it, &json!({"key": narrow}));
    let mut own = Line::of(&it, &json!({"key": KEY}));
    it.turns("acme", &id, EventKind::SessionQr, SessionState::AwaitingScan, Some("2@secret"));
    own.hears("qr", &json!({"qr": "2@secret", "sessionId": id}));
    start(&it, &id);
    own.hears("qr", &json!({"qr": "2@secret", "sessionId": id}));
    it.turns("acme", &id, EventKind::SessionPaired, SessionState::Paired, None);
    own.hears("authenticated", &mark(&id));
    // Who may look only hears of everything but what would let him link the session.
    reader.hears("authenticated", &mark(&id));
    ask(&it, "POST", &format!("/api/sessions/{id}/stop"), &json!({}));
    reader.hears("disconnected", &json!({"sessionId": id, "reason": "STOPPED"}));
    // What the others hear first is what is theirs.
    it.occurs("acme", "another", EventKind::SessionPaired, SessionState::Paired, None);
    narrow.hears("authenticated", &mark("another"));
    it.occurs("other", "theirs", EventKind::SessionPaired, SessionState::Paired, None);
    other.hears("authenticated", &mark("theirs"));
    let sender = scoped(json!({"label": "sender", "scopes": ["send"]}));
    let mut sender = Line::open(&it, &[("Authorization", &format!("Bearer {sender}"))], "").ok().unwrap();
    assert_eq!(sender.greet(&json!({})), Err("API key ini tidak memiliki izin untuk permintaan ini".to_owned()));
}

#[test]
fn a_socket_has_to_come_from_here_or_with_a_key() {
    let it = Fixture::new();
    let open = |headers: &[(&str, &str)], query: &str| {
        Line::open(&it, headers, query).unwrap_or_else(|answer| panic!("{}", answer.text()))
    };
    let evil = [("Origin", "http://evil.example")];
    assert_eq!(open(&evil, "").greet(&STRANGER), Err("API key diperlukan".to_owned()));
    assert_eq!(open(&[("Origin", &it.url(""))], "").greet(&STRANGER), Ok(()));
    assert_eq!(open(&evil, "").greet(&json!({"key": KEY})), Ok(()));
    assert_eq!(open(&evil, &format!("&key={KEY}")).greet(&json!({})), Ok(()));
    assert_eq!(open(&[evil[0], ("X-Api-Key", KEY)], "").greet(&STRANGER), Ok(()));
    assert_eq!(open(&[], "").greet(&json!({"key": "nobody's"})), Err("API key tidak valid".to_owned()));
    // One that was turned away may try again.
    let mut line = open(&[], "");
    assert!(line.greet(&json!({"key": "nobody's"})).is_err());
    assert_eq!(line.greet(&json!({"key": KEY})), Ok(()));
}

#[test]
fn what_is_not_understood_harms_nobody() {
    let it = Fixture::new();
    let id = make(&it, "Toko");
    let mut line = Line::of(&it, &json!(["neither", {"a": "key"}]));
    let broken = Line::of(&it, &json!({"key": {"of": "another shape"}, "token": 7}));
    for odd in ["42[\"qr\",{\"sessionId\":1}]", "421[\"ask\",\"for an answer\"]", "42[\"start\"]"] {
        assert_eq!(line.say(odd).status, 200, "{odd}");
    }
    for odd in ["4", "42", "42{", "\u{0}", "49[1]", "451-[\"a\",{\"_placeholder\":true,\"num\":9}]"] {
        let status = broken.say(odd).status;
        assert!(status < 500, "{odd}: {status}");
    }
    let long = format!("42[\"x\",\"{}\"]", "x".repeat(20_000));
    assert!(broken.say(&long).status >= 400);
    for (query, status) in [("EIO=3&transport=polling", 400), ("EIO=4", 400), ("EIO=4&transport=polling&sid=x", 400)] {
        assert_eq!(ask(&it, "GET", &format!("/socket.io/?{query}"), &Value::Null).status, status, "{query}");
    }
    assert_eq!(ask(&it, "GET", "/socket.io/?EIO=4&transport=websocket", &Value::Null).status, 400);
    it.occurs("acme", &id, EventKind::SessionPaired, SessionState::Paired, None);
    line.hears("authenticated", &mark(&id));
}

#[test]
fn sockets_are_counted_and_leave_their_places() {
    let it = Fixture::with(Wishes { max_streams: 3, streams_per_key: 2, ..Wishes::default() });
    let first = Line::of(&it, &STRANGER);
    let _second = Line::of(&it, &STRANGER);
    let mut third = Line::open(&it, &[], "").ok().unwrap();
    assert_eq!(third.greet(&STRANGER), Err("Terlalu banyak koneksi, coba lagi nanti".to_owned()));
    // Whoever has not said who he is has a seat as well.
    let full = Line::open(&it, &[], "").err().expect("no seat is left");
    assert_eq!(full.status, 429, "{}", full.text());
    assert!(full.header("retry-after").is_some());
    first.leave();
    until("the place is free", || third.greet_again());
}

impl Line<'_> {
    fn greet_again(&self) -> bool {
        // Cheap to ask: what is looked at is whether there is a place.
        self.say("40");
        self.poll().text().contains("40{\"sid\"")
    }
}

#[test]
fn a_socket_that_makes_no_room_is_sent_away() {
    let it = Fixture::with(Wishes { stream_patience: Duration::ZERO, ..Wishes::default() });
    let id = make(&it, "Toko");
    let mut slow = Line::of(&it, &STRANGER);
    let mut quick = Line::of(&it, &STRANGER);
    for _ in 0..4 {
        for _ in 0..150 {
            it.occurs("acme", &id, EventKind::SessionPaired, SessionState::Paired, None);
        }
        for _ in 0..150 {
            quick.hears("authenticated", &mark(&id));
        }
    }
    let mut told = 0;
    loop {
        let packet = slow.packet();
        if packet == "41" {
            break;
        }
        assert!(packet.starts_with("42"), "{packet}");
        told += 1;
    }
    assert!((100..=300).contains(&told), "{told}");
}

#[test]
fn a_stop_ends_sockets_at_once() {
    let it = Fixture::new();
    let line = Line::of(&it, &STRANGER);
    let mut waits = TcpStream::connect(it.address).unwrap();
    waits.set_read_timeout(Some(PATIENCE)).unwrap();
    waits.write_all(line.request().as_bytes()).unwrap();
    // Whatever comes on a connection of its own is taken later.
    assert_eq!(it.get("/v1/sessions").status, 200);
    let begun = Instant::now();
    it.stop.cancel();
    let mut answer = String::new();
    waits.read_to_string(&mut answer).unwrap();
    drop(line);
    let Fixture { runtime, served, .. } = it;
    let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, served).await });
    assert_eq!(ended.expect("the stop ends").expect("no panic"), Abandoned::default());
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}
