//! `/v1/sessions`

use std::time::Duration;

use kurir_core::domain::{Lane, QrCode, Secret, SessionState, Wanted};
use kurir_core::policy::{DayRule, SenderRules};
use kurir_core::port::{Clock as _, SessionStore as _};
use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, OTHER_KEY, Wishes, session};
use crate::queue::Fault;

#[test]
fn a_session_is_created_with_its_queues_and_its_event() {
    let it = Fixture::new();
    let answer = it.post("/v1/sessions", &json!({"id": "s1"}));
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("location"), Some("/v1/sessions/s1"));
    let view = answer.json();
    assert_eq!((&view["id"], &view["state"], &view["wanted"]), (&json!("s1"), &json!("created"), &json!("running")));
    assert_eq!(view["created_at"], "2026-11-21T12:00:00.000Z");
    assert_eq!(it.depth("s1", Lane::Otp), 0);
    assert_eq!(it.events(), ["session.created"]);
    assert_eq!(it.get("/v1/sessions/s1").json(), view);
}

#[test]
fn ids_are_made_up_where_none_is_given() {
    let it = Fixture::new();
    let without_body = it.call("POST", "/v1/sessions", &[("X-Api-Key", KEY)], b"");
    let empty = it.post("/v1/sessions", &json!({}));
    let (a, b) = (without_body.json(), empty.json());
    assert_eq!((without_body.status, empty.status), (201, 201));
    assert_ne!(a["id"], b["id"]);
    assert_eq!(a["id"].as_str().unwrap().len(), 21);
}

#[test]
fn a_taken_id_is_a_conflict_and_another_tenants_session_stays_hidden() {
    let it = Fixture::new();
    it.create("s1");
    it.put("s1", SessionState::Connected, None);
    let answer = it.post("/v1/sessions", &json!({"id": "s1"}));
    let error = answer.error(409, "session_exists");
    assert_eq!((&error["field"], &error["state"]), (&json!("id"), &json!("connected")));
    assert_eq!(answer.json()["session"]["id"], "s1");

    let answer = it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "s1"}));
    let error = answer.error(409, "session_id_taken");
    assert!(error["state"].is_null() && answer.json()["session"].is_null(), "{}", answer.text());
    for path in ["/v1/sessions/s1", "/v1/sessions/s1/qr", "/v1/sessions/none", "/v1/sessions/a.b"] {
        it.get_with(path, &[("X-Api-Key", OTHER_KEY)]).error(404, "not_found");
    }
    it.call("DELETE", "/v1/sessions/s1", &[("X-Api-Key", OTHER_KEY)], b"").error(404, "not_found");
    let record = it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap();
    assert_eq!(record.wanted, Wanted::Running);
    assert_eq!(it.events(), ["session.created"]);
}

#[test]
fn a_creation_that_met_a_silent_queue_is_healed_by_the_same_request() {
    let it = Fixture::new();
    it.queue.fail(Fault::Down);
    let answer = it.post("/v1/sessions", &json!({"id": "s1"}));
    answer.error(503, "not_declared");
    assert_eq!(answer.header("retry-after"), Some("5"));
    it.queue.fail(Fault::Nothing);
    it.post("/v1/sessions", &json!({"id": "s1"})).error(409, "session_exists");
    assert_eq!(it.depth("s1", Lane::Bulk), 0);
    assert_eq!(it.events(), ["session.created"]);
}

#[test]
fn the_list_comes_in_pages_of_ones_own_sessions() {
    let it = Fixture::new();
    for id in ["c", "a", "e", "b", "d"] {
        it.create(id);
    }
    assert_eq!(it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "b2"})).status, 201);
    let ids = |path: &str| {
        let page = it.get(path).json();
        let ids: Vec<String> =
            page["sessions"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
        (ids.join(""), page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(ids("/v1/sessions?limit=2"), ("ab".into(), Some("b".into())));
    assert_eq!(ids("/v1/sessions?limit=2&after=b"), ("cd".into(), Some("d".into())));
    assert_eq!(ids("/v1/sessions?limit=2&after=d"), ("e".into(), None));
    assert_eq!(ids("/v1/sessions?limit=5"), ("abcde".into(), None));
    assert_eq!(ids("/v1/sessions"), ("abcde".into(), None));
    for (query, field) in [("limit=0", "limit"), ("limit=201", "limit"), ("after=a.b", "after")] {
        let error = it.get(&format!("/v1/sessions?{query}")).error(422, "bad_field");
        assert_eq!(error["field"], field);
    }
    it.get("/v1/sessions?limit=x").error(422, "bad_field");
    it.get("/v1/sessions?page=2").error(422, "bad_field");
}

#[test]
fn a_sessions_limits_are_shown_and_it_gets_its_own() {
    let day = DayRule { per_day: 800, cold_per_day: 90, ..DayRule::default() };
    let it = Fixture::with(Wishes { senders: SenderRules { day, ..SenderRules::default() }, ..Wishes::default() });
    it.create("s1");
    let path = "/v1/sessions/s1/limits";
    let before = it.get(path).json();
    let none = json!({"every_ms": null, "burst": null, "per_day": null, "cold_per_day": null, "warmed_up": null});
    assert_eq!((&before["own"], &before["every_ms"], &before["cap"]), (&none, &json!(3000), &json!(800)));
    let put = |path: &str, body: &Value| {
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
        it.call("PUT", path, &headers, body.to_string().as_bytes())
    };
    let own = json!({"every_ms": 1500, "burst": 2, "per_day": 300, "warmed_up": true});
    let answer = put(path, &own);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let after = it.get(path).json();
    assert_eq!(answer.json(), after);
    assert_eq!((&after["every_ms"], &after["burst"], &after["cap"]), (&json!(1500), &json!(2), &json!(300)));
    assert_eq!(after["new_otp_left"], json!(90), "what was not named is as for all");
    for (bad, field) in [
        (json!({"every_ms": 3_600_001}), "every_ms"),
        (json!({"burst": 0}), "burst"),
        (json!({"per_day": -1}), "per_day"),
        (json!({"per_day": 5, "cold_per_day": 6}), "cold_per_day"),
        (json!({"per_hour": 5}), "per_hour"),
    ] {
        assert_eq!(put(path, &bad).error(422, "bad_field")["field"], field, "{bad}");
    }
    assert_eq!(it.get(path).json(), after, "a refused one changes nothing");
    assert_eq!(put(path, &json!({})).json()["own"], none, "each request replaces all of them");
    put("/v1/sessions/none/limits", &own).error(404, "not_found");
    it.get_with(path, &[("X-Api-Key", OTHER_KEY)]).error(404, "not_found");
}

#[test]
fn deleting_says_what_is_wanted() {
    let it = Fixture::new();
    it.create("s1");
    let answer = it.delete("/v1/sessions/s1");
    assert_eq!((answer.status, &answer.json()["wanted"]), (202, &json!("deleted")));
    assert_eq!(it.get("/v1/sessions/s1").json()["wanted"], "deleted");
    assert_eq!(it.delete("/v1/sessions/s1").status, 202, "again is no mistake");
    it.get("/v1/sessions/s1/qr").error(404, "no_qr");
    it.delete("/v1/sessions/s2").error(404, "not_found");
    let message = json!({"session": "s1", "to": "+6281234567890", "content": {"type": "text", "text": "x"}});
    it.post("/v1/messages", &message).error(409, "session_deleted");
}

#[test]
fn a_qr_code_comes_in_four_forms_and_is_never_cached() {
    const TEXT: &str = "2@made-up,for,this,test";
    let it = Fixture::new();
    it.create("s1");
    let answer = it.get("/v1/sessions/s1/qr");
    assert_eq!(answer.error(404, "no_qr")["state"], "created");
    assert_eq!(answer.header("retry-after"), Some("2"));

    let expires_at = it.clock.now().plus(Duration::from_secs(20));
    let qr = QrCode { text: Secret::new(TEXT.to_owned()), expires_at };
    it.put("s1", SessionState::AwaitingScan, Some(qr.clone()));
    assert_eq!(it.get("/v1/sessions/s1").json()["qr"], true);
    let path = |format: &str| format!("/v1/sessions/s1/qr{format}");
    let json = it.get(&path(""));
    assert_eq!(json.header("cache-control"), Some("no-store"));
    assert_eq!((&json.json()["text"], &json.json()["expires_at"]), (&json!(TEXT), &json!("2026-11-21T12:00:20.000Z")));
    let with = |accept: &str| it.get_with(&path(""), &[("X-Api-Key", KEY), ("Accept", accept)]);
    for (answer, kind, bytes) in [
        (it.get(&path("?format=png")), "image/png", qr.png().unwrap()),
        (with("image/png"), "image/png", qr.png().unwrap()),
        (it.get(&path("?format=svg")), "image/svg+xml", qr.svg().unwrap().into_bytes()),
        (with("text/html, image/svg+xml"), "image/svg+xml", qr.svg().unwrap().into_bytes()),
        (it.get(&path("?format=text")), "text/plain; charset=utf-8", qr.terminal().unwrap().into_bytes()),
    ] {
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.bytes == bytes, "{kind}");
    }
    with("text/html").error(406, "not_acceptable");
    assert_eq!(it.get(&path("?format=pdf")).error(422, "bad_field")["field"], "format");

    it.clock.advance(Duration::from_secs(20));
    let answer = it.get(&path(""));
    assert_eq!(answer.error(404, "no_qr")["state"], "awaiting_scan");
    assert!(!answer.text().contains("made-up"));
}

#[test]
fn a_linked_session_has_no_code_to_wait_for() {
    let it = Fixture::new();
    it.create("s1");
    for (state, soon) in [
        (SessionState::Connected, false),
        (SessionState::Banned, false),
        (SessionState::Outdated, false),
        (SessionState::ScanTimedOut, true),
        (SessionState::LoggedOut, true),
    ] {
        it.put("s1", state, None);
        let answer = it.get("/v1/sessions/s1/qr");
        assert_eq!(answer.error(404, "no_qr")["state"], state.as_str());
        assert_eq!(answer.header("retry-after").is_some(), soon, "{state}");
    }
}
