//! The dialects' shapes and words. That their messages arrive is shown by `tests/dialects`.

mod admin;
mod foreign;
mod fuzz;
mod html;
mod multi;
mod otp;
mod otp_files;
mod routes;
mod socketio;
mod waziper;

use std::time::Duration;

use kurir::gateway::Dialect;
use kurir_core::domain::{QrCode, Secret, SessionState};
use kurir_core::port::Clock as _;
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, KEY, Wishes};
use routes::{Named, Route};

/// A QR code that waits to be scanned.
fn code(it: &Fixture, text: &str) -> QrCode {
    let expires_at = it.clock.now().plus(std::time::Duration::from_secs(20));
    QrCode { text: Secret::new(text.to_owned()), expires_at }
}

impl Fixture {
    /// A request without a key, with a JSON body unless that is null.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_as(&[], method, path, body)
    }

    pub fn ask_as(&self, headers: &[(&str, &str)], method: &str, path: &str, body: &Value) -> Answer {
        let mut headers = headers.to_vec();
        if body.is_null() {
            return self.call(method, path, &headers, b"");
        }
        headers.push(("Content-Type", "application/json"));
        self.call(method, path, &headers, body.to_string().as_bytes())
    }

    /// The session waits for a scan of this text.
    fn shows(&self, id: &str, text: &str) {
        let code = code(self, text);
        self.put(id, SessionState::AwaitingScan, Some(code));
    }
}

/// Whether a text is a picture, as browsers take it in an address.
fn is_picture(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.starts_with("data:image/png;base64,") && text.len() > 200)
}

/// Texts that nobody should send.
const ODD: [&str; 15] = [
    "",
    " ",
    "'; DROP TABLE job; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00",
    "a\r\nSet-Cookie: x=1",
    "\u{202e}\u{feff}\u{0}",
    "9999999999999999999999999999999999",
    "${jndi:ldap://x}",
    "null",
    "é漢😀",
    "x\r\nX-Injected: 1",
    "/../../v1/sessions",
    "s1/qr?x=#",
];

/// What the session `s1` is called.
const NAME: &str = "Toko-Rahasia";

/// A gateway with a session of `acme`'s for each dialect, linked and named.
struct World {
    it: Fixture,
    /// The id of a session as one of the dialects makes them.
    instance: String,
}

fn world() -> World {
    let it = Fixture::with(Wishes { max_sessions: 0, dialect_wait: Duration::from_millis(20), ..Wishes::default() });
    let made = it.ask_as(&[("X-Api-Key", KEY)], "POST", "/dialects/waziper/create_instance", &json!({}));
    let world = World { instance: made.json()["instance_id"].as_str().unwrap().to_owned(), it };
    world.it.create("s1");
    for (id, name) in [(world.instance.as_str(), "Toko Rahasia"), ("s1", NAME)] {
        let head = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
        let body = json!({"name": name}).to_string();
        assert_eq!(world.it.call("PATCH", &format!("/v1/sessions/{id}"), &head, body.as_bytes()).status, 200);
        world.it.put(id, SessionState::Connected, None);
    }
    let noted = json!({"id": "s1", "phoneNumber": "+62899912345678", "isDefault": true});
    let noted = world.it.ask_as(&[("X-Api-Key", KEY)], "PUT", "/api/admin/whatsapp-sessions", &noted);
    assert_eq!(noted.status, 200, "{}", noted.text());
    world
}

impl World {
    /// The id of the session that a route is asked for.
    fn id_of(&self, route: &Route) -> &str {
        if route.dialect == Dialect::Waziper { &self.instance } else { "s1" }
    }

    /// What callers of a route know that session by.
    fn session_of(&self, route: &Route) -> &str {
        let by_name = route.dialect == Dialect::Multi || route.session == Named::Field("sessionName");
        if by_name { NAME } else { self.id_of(route) }
    }

    /// Makes sure that a route's session can send.
    fn connect(&self, route: &Route) {
        let id = self.id_of(route);
        let started = self.it.ask_as(&[("X-Api-Key", KEY)], "POST", &format!("/v1/sessions/{id}/start"), &Value::Null);
        assert_eq!(started.status, 202, "{}", started.text());
        self.it.put(id, SessionState::Connected, None);
    }

    /// A request to a route as it should be, for this session.
    fn good(&self, route: &Route, key: &str, session: &str) -> Answer {
        let mut path = route.path_of(session);
        let mut fields: Vec<(&str, &str)> = route.fields.to_vec();
        if let Named::Field(name) = route.session {
            fields.push((name, session));
        }
        if !route.has_query() {
            let body: Value = fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            return self.it.ask_as(&[("X-Api-Key", key)], route.method, &path, &body);
        }
        let query: Vec<_> = fields.into_iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        path.push('?');
        path.push_str(&query.join("&"));
        self.it.ask_as(&[("X-Api-Key", key)], route.method, &path, &Value::Null)
    }
}

fn escaped(text: &str) -> String {
    let escape = |byte| format!("%{byte:02X}");
    text.bytes().map(escape).collect::<Vec<_>>().concat()
}

#[test]
fn a_path_or_a_method_that_is_none_is_told_in_the_dialects_shape() {
    let it = Fixture::new();
    for (dialect, path, field) in [
        ("waziper", "/nothing", "message"),
        ("otp", "/api/nothing", "message"),
        ("socketio", "/api/nothing", "message"),
        ("multi", "/api/nothing", "error"),
        ("admin", "/api/nothing", "error"),
    ] {
        let answer = it.ask("GET", &format!("/dialects/{dialect}{path}"), &Value::Null);
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.json()[field].is_string(), "{}", answer.text());
    }
    assert_eq!(it.ask("DELETE", "/dialects/otp/api/sessions/create", &Value::Null).status, 405);
    assert_eq!(it.ask("PATCH", "/dialects/otp/api/health", &Value::Null).status, 405);
    assert_eq!(it.ask("PUT", "/dialects/multi/api/qr", &Value::Null).status, 405);
    assert_eq!(it.ask("PUT", "/dialects/socketio/api/sessions", &Value::Null).status, 405);
}
