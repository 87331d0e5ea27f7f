//! A client of Socket.IO by long polling, as small as can be. That official clients understand the server is shown by
//! `tests/dialects`.

use std::collections::VecDeque;

use kurir_core::domain::{Epoch, EventId, EventKind, OutboxEvent, QrCode, SessionState, SessionStatus};
use kurir_core::port::{Clock as _, EventLog as _, EventSink as _};
use kurir_core::wire::SessionDataV1;
use serde_json::{Value, json};
use uuid::Uuid;

use super::BASE;
use crate::fixture::{Answer, Fixture, session, tenant};

/// What stands between the packets of one answer.
const BETWEEN: char = '\u{1e}';

/// A connection.
pub struct Line<'a> {
    it: &'a Fixture,
    path: String,
    heard: VecDeque<String>,
}

impl<'a> Line<'a> {
    /// Opens a connection that has not said yet who it is.
    pub fn open(it: &'a Fixture, headers: &[(&str, &str)], query: &str) -> Result<Self, Box<Answer>> {
        let path = format!("{BASE}/socket.io/?EIO=4&transport=polling");
        let opened = it.call("GET", &format!("{path}{query}"), headers, b"");
        if opened.status != 200 {
            return Err(Box::new(opened));
        }
        let open: Value = serde_json::from_str(opened.text().strip_prefix('0').unwrap()).unwrap();
        let path = format!("{path}&sid={}", open["sid"].as_str().unwrap());
        Ok(Self { it, path, heard: VecDeque::new() })
    }

    /// Says who it is; gives the reason where it is turned away.
    pub fn greet(&mut self, auth: &Value) -> Result<(), String> {
        let auth = if auth.is_null() { String::new() } else { auth.to_string() };
        self.say(&format!("40{auth}"));
        let answer = self.packet();
        match answer.strip_prefix("44") {
            Some(error) => {
                let error: Value = serde_json::from_str(error).unwrap();
                Err(error["message"].as_str().unwrap().to_owned())
            }
            None if answer.starts_with("40{\"sid\"") => Ok(()),
            None => panic!("neither let in nor turned away: {answer}"),
        }
    }

    /// A connection that says who it is.
    pub fn of(it: &'a Fixture, auth: &Value) -> Self {
        let mut line = Self::open(it, &[], "").unwrap_or_else(|answer| panic!("{}", answer.text()));
        line.greet(auth).unwrap_or_else(|reason| panic!("turned away: {reason}"));
        line
    }

    /// A request for packets, as it goes over a connection.
    pub fn request(&self) -> String {
        format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", self.path, self.it.address)
    }

    /// Sends a packet as it is.
    pub fn say(&self, packet: &str) -> Answer {
        self.it.call("POST", &self.path, &[("Content-Type", "text/plain;charset=UTF-8")], packet.as_bytes())
    }

    /// One request for packets.
    pub fn poll(&self) -> Answer {
        self.it.call("GET", &self.path, &[], b"")
    }

    /// The next packet that is no heartbeat.
    pub fn packet(&mut self) -> String {
        loop {
            match self.heard.pop_front() {
                Some(ping) if ping == "2" => assert_eq!(self.say("3").status, 200),
                Some(packet) => return packet,
                None => {
                    let polled = self.poll();
                    assert_eq!(polled.status, 200, "{}", polled.text());
                    self.heard.extend(polled.text().split(BETWEEN).map(str::to_owned));
                }
            }
        }
    }

    /// The next event.
    pub fn event(&mut self) -> (String, Value) {
        let packet = self.packet();
        let event = packet.strip_prefix("42").unwrap_or_else(|| panic!("no event: {packet}"));
        serde_json::from_str(event).unwrap()
    }

    /// Checks the next event.
    pub fn hears(&mut self, name: &str, data: &Value) {
        assert_eq!(self.event(), (name.to_owned(), data.clone()));
    }

    /// Leaves.
    pub fn leave(self) {
        assert_eq!(self.say("1").status, 200);
    }
}

impl Fixture {
    /// A session comes into a state, as its owner writes it: the record, the log, the live event.
    pub fn turns(&self, of: &str, id: &str, kind: EventKind, state: SessionState, code: Option<&str>) {
        let qr = code.map(|text| super::super::code(self, text));
        self.put(id, state, qr.clone());
        self.occurs(of, id, kind, state, qr);
    }

    /// An event comes into the log, as the relay writes it.
    pub fn occurs(&self, of: &str, id: &str, kind: EventKind, state: SessionState, qr: Option<QrCode>) {
        let at = self.clock.now();
        let status = SessionStatus { state, qr, ..SessionStatus::created(at) };
        let event = SessionDataV1::event(kind, &tenant(of), &session(id), &status, (Epoch(1), 1), at).unwrap();
        let event = OutboxEvent { id: EventId(Uuid::new_v4()), ..event };
        self.runtime.block_on(async {
            self.stores.append(std::slice::from_ref(&event)).await.unwrap();
            self.events.publish(&[event]).await.unwrap();
        });
    }
}

/// The event of a session that the phone has linked, as a mark among others.
pub fn mark(id: &str) -> Value {
    json!({ "sessionId": id })
}
