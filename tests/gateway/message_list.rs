//! `GET /v1/messages`, and the history of one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, OTHER_KEY};

fn text(session: &str, to: &str) -> Value {
    json!({"session": session, "to": to, "content": {"type": "text", "text": "halo"}})
}

/// Two sessions with messages, a second apart: to each of three numbers one of each session.
fn filled() -> (Fixture, Vec<String>) {
    let it = Fixture::new();
    it.create("s1");
    it.create("s2");
    let mut ids = Vec::new();
    for to in ["0812-3456-7890", "+62 812 3456 7891", "6281234567892"] {
        for session in ["s1", "s2"] {
            let answer = it.post("/v1/messages", &text(session, to));
            assert_eq!(answer.status, 202, "{}", answer.text());
            ids.push(answer.json()["id"].as_str().unwrap().to_owned());
            it.clock.advance(Duration::from_secs(1));
        }
    }
    ids.reverse();
    (it, ids)
}

impl Fixture {
    fn listed(&self, key: &str, query: &str) -> (Vec<String>, Value) {
        let answer = self.get_with(&format!("/v1/messages{query}"), &[("X-Api-Key", key)]);
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let page = answer.json();
        let messages = page["messages"].as_array().unwrap();
        let ids = messages.iter().map(|message| message["id"].as_str().unwrap().to_owned());
        (ids.collect(), page["next"].clone())
    }
}

#[test]
fn pages_hold_every_message_once_the_newest_first() {
    let (it, ids) = filled();
    assert_eq!(it.listed(KEY, ""), (ids.clone(), Value::Null));
    let (mut found, mut query) = (Vec::new(), "?limit=4".to_owned());
    loop {
        let (page, next) = it.listed(KEY, &query);
        found.extend(page);
        let Some(next) = next.as_str() else { break };
        query = format!("?limit=4&after={next}");
    }
    assert_eq!(found, ids);
    assert_eq!(it.listed(OTHER_KEY, "").0, [""; 0]);
}

#[test]
fn messages_are_found_by_what_they_are() {
    let (it, ids) = filled();
    let at = |places: &[usize]| places.iter().map(|at| ids[*at].clone()).collect::<Vec<_>>();
    it.post(&format!("/v1/messages/{}/cancel", ids[0]), &Value::Null);
    for (query, wanted) in [
        ("?session=s1", at(&[1, 3, 5])),
        ("?session=nobodys", at(&[])),
        ("?to=%2B6281234567891", at(&[2, 3])),
        ("?to=0812-3456-7891&session=s2", at(&[2])),
        ("?to=6281234567899", at(&[])),
        ("?state=cancelled", at(&[0])),
        ("?state=cancelled,queued&limit=2", at(&[0, 1])),
        ("?lane=otp", at(&[])),
        ("?lane=bulk&since=2026-11-21T12:00:04Z", at(&[0, 1])),
        ("?until=2026-11-21T12:00:01Z", at(&[5])),
        ("?batch=018f2a52-7c4e-7a3b-9d10-0123456789ab", at(&[])),
    ] {
        assert_eq!(it.listed(KEY, query).0, wanted, "{query}");
        assert_eq!(it.listed(OTHER_KEY, query).0, [""; 0], "{query}");
    }
    for (query, field) in [
        ("?state=gone", "state"),
        ("?session=a%20b", "session"),
        ("?lane=fast", "lane"),
        ("?batch=1", "batch"),
        ("?since=yesterday", "since"),
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?after=1", "after"),
    ] {
        assert_eq!(it.get(&format!("/v1/messages{query}")).error(422, "bad_field")["field"], field, "{query}");
    }
    it.get("/v1/messages?to=12").error(422, "bad_number");
    it.get("/v1/messages?sesion=s1").error(422, "bad_field");
}

#[test]
fn messages_are_found_by_the_callers_own_words() {
    let it = Fixture::new();
    it.create("s1");
    let send = |metadata: Value| {
        let mut body = text("s1", "6281234567890");
        body["metadata"] = metadata;
        let answer = it.post("/v1/messages", &body);
        assert_eq!(answer.status, 202, "{}", answer.text());
        it.clock.advance(Duration::from_secs(1));
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let a = send(json!({"order": "77", "shop": "Toko & Co"}));
    let b = send(json!({"order": "77", "a.b": "x=y"}));
    send(json!({"order": "78"}));
    for (query, wanted) in [
        ("?metadata.order=77", vec![&b, &a]),
        ("?metadata.order=77&limit=200&state=queued", vec![&b, &a]),
        ("?metadata.order=77&metadata.shop=Toko+%26+Co", vec![&a]),
        ("?metadata.a.b=x%3Dy", vec![&b]),
        ("?metadata.order=7", vec![]),
        ("?metadata.order=", vec![]),
        ("?metadata.Order=77", vec![]),
        ("?metadata.order=77&session=nobodys", vec![]),
    ] {
        assert_eq!(it.listed(KEY, query).0.iter().collect::<Vec<_>>(), wanted, "{query}");
        assert_eq!(it.listed(OTHER_KEY, query).0, [""; 0], "{query}");
    }
    let (first, next) = it.listed(KEY, "?metadata.order=77&limit=1");
    let second = it.listed(KEY, &format!("?metadata.order=77&limit=1&after={}", next.as_str().unwrap()));
    assert_eq!((first, second), (vec![b], (vec![a], Value::Null)));
    let many = (0..17).map(|n| format!("&metadata.k{n}=x")).collect::<Vec<_>>().concat();
    for query in ["?metadata.order=77&metadata.order=78".to_owned(), format!("?limit=1{many}")] {
        assert_eq!(it.get(&format!("/v1/messages{query}")).error(422, "bad_field")["field"], "metadata", "{query}");
    }
    for query in ["?metadata=77", "?metadataorder=77", "?limit=1&limit=2"] {
        it.get(&format!("/v1/messages{query}")).error(422, "bad_field");
    }
}

#[test]
fn a_key_for_some_sessions_sees_their_messages_only() {
    let (it, ids) = filled();
    let made = it.post("/v1/keys", &json!({"scopes": ["read"], "sessions": ["s1"]})).json();
    let narrow = made["key"].as_str().unwrap();
    let own: Vec<_> = [1, 3, 5].iter().map(|at: &usize| ids[*at].clone()).collect();
    assert_eq!(it.listed(narrow, "").0, own);
    assert_eq!(it.listed(narrow, "?session=s1").0, own);
    assert_eq!(it.listed(narrow, "?session=s2").0, [""; 0]);
    assert_eq!(it.listed(narrow, "?to=6281234567890").0, own[2..]);
}

#[test]
fn a_message_tells_its_history() {
    let (it, ids) = filled();
    let path = format!("/v1/messages/{}", ids[0]);
    let reschedule = json!({"not_before": "2026-11-21T13:00:00Z"});
    assert_eq!(it.post(&format!("{path}/reschedule"), &reschedule).status, 200);
    it.clock.advance(Duration::from_secs(1));
    assert_eq!(it.post(&format!("{path}/cancel"), &Value::Null).status, 200);
    let history = it.get(&path).json()["history"].clone();
    let expected = json!([
        {"state": "queued", "at": "2026-11-21T12:00:05.000Z"},
        {"state": "delayed", "at": "2026-11-21T12:00:06.000Z", "reason": "rescheduled"},
        {"state": "cancelled", "at": "2026-11-21T12:00:07.000Z"},
    ]);
    assert_eq!(history, expected);
    assert!(it.get("/v1/messages").json()["messages"][0].get("history").is_none(), "not in lists");
}
