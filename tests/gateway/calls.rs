//! What is asked of a session's owner at once.

use std::sync::{Arc, Mutex};

use kurir_core::domain::{PhoneNumber, Presence, Secret, SessionState, Timestamp, Typing, Wanted};
use kurir_core::port::{Calls as _, SessionStore as _};
use kurir_core::wire::{CallAnswerV1, CallV1};
use serde_json::{Value, json};

use crate::fixture::{Fixture, OTHER_KEY, session};

/// The owner of a session, who answers as it is told and remembers what it was asked.
type Asked = Arc<Mutex<Vec<CallV1>>>;

impl Fixture {
    /// Owns a session from now on; `None` as an answer is silence.
    pub fn own(&self, id: &str, answer: impl Fn(&CallV1) -> Option<CallAnswerV1> + Send + 'static) -> Asked {
        let asked = Asked::default();
        let mut calls = self.calls.listen(&session(id));
        let heard = Arc::clone(&asked);
        self.runtime.spawn(async move {
            let mut unanswered = Vec::new();
            while let Some(call) = calls.next().await {
                let question = CallV1::decode(&call.body).expect("a call of ours");
                let answer = answer(&question);
                heard.lock().unwrap().push(question);
                match answer {
                    Some(answer) => drop(call.answer.send(answer.encode())),
                    None => unanswered.push(call.answer),
                }
            }
        });
        asked
    }
}

/// An owner whose WhatsApp knows all numbers with an even end and does what it is told.
#[expect(clippy::unnecessary_wraps, reason = "others do not answer everything")]
pub fn willing(call: &CallV1) -> Option<CallAnswerV1> {
    Some(match call {
        CallV1::CheckNumbers { numbers } => {
            let even = |number: &PhoneNumber| number.digits().ends_with(['0', '2', '4', '6', '8']);
            CallAnswerV1::Numbers { on_whatsapp: numbers.iter().map(even).collect() }
        }
        CallV1::MarkRead { .. } | CallV1::ShowTyping { .. } | CallV1::ShowPresence { .. } => CallAnswerV1::Done,
        CallV1::PairingCode { .. } => {
            let expires_at = Timestamp::parse_rfc3339("2026-11-21T12:03:00Z").unwrap();
            CallAnswerV1::PairingCode { code: Secret::new("ABCD1234".to_owned()), expires_at }
        }
    })
}

fn number(digits: &str) -> PhoneNumber {
    PhoneNumber::from_digits(digits.to_owned()).unwrap()
}

#[test]
fn numbers_are_checked_through_a_session_or_the_default() {
    let it = Fixture::new();
    it.create("s1");
    let asked = it.own("s1", willing);
    let body = json!({"session": "s1", "numbers": ["+62 812-3456-7890", "081234567891"]});
    let answer = it.post("/v1/numbers/check", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let checked = json!({"session": "s1", "numbers": [
        {"number": "6281234567890", "on_whatsapp": true},
        {"number": "6281234567891", "on_whatsapp": false}
    ]});
    assert_eq!(answer.json(), checked);
    let numbers = vec![number("6281234567890"), number("6281234567891")];
    assert_eq!(*asked.lock().unwrap(), [CallV1::CheckNumbers { numbers }]);

    let without = json!({"numbers": ["081234567890"]});
    assert_eq!(it.post("/v1/numbers/check", &without).error(422, "bad_field")["field"], "session");
    it.call(
        "PUT",
        "/v1/sessions/default",
        &[("X-Api-Key", crate::fixture::KEY), ("Content-Type", "application/json")],
        b"{\"session\":\"s1\"}",
    );
    assert_eq!(it.post("/v1/numbers/check", &without).json()["session"], "s1");

    let before = asked.lock().unwrap().len();
    for (body, field) in [
        (json!({"session": "s1", "numbers": []}), "numbers"),
        (json!({"session": "s1", "numbers": vec!["081234567890"; 51]}), "numbers"),
        (json!({"session": "s1", "numbers": ["12"]}), "numbers"),
        (json!({"session": "s1"}), "numbers"),
    ] {
        assert_eq!(it.post("/v1/numbers/check", &body).error(422, "bad_field")["field"], field, "{body}");
    }
    for id in ["none", "a.b"] {
        let body = json!({"session": id, "numbers": ["081234567890"]});
        assert_eq!(it.post("/v1/numbers/check", &body).error(404, "not_found")["field"], "session");
    }
    let foreign = it.post_as(OTHER_KEY, "/v1/numbers/check", &json!({"session": "s1", "numbers": ["081234567890"]}));
    assert_eq!(foreign.error(404, "not_found")["field"], "session");
    assert_eq!(asked.lock().unwrap().len(), before, "nothing of that reached the owner");
}

#[test]
fn read_marks_typing_and_presence_reach_the_owner() {
    let it = Fixture::new();
    it.create("s1");
    let asked = it.own("s1", willing);
    let chat = "/v1/sessions/s1/chats/0812-3456-7890";
    let read = it.post(&format!("{chat}/read"), &json!({"message_ids": ["3EB0AA", "3EB0BB"]}));
    assert_eq!((read.status, read.bytes.len()), (204, 0), "{}", read.text());
    for state in ["typing", "recording", "paused"] {
        assert_eq!(it.post(&format!("{chat}/typing"), &json!({ "state": state })).status, 204);
    }
    for state in ["available", "unavailable"] {
        let shown = it.post("/v1/sessions/s1/presence", &json!({ "state": state }));
        assert_eq!((shown.status, shown.bytes.len()), (204, 0), "{}", shown.text());
    }
    let chat_of = || number("6281234567890");
    let typing = |typing| CallV1::ShowTyping { chat: chat_of(), typing };
    let messages = vec!["3EB0AA".to_owned(), "3EB0BB".to_owned()];
    let expected = [
        CallV1::MarkRead { chat: chat_of(), messages },
        typing(Typing::Typing),
        typing(Typing::Recording),
        typing(Typing::Paused),
        CallV1::ShowPresence { presence: Presence::Available },
        CallV1::ShowPresence { presence: Presence::Unavailable },
    ];
    assert_eq!(*asked.lock().unwrap(), expected);
    for (path, body, field) in [
        (format!("{chat}/read"), json!({"message_ids": []}), "message_ids"),
        (format!("{chat}/read"), json!({"message_ids": vec!["x"; 101]}), "message_ids"),
        (format!("{chat}/read"), json!({"message_ids": ["a b"]}), "message_ids[0]"),
        (format!("{chat}/typing"), json!({"state": "sleeping"}), "state"),
        ("/v1/sessions/s1/presence".to_owned(), json!({"state": "typing"}), "state"),
        ("/v1/sessions/s1/presence".to_owned(), json!({}), "state"),
        ("/v1/sessions/s1/chats/12/typing".to_owned(), json!({"state": "typing"}), "number"),
    ] {
        let told = it.post(&path, &body).error(422, "bad_field")["field"].clone();
        assert!(field.starts_with(told.as_str().unwrap()), "{path} {body}: {told}");
    }
    assert_eq!(asked.lock().unwrap().len(), expected.len());
}

#[test]
fn an_owner_that_is_not_there_or_can_not_is_told_apart() {
    let it = Fixture::new();
    it.create("s1");
    it.put("s1", SessionState::Disconnected, None);
    let typing =
        |id: &str| it.post(&format!("/v1/sessions/{id}/chats/6281234567890/typing"), &json!({"state": "typing"}));
    let nobody = typing("s1");
    let error = nobody.error(409, "session_not_connected");
    assert_eq!((&error["state"], nobody.header("retry-after")), (&json!("disconnected"), Some("2")));
    for (id, answer, status, code) in [
        ("a", CallAnswerV1::NotConnected, 409, "session_not_connected"),
        ("b", CallAnswerV1::NoAnswer, 503, "no_answer"),
        ("c", CallAnswerV1::Refused, 409, "whatsapp_refused"),
        ("d", CallAnswerV1::NotUnderstood, 503, "worker_version"),
        ("e", CallAnswerV1::Numbers { on_whatsapp: vec![] }, 503, "worker_version"),
    ] {
        it.create(id);
        it.own(id, move |_| Some(answer.clone()));
        typing(id).error(status, code);
    }
    it.post("/v1/sessions/s1/stop", &Value::Null);
    let stopped = typing("s1");
    stopped.error(409, "session_not_connected");
    assert_eq!(stopped.header("retry-after"), None, "nothing changes by itself");
    it.delete("/v1/sessions/s1");
    typing("s1").error(409, "session_deleted");
}

#[test]
fn a_pairing_code_comes_from_the_owner() {
    let it = Fixture::new();
    it.create("s1");
    let asked = it.own("s1", willing);
    let ask = |id: &str, body: &Value| it.post(&format!("/v1/sessions/{id}/pairing-code"), body);
    let answer = ask("s1", &json!({"number": "0812-3456-7890"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), json!({"code": "ABCD1234", "expires_at": "2026-11-21T12:03:00.000Z"}));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(*asked.lock().unwrap(), [CallV1::PairingCode { number: number("6281234567890") }]);
    assert_eq!(ask("s1", &json!({"number": "12"})).error(422, "bad_field")["field"], "number");

    it.create("linked");
    it.own("linked", |_| Some(CallAnswerV1::Linked));
    it.put("linked", SessionState::Connected, None);
    assert_eq!(ask("linked", &json!({"number": "6281234567890"})).error(409, "session_linked")["state"], "connected");

    // One that rests because nobody scanned is started by asking.
    it.create("rests");
    it.put("rests", SessionState::ScanTimedOut, None);
    it.runtime.block_on(it.stores.want(&session("rests"), Wanted::Stopped)).unwrap();
    let rests = ask("rests", &json!({"number": "6281234567890"}));
    rests.error(409, "session_not_connected");
    assert_eq!(rests.header("retry-after"), Some("2"));
    assert_eq!(it.get("/v1/sessions/rests").json()["wanted"], "running");

    let made = it.post("/v1/keys", &json!({"scopes": ["send", "read"]})).json();
    it.post_as(made["key"].as_str().unwrap(), "/v1/sessions/s1/pairing-code", &json!({"number": "6281234567890"}))
        .error(403, "forbidden");
}
