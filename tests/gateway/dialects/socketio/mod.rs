//! The dialect socketio: its requests, its sockets, its page.

mod line;
mod page;
mod requests;
mod sockets;

use serde_json::Value;

use crate::fixture::{Answer, Fixture};

const BASE: &str = "/dialects/socketio";

fn ask(it: &Fixture, method: &str, path: &str, body: &Value) -> Answer {
    it.ask(method, &format!("{BASE}{path}"), body)
}

/// Makes a session; gives its id.
fn make(it: &Fixture, name: &str) -> String {
    let made = ask(it, "POST", "/api/sessions", &serde_json::json!({ "name": name }));
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["sessionId"].as_str().unwrap().to_owned()
}
