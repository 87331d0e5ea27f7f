//! `/v1/suppressions`, and what becomes of messages to those who are on the list.

use kurir_core::domain::{FailReason, Lane, MessageState};
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY};

const NUMBER: &str = "6281234567890";
const ID: &str = "018f2a52-7c4e-7a3b-9d10-0123456789ab";

fn text() -> Value {
    json!({"id": ID, "session": "s1", "to": NUMBER, "content": {"type": "text", "text": "promo"}})
}

fn otp() -> Value {
    json!({"session": "s1", "to": NUMBER, "ttl": 120, "content": {"type": "otp", "code": "493817"}})
}

impl Fixture {
    fn suppress(&self, number: &str, note: &str) -> Answer {
        let body = json!({ "note": note }).to_string();
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
        self.call("PUT", &format!("/v1/suppressions/{number}"), &headers, body.as_bytes())
    }

    fn import(&self, key: &str, csv: &str) -> Answer {
        let headers = [("X-Api-Key", key), ("Content-Type", "text/csv; charset=utf-8")];
        self.call("POST", "/v1/suppressions/import", &headers, csv.as_bytes())
    }

    /// The numbers of the list, in order.
    fn suppressed_numbers(&self) -> Vec<String> {
        let list = self.get("/v1/suppressions?limit=1000").json();
        let mut numbers: Vec<_> = list["suppressions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["number"].as_str().unwrap().to_owned())
            .collect();
        numbers.sort();
        numbers
    }
}

#[test]
fn a_number_is_put_on_the_list_found_there_and_taken_off() {
    let it = Fixture::new();
    it.get(&format!("/v1/suppressions/{NUMBER}")).error(404, "not_found");
    let added = it.suppress("+62%20812-3456-7890", "asked for it");
    assert_eq!(added.status, 201, "{}", added.text());
    let view = added.json();
    assert_eq!((&view["number"], &view["source"], &view["by"]), (&json!(NUMBER), &json!("api"), &json!("settings")));
    assert_eq!((&view["note"], &view["since"]), (&json!("asked for it"), &json!("2026-11-21T12:00:00.000Z")));
    for number in [NUMBER, "081234567890", "%2B6281234567890"] {
        assert_eq!(it.get(&format!("/v1/suppressions/{number}")).json(), view, "{number}");
    }
    it.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(it.suppress(NUMBER, "asked for it").status, 200);
    let changed = it.suppress(NUMBER, "asked again");
    assert_eq!((changed.status, &changed.json()["since"]), (200, &view["since"]));

    let path = format!("/v1/suppressions/{NUMBER}");
    let removed = it.delete(&format!("{path}?note=wrote%20a%20letter"));
    assert_eq!(removed.json(), changed.json());
    it.delete(&path).error(404, "not_found");
    it.get(&path).error(404, "not_found");
    let audit = it.get(&format!("{path}/audit")).json();
    let audit: Vec<_> = audit["changes"].as_array().unwrap().iter().map(|one| (&one["act"], &one["note"])).collect();
    let (removed, changed, added) = (json!("removed"), json!("changed"), json!("added"));
    let notes = [json!("wrote a letter"), json!("asked again"), json!("asked for it")];
    assert_eq!(audit, [(&removed, &notes[0]), (&changed, &notes[1]), (&added, &notes[2])]);
    it.get("/v1/suppressions/6281200000000/audit").error(404, "not_found");
}

#[test]
fn many_numbers_are_all_checked_before_the_first_is_written() {
    let it = Fixture::new();
    let body = json!({"numbers": [NUMBER, "0812-3456-7891", NUMBER], "note": "old list"});
    let told = it.post("/v1/suppressions", &body).json();
    assert_eq!(told, json!({"added": 2, "changed": 0, "unchanged": 1}));
    assert_eq!(it.suppressed_numbers(), [NUMBER, "6281234567891"]);
    let cases = [
        (json!({"numbers": ["6281200000001", "12ab"]}), "bad_number", "numbers[1]"),
        (json!({"numbers": []}), "bad_field", "numbers"),
        (json!({"numbers": vec![NUMBER; 1001]}), "bad_field", "numbers"),
        (json!({"numbers": ["6281200000001"], "note": "x".repeat(201)}), "bad_field", "note"),
        (json!({"numbers": ["6281200000001"], "note": "a\u{7}b"}), "bad_field", "note"),
        (json!({"number": "6281200000001"}), "bad_field", "number"),
    ];
    for (body, code, field) in cases {
        let error = it.post("/v1/suppressions", &body).error(422, code);
        assert_eq!(error["field"], field, "{error}");
        assert!(!error.to_string().contains("12ab"), "{error}");
    }
    assert_eq!(it.suppress("nobody", "x").error(422, "bad_number")["field"], "number");
    assert_eq!(it.suppressed_numbers().len(), 2, "nothing of a bad request was written");
}

#[test]
fn the_list_is_paged_and_each_tenants_own() {
    let it = Fixture::new();
    let numbers: Vec<String> = (0..25).map(|n| format!("62812000000{n:02}")).collect();
    assert_eq!(it.post("/v1/suppressions", &json!({ "numbers": numbers })).json()["added"], 25);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = it.get(&format!("/v1/suppressions?limit=10{after}")).json();
        let page_numbers = page["suppressions"].as_array().unwrap();
        assert!(page_numbers.len() <= 10);
        found.extend(page_numbers.iter().map(|one| one["number"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    found.sort();
    assert_eq!(found, numbers);
    let other = it.get_with("/v1/suppressions", &[("X-Api-Key", OTHER_KEY)]).json();
    assert_eq!(other["suppressions"], json!([]));
    for query in ["limit=0", "limit=1001", "after=6281234567890", "number=1"] {
        it.get(&format!("/v1/suppressions?{query}")).error(422, "bad_field");
    }
}

#[test]
fn bulk_to_a_suppressed_number_ends_before_it_reaches_a_queue_and_an_otp_goes() {
    let it = Fixture::new();
    it.create("s1");
    assert_eq!(it.suppress(NUMBER, "x").status, 201);
    let answer = it.post("/v1/messages", &text());
    assert_eq!(answer.status, 202, "{}", answer.text());
    let view = answer.json();
    assert_eq!((&view["state"], &view["reason"]), (&json!("failed"), &json!("suppressed")));
    let entry = it.entry(ID).unwrap();
    assert_eq!((entry.state, entry.reason, entry.attempts), (MessageState::Failed, Some(FailReason::Suppressed), 0));
    assert_eq!(it.events(), ["session.created", "message.failed"]);
    let again = it.post("/v1/messages", &text());
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("failed")));
    assert_eq!(it.depth("s1", Lane::Bulk), 0);

    assert_eq!(it.post("/v1/messages", &otp()).json()["state"], "queued");
    assert_eq!(it.depth("s1", Lane::Otp), 1);
    // Other recipients and other tenants' lists don't matter.
    let mut other = text();
    (other["to"], other["id"]) = (json!("6281234567899"), Value::Null);
    assert_eq!(it.post("/v1/messages", &other).json()["state"], "queued");

    let path = format!("/v1/suppressions/{NUMBER}");
    assert_eq!(it.delete(&path).status, 200);
    let mut next = text();
    next["id"] = Value::Null;
    assert_eq!(it.post("/v1/messages", &next).json()["state"], "queued");
    assert_eq!(it.post("/v1/messages", &text()).json()["state"], "failed", "what has ended stays so");
}

#[test]
fn what_waits_in_a_queue_ends_when_it_is_sent_again_to_a_suppressed_number() {
    let it = Fixture::new();
    it.create("s1");
    assert_eq!(it.post("/v1/messages", &text()).status, 202);
    assert_eq!(it.suppress(NUMBER, "x").status, 201);
    let answer = it.post("/v1/messages", &text());
    assert_eq!((answer.status, &answer.json()["reason"]), (200, &json!("suppressed")));
    assert_eq!(it.events(), ["session.created", "message.queued", "message.failed"]);
    assert_eq!(it.depth("s1", Lane::Bulk), 1, "its job is still there; the worker that meets it finds its end");
}

#[test]
fn a_file_goes_in_and_comes_out_again() {
    let it = Fixture::new();
    let csv = "\u{feff}note,Number\r\n\"said \"\"no\"\",\ntwice\",+62 812-3456-7890\n,12ab\n\nx,081234567891\n\"too\u{7}bad\",6281234567892\n";
    let told = it.import(KEY, csv);
    assert_eq!(told.status, 200, "{}", told.text());
    let told = told.json();
    // The line break in the first note is a control character.
    assert_eq!((&told["rows"], &told["added"], &told["bad"]), (&json!(4), &json!(1), &json!(3)), "{told}");
    let bad: Vec<_> = told["bad_rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["row"].as_u64().unwrap(), one["part"].as_str().unwrap()))
        .collect();
    assert_eq!(bad, [(2, "note"), (3, "number"), (6, "note")]);
    assert!(!told.to_string().contains("12ab"), "{told}");
    let again = it.import(KEY, "081234567891,x\n6281234567893").json();
    assert_eq!((&again["rows"], &again["added"], &again["unchanged"]), (&json!(2), &json!(1), &json!(1)), "{again}");

    let file = it.get("/v1/suppressions/export");
    assert_eq!((file.status, file.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    let file = file.text();
    assert!(file.starts_with("number,source,by,note,since\n"), "{file}");
    assert!(file.contains("6281234567891,import,settings,x,2026-11-21T12:00:00.000Z\n"), "{file}");
    assert_eq!(file.lines().count(), 3);
    assert_eq!(it.import(OTHER_KEY, &file).json()["added"], 2, "another tenant takes the same file");
    assert_eq!(it.import(KEY, &file).json()["unchanged"], 2);
    assert_eq!(it.suppressed_numbers(), ["6281234567891", "6281234567893"]);
}

#[test]
fn files_are_bounded() {
    let it = Fixture::new();
    let mut csv = (0..100_000).map(|n| format!("62812{n:08}\n")).collect::<Vec<_>>().concat();
    let told = it.import(KEY, &csv).json();
    assert_eq!((&told["rows"], &told["added"]), (&json!(100_000), &json!(100_000)));
    assert_eq!(it.get("/v1/suppressions/export").text().lines().count(), 100_001);
    csv.push_str("6281300000000\n");
    it.import(KEY, &csv).error(413, "too_many_rows");
    it.get("/v1/suppressions/6281300000000").error(404, "not_found");
    it.import(KEY, &format!("6281300000001\n\"{}", "x".repeat(5000))).error(422, "bad_row");
    assert_eq!(it.get("/v1/suppressions/6281300000001").status, 200, "the rows before count");
    let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
    it.call("POST", "/v1/suppressions/import", &headers, b"{}").error(415, "not_csv");
    assert_eq!(it.import(KEY, "").json()["rows"], 0);
}

#[test]
fn only_a_key_of_the_whole_tenant_sees_and_changes_the_list() {
    let it = Fixture::new();
    it.create("s1");
    it.suppress(NUMBER, "x");
    let key = |wish: &Value| it.post("/v1/keys", wish).json()["key"].as_str().unwrap().to_owned();
    let narrow = key(&json!({"scopes": ["admin"], "sessions": ["s1"]}));
    let reader = key(&json!({"scopes": ["read", "send"]}));
    let path = format!("/v1/suppressions/{NUMBER}");
    for path in ["/v1/suppressions", &path, &format!("{path}/audit"), "/v1/suppressions/export"] {
        it.get_with(path, &[("X-Api-Key", &narrow)]).error(403, "forbidden");
        assert_eq!(it.get_with(path, &[("X-Api-Key", &reader)]).status, 200, "{path}");
    }
    for key in [&narrow, &reader] {
        it.call("DELETE", &path, &[("X-Api-Key", key)], b"").error(403, "forbidden");
        it.post_as(key, "/v1/suppressions", &json!({"numbers": [NUMBER]})).error(403, "forbidden");
        it.import(key, "1").error(403, "forbidden");
    }
    assert_eq!(it.suppressed_numbers(), [NUMBER]);
}
