use kurir_core::domain::{Lane, SessionState};
use serde_json::{Value, json};

use super::is_picture;
use crate::fixture::{Answer, Fixture};

const BASE: &str = "/dialects/multi";

fn ask(it: &Fixture, key: &str, method: &str, path: &str, body: &Value) -> Answer {
    it.ask_as(&[("X-API-Key", key)], method, &format!("{BASE}{path}"), body)
}

/// A key, as the system that is replaced made them.
fn key(it: &Fixture) -> String {
    let path = format!("{BASE}/api/admin/apikeys/generate");
    let answer = it.ask_as(&[("X-Admin-Key", "admin123")], "POST", &path, &json!({"name": "My Company"}));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["apiKey"].as_str().unwrap().to_owned()
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{}", answer.text());
    assert_eq!(answer.json()["success"], false);
}

/// kurir's id of the only session that a key has under this name.
fn id_of(it: &Fixture, key: &str, name: &str) -> String {
    let list = it.get_with(&format!("/v1/sessions?name={name}"), &[("X-Api-Key", key)]).json();
    list["sessions"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}")).to_owned()
}

#[test]
fn a_key_is_made_by_the_admin_and_shown_once() {
    let it = Fixture::new();
    let made = key(&it);
    assert!(made.starts_with("wa_") && made.len() > 64, "{made}");
    let path = format!("{BASE}/api/admin/apikeys/generate");
    refused(&it.ask("POST", &path, &json!({"name": "x"})), 401, "API_KEY_REQUIRED");
    refused(&it.ask_as(&[("X-Admin-Key", "admin124")], "POST", &path, &json!({"name": "x"})), 401, "API_KEY_INVALID");
    refused(&it.ask_as(&[("X-Admin-Key", &made)], "POST", &path, &json!({"name": "x"})), 403, "FORBIDDEN");
    refused(&it.ask_as(&[("X-Admin-Key", "admin123")], "POST", &path, &json!({})), 400, "BAD_REQUEST");
    refused(&it.ask("GET", &format!("{BASE}/api/sessions"), &Value::Null), 401, "API_KEY_REQUIRED");
}

#[test]
fn the_same_names_under_two_keys_are_different_sessions() {
    let it = Fixture::new();
    let (one, two) = (key(&it), key(&it));
    for key in [&one, &two] {
        refused(&ask(&it, key, "GET", "/api/status?sessionId=sales", &Value::Null), 404, "SESSION_NOT_FOUND");
        // The first request starts the session; its code is not there yet.
        refused(&ask(&it, key, "GET", "/api/qr?sessionId=sales", &Value::Null), 503, "QR_NOT_READY");
    }
    let (first, second) = (id_of(&it, &one, "sales"), id_of(&it, &two, "sales"));
    assert_ne!(first, second);
    it.shows(&first, "2@first");
    let qr = ask(&it, &one, "GET", "/api/qr?sessionId=sales", &Value::Null).json();
    assert_eq!((&qr["success"], &qr["sessionId"], &qr["status"]), (&json!(true), &json!("sales"), &json!("qr_ready")));
    assert!(is_picture(&qr["qr"]), "{qr}");
    it.put(&first, SessionState::Connected, None);
    let status = ask(&it, &one, "GET", "/api/status?sessionId=sales", &Value::Null).json();
    assert_eq!(status, json!({"success": true, "sessionId": "sales", "connected": true, "status": "connected"}));
    let list = |key| ask(&it, key, "GET", "/api/sessions", &Value::Null).json()["sessions"].clone();
    assert_eq!(list(&two), json!([{"sessionId": "sales", "connected": false, "status": "connecting"}]));

    // What the one does with its session, the other's does not notice.
    let send = |key| {
        let message = json!({"sessionId": "sales", "number": "628123456789", "message": "Hi"});
        ask(&it, key, "POST", "/api/send-message", &message)
    };
    assert_eq!(send(&one).status, 202);
    refused(&send(&two), 409, "WA_DISCONNECTED");
    assert_eq!((it.depth(&first, Lane::Bulk), it.depth(&second, Lane::Bulk)), (1, 0));
    assert_eq!(ask(&it, &two, "DELETE", "/api/sessions/sales", &Value::Null).status, 200);
    assert_eq!(list(&two), json!([]));
    assert_eq!(list(&one), json!([{"sessionId": "sales", "connected": true, "status": "connected"}]));
}

/// Their ids, which callers don't see, have another order.
#[test]
fn sessions_are_listed_in_the_order_in_which_they_were_made() {
    let it = Fixture::new();
    let key = key(&it);
    let names = ["sales", "support", "marketing", "a", "z", "default"];
    for name in names {
        ask(&it, &key, "GET", &format!("/api/qr?sessionId={name}"), &Value::Null);
        it.clock.advance(std::time::Duration::from_millis(1));
    }
    let list = ask(&it, &key, "GET", "/api/sessions", &Value::Null).json();
    let listed: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|session| &session["sessionId"]).collect();
    assert_eq!(listed, names);
}

#[test]
fn the_session_is_named_by_the_body_the_query_or_the_head_in_this_order() {
    let it = Fixture::new();
    let key = key(&it);
    for name in ["default", "body", "query", "head"] {
        ask(&it, &key, "GET", &format!("/api/qr?sessionId={name}"), &Value::Null);
        it.put(&id_of(&it, &key, name), SessionState::Connected, None);
    }
    let message = json!({"number": "628123456789", "message": "Hi"});
    let mut in_body = message.clone();
    in_body["sessionId"] = json!("body");
    let head = [("X-API-Key", key.as_str()), ("X-Session-Id", "head")];
    let plain = [("X-API-Key", key.as_str())];
    for (headers, query, body, session) in [
        (&head[..], "?sessionId=query", &in_body, "body"),
        (&head[..], "?sessionId=query", &message, "query"),
        (&head[..], "", &message, "head"),
        (&plain[..], "", &message, "default"),
    ] {
        let answer = it.ask_as(headers, "POST", &format!("{BASE}/api/send-message{query}"), body);
        assert_eq!((answer.status, &answer.json()["sessionId"]), (202, &json!(session)), "{}", answer.text());
        assert_eq!(answer.json()["status"], "accepted");
        assert_eq!(it.depth(&id_of(&it, &key, session), Lane::Bulk), 1);
    }
}

#[test]
fn what_can_not_be_sent_has_a_code() {
    let it = Fixture::new();
    let key = key(&it);
    ask(&it, &key, "GET", "/api/qr?sessionId=sales", &Value::Null);
    let send = |body: Value| ask(&it, &key, "POST", "/api/send-message", &body);
    let good = json!({"sessionId": "sales", "number": "628123456789", "message": "Hi"});
    refused(&send(good.clone()), 409, "WA_DISCONNECTED");
    it.put(&id_of(&it, &key, "sales"), SessionState::Connected, None);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    refused(&send(with("number", json!("12"))), 400, "INVALID_NUMBER");
    refused(&send(with("number", json!(""))), 400, "BAD_REQUEST");
    refused(&send(with("message", Value::Null)), 400, "BAD_REQUEST");
    refused(&send(with("sessionId", json!("other"))), 404, "SESSION_NOT_FOUND");
    refused(&send(with("sessionId", json!("a\r\nb"))), 400, "BAD_REQUEST");
    assert_eq!(it.depth(&id_of(&it, &key, "sales"), Lane::Bulk), 0);
}

#[test]
fn a_session_can_be_renamed_and_its_old_name_given_to_another_one() {
    let it = Fixture::new();
    let key = key(&it);
    ask(&it, &key, "GET", "/api/qr?sessionId=sales", &Value::Null);
    let id = id_of(&it, &key, "sales");
    it.put(&id, SessionState::Connected, None);
    let auth = [("X-Api-Key", key.as_str()), ("Content-Type", "application/json")];
    let renamed = it.call("PATCH", &format!("/v1/sessions/{id}"), &auth, br#"{"name": "marketing"}"#);
    assert_eq!(renamed.status, 200, "{}", renamed.text());
    let status = |name: &str| ask(&it, &key, "GET", &format!("/api/status?sessionId={name}"), &Value::Null);
    assert_eq!(status("marketing").json()["connected"], true);
    assert_eq!(status("sales").status, 404);
    ask(&it, &key, "GET", "/api/qr?sessionId=sales", &Value::Null);
    assert_ne!(id_of(&it, &key, "sales"), id);
    let removed = ask(&it, &key, "DELETE", "/api/sessions/sales", &Value::Null);
    assert_eq!(removed.json(), json!({"success": true, "message": "Session deleted successfully"}));
    assert_eq!(status("marketing").json()["connected"], true);
}
