use kurir_core::domain::{Lane, SessionState};
use serde_json::{Value, json};

use super::{BASE, ask, make};
use crate::fixture::{Answer, Fixture, OTHER_KEY};

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let answer = answer.json();
    assert_eq!((&answer["success"], &answer["message"]), (&json!(false), &json!(message)));
}

#[test]
fn sessions_are_made_started_stopped_and_removed() {
    let it = Fixture::new();
    let made = ask(&it, "POST", "/api/sessions", &json!({"name": "Nama Session"}));
    assert_eq!(made.status, 201, "{}", made.text());
    let session = &made.json()["session"];
    assert_eq!((&session["id"], &session["name"]), (&json!("nama-session"), &json!("Nama Session")));
    assert_eq!((&session["status"], &session["isConnected"]), (&json!("created"), &json!(false)));

    let second = make(&it, "Nama Session");
    assert!(second.starts_with("nama-session-") && second.len() > 20, "{second}");
    assert_eq!(make(&it, "default").split_once('-').unwrap().0, "default");
    refused(&ask(&it, "POST", "/api/sessions", &json!({})), 400, "Nama session diperlukan");
    refused(&ask(&it, "POST", "/api/sessions", &json!({"name": "a\u{0}b"})), 400, "Nama session tidak valid");
    refused(&it.call("POST", &format!("{BASE}/api/sessions"), &[], b"{"), 400, "Format permintaan tidak valid");

    let started = ask(&it, "POST", "/api/sessions/nama-session/start", &json!({}));
    assert_eq!(started.status, 200, "{}", started.text());
    assert_eq!(started.json()["session"]["status"], "connecting");
    it.shows("nama-session", "2@abc");
    let one = ask(&it, "GET", "/api/sessions/nama-session", &Value::Null);
    assert_eq!(one.json()["session"]["status"], "qr");
    assert!(!one.text().contains("2@abc"), "a code is told over sockets only");
    it.put("nama-session", SessionState::Connected, None);
    let list = ask(&it, "GET", "/api/sessions", &Value::Null).json();
    assert_eq!((&list["success"], &list["total"]), (&json!(true), &json!(3)));
    assert_eq!(list["sessions"][1]["status"], "connected", "{list}");

    assert_eq!(ask(&it, "POST", "/api/sessions/nama-session/stop", &json!({})).json()["session"]["status"], "stopped");
    assert_eq!(ask(&it, "POST", "/api/sessions/nama-session/logout", &json!({})).status, 200);
    // Nobody carries the deletion out here, so it is told when the wait is over; for callers the session is gone at once.
    assert_eq!(ask(&it, "DELETE", "/api/sessions/nama-session", &Value::Null).json()["success"], true);
    for (method, path) in [("GET", ""), ("POST", "/start"), ("POST", "/stop"), ("POST", "/logout"), ("DELETE", "")] {
        let gone = ask(&it, method, &format!("/api/sessions/nama-session{path}"), &Value::Null);
        refused(&gone, 404, "Session tidak ditemukan");
    }
}

#[test]
fn texts_are_sent_and_what_can_not_be_sent_is_told() {
    let it = Fixture::new();
    let id = make(&it, "Toko");
    let send = |body: Value| ask(&it, "POST", &format!("/api/sessions/{id}/send"), &body);
    refused(&send(json!({"to": "08123456789", "message": "halo"})), 409, "Session tidak terhubung");
    ask(&it, "POST", &format!("/api/sessions/{id}/start"), &json!({}));
    it.put(&id, SessionState::Connected, None);
    refused(&send(json!({"message": "halo"})), 400, "Nomor telepon diperlukan");
    refused(&send(json!({"to": "08123456789"})), 400, "Pesan diperlukan");
    let bad = "Nomor telepon tidak valid, gunakan format 08123456789 atau 628123456789";
    refused(&send(json!({"to": "abc", "message": "halo"})), 400, bad);
    assert_eq!(it.depth(&id, Lane::Bulk), 0);
    // Nobody sends here: so it is accepted, and never called sent.
    for field in ["to", "number"] {
        let sent = send(json!({field: "08123456789", "message": "halo"}));
        assert_eq!((sent.status, &sent.json()["status"]), (202, &json!("accepted")), "{}", sent.text());
        assert!(sent.json()["messageId"].as_str().unwrap().starts_with("3EB0"));
    }
    assert_eq!(it.depth(&id, Lane::Bulk), 2);
}

#[test]
fn callers_with_a_key_are_its_tenant_and_pages_of_other_sites_are_nobody() {
    let it = Fixture::new();
    let id = make(&it, "Toko");
    let path = format!("{BASE}/api/sessions");
    let other = [("X-API-Key", OTHER_KEY)];
    assert_eq!(it.call("GET", &path, &other, b"").json()["total"], 0);
    refused(&it.call("GET", &format!("{path}/{id}"), &other, b""), 404, "Session tidak ditemukan");
    let same = it.call("POST", &path, &other, br#"{"name":"Toko"}"#);
    assert_eq!(same.status, 201, "{}", same.text());
    assert_ne!(same.json()["sessionId"], json!(id));
    assert_eq!(it.call("GET", &format!("{path}?key={OTHER_KEY}"), &[], b"").json()["total"], 1);
    refused(&it.call("GET", &path, &[("X-API-Key", "nobody's")], b""), 401, "API key tidak valid");

    let evil = [("Origin", "http://evil.example")];
    refused(&it.call("POST", &path, &evil, br#"{"name":"x"}"#), 401, "API key diperlukan");
    refused(&it.call("GET", &path, &[("Host", "evil.example")], b""), 401, "API key diperlukan");
    let keyed = [evil[0], other[0]];
    assert_eq!(it.call("GET", &path, &keyed, b"").status, 200, "who has a key may call from wherever he likes");
}
