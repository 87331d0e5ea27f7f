//! Many messages in one request: JSON and CSV.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kurir::gateway::{MessageOptions, QueueCaps};
use kurir_core::domain::{Lane, MessageState};
use kurir_core::port::{JobQueue as _, Settled};
use kurir_core::wire::{JOB_KIND, JobV1};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, Wishes, session, until};
use crate::queue::Fault;

fn ready() -> Fixture {
    let it = Fixture::new();
    it.create("s1");
    it
}

fn number(n: usize) -> String {
    format!("62812{n:08}")
}

/// The same text to so many numbers.
fn many(count: usize) -> Value {
    let messages: Vec<_> = (0..count).map(|n| json!({"to": number(n)})).collect();
    json!({"session": "s1", "content": {"type": "text", "text": "halo"}, "messages": messages})
}

impl Fixture {
    fn csv(&self, query: &str, file: &str) -> Answer {
        let headers = [("X-Api-Key", KEY), ("Content-Type", "text/csv")];
        self.call("POST", &format!("/v1/messages/csv?{query}"), &headers, file.as_bytes())
    }

    /// What stands in the lane, as texts by number.
    fn texts(&self, count: usize) -> Vec<(String, String)> {
        self.runtime.block_on(async {
            let mut jobs = self.queue.subscribe(&session("s1"), Lane::Bulk, 1000).await.unwrap();
            let mut texts = Vec::new();
            for _ in 0..count {
                let delivery = jobs.next().await.unwrap().unwrap();
                let job = JobV1::decode(JOB_KIND, &delivery.body, Some("62")).unwrap();
                texts.push((
                    job.to.number().unwrap().digits().to_owned(),
                    job.content.render().unwrap().expose().clone(),
                ));
                assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
            }
            texts
        })
    }
}

fn states(answer: &Answer) -> Vec<Value> {
    answer.json()["messages"].as_array().unwrap().iter().map(|row| row["state"].clone()).collect()
}

#[test]
fn a_batch_is_in_the_ledger_and_in_the_queue_in_few_rounds() {
    let it = ready();
    let answer = it.post("/v1/messages/batch", &many(1200));
    assert_eq!(answer.status, 202, "{}", answer.text());
    let batch = answer.json();
    assert_eq!((&batch["accepted"], &batch["refused"]), (&json!(1200), &json!(0)));
    assert_eq!(states(&answer), vec![json!("queued"); 1200]);
    assert_eq!(it.depth("s1", Lane::Bulk), 1200);
    assert_eq!(it.queue.publishing.load(Ordering::SeqCst), 3, "rounds of confirms");
    let id = batch["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(format!("/v1/batches/{id}").as_str()));
    let view = it.get(&format!("/v1/batches/{id}")).json();
    assert_eq!(view, json!({"id": id, "total": 1200, "counts": {"queued": 1200}, "ended": false}));
    let page = it.get(&format!("/v1/messages?batch={id}&limit=200")).json();
    assert_eq!(page["messages"].as_array().unwrap().len(), 200);
    assert!(page["messages"][0]["batch"] == id && page["next"].is_string());
    for path in ["", "/cancel"] {
        let method = if path.is_empty() { "GET" } else { "POST" };
        let foreign = it.call(method, &format!("/v1/batches/{id}{path}"), &[("X-Api-Key", OTHER_KEY)], b"");
        let none = it.call(method, &format!("/v1/batches/nobodys{path}"), &[("X-Api-Key", OTHER_KEY)], b"");
        foreign.error(404, "not_found");
        assert_eq!(foreign.text(), none.text());
    }
}

#[test]
fn a_bad_row_does_not_stop_the_others_unless_all_are_one() {
    let it = ready();
    let mut body = many(3);
    body["messages"][1]["to"] = "12".into();
    body["messages"].as_array_mut().unwrap().extend([
        json!("no object"),
        json!({"to": number(9), "content": {"type": "text", "text": 7}}),
        json!({"to": number(9), "session": "nobodys"}),
        json!({"to": number(9), "lane": "otp"}),
        json!({"to": number(9), "misspelt": 1}),
    ]);
    let whole = it.post("/v1/messages/batch?atomic=true", &body).error(422, "batch_refused");
    let codes = |rows: &Value| {
        let rows = rows.as_array().unwrap().iter().filter(|row| row["code"].is_string());
        rows.map(|row| (row["index"].as_u64().unwrap(), row["code"].as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    let expected = [
        (1, "bad_number"),
        (3, "bad_field"),
        (4, "bad_field"),
        (5, "not_found"),
        (6, "missing_deadline"),
        (7, "bad_field"),
    ]
    .map(|(index, code)| (index, code.to_owned()));
    assert_eq!(codes(&whole["rows"]), expected);
    assert_eq!((it.depth("s1", Lane::Bulk), it.events().len()), (0, 1), "nothing was stored");

    let answer = it.post("/v1/messages/batch", &body);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["accepted"], &told["refused"]), (&json!(2), &json!(6)));
    assert_eq!(codes(&told["messages"]), expected);
    assert_eq!(told["messages"][5]["field"], "session");
    assert_eq!(it.depth("s1", Lane::Bulk), 2);

    let mut bad = many(2);
    bad["session"] = "nobodys".into();
    it.post("/v1/messages/batch", &bad).error(422, "batch_refused");
    for count in [0, 10_001] {
        assert_eq!(it.post("/v1/messages/batch", &many(count)).error(422, "bad_field")["field"], "messages");
    }
}

#[test]
fn a_whole_batch_is_refused_for_what_only_the_ledger_knows() {
    let it = ready();
    let one = json!({"session": "s1", "to": number(9), "content": {"type": "text", "text": "halo"}});
    let taken = it.post("/v1/messages", &one).json();
    let mut body = many(3);
    body["messages"][0]["id"] = taken["id"].clone();
    body["messages"][2]["expires_at"] = "2020-01-01T00:00:00Z".into();
    let whole = it.post("/v1/messages/batch?atomic=true", &body).error(422, "batch_refused");
    let told: Vec<_> = whole["rows"].as_array().unwrap().iter().filter(|row| row["code"].is_string()).collect();
    let told: Vec<_> = told.into_iter().map(|row| (&row["index"], &row["code"], &row["field"])).collect();
    let (reused, late) = (json!("id_reused"), json!("bad_field"));
    assert_eq!(told, [(&json!(0), &reused, &json!("id")), (&json!(2), &late, &json!("expires_at"))]);
    assert_eq!(it.depth("s1", Lane::Bulk), 1, "the one of before");

    // A repetition finds its own messages, whatever their deadline has become.
    let mut body = many(2);
    body["messages"][0]["expires_at"] = "2026-11-21T23:00:00Z".into();
    let ids = it.post("/v1/messages/batch?atomic=true", &body).json()["messages"].clone();
    for n in 0..2 {
        body["messages"][n]["id"] = ids[n]["id"].clone();
    }
    body["messages"][0]["expires_at"] = "2020-01-01T00:00:00Z".into();
    assert_eq!(it.post("/v1/messages/batch?atomic=true", &body).json()["accepted"], 2);
}

#[test]
fn a_key_for_some_sessions_sends_and_sees_its_own_part() {
    let it = ready();
    it.create("s2");
    let made = it.post("/v1/keys", &json!({"scopes": ["send", "read"], "sessions": ["s1"]})).json();
    let narrow = made["key"].as_str().unwrap();
    let mut body = many(2);
    body["messages"][1]["session"] = "s2".into();
    let part = it.post_as(narrow, "/v1/messages/batch", &body).json();
    assert_eq!((&part["accepted"], &part["messages"][1]["code"]), (&json!(1), &json!("not_found")));
    let all = it.post("/v1/messages/batch", &body).json();
    let path = format!("/v1/batches/{}", all["id"].as_str().unwrap());
    assert_eq!(it.get_with(&path, &[("X-Api-Key", narrow)]).json()["total"], 1);
    let cancelled = it.call("POST", &format!("{path}/cancel"), &[("X-Api-Key", narrow)], b"").json();
    assert_eq!(cancelled["cancelled"], 1);
    assert_eq!(it.get(&path).json()["counts"], json!({"queued": 1, "cancelled": 1}));
}

#[test]
fn a_batch_is_cancelled_as_far_as_it_waits() {
    let it = ready();
    let batch = it.post("/v1/messages/batch", &many(700)).json();
    let first = batch["messages"][0]["id"].as_str().unwrap();
    assert_eq!(it.post(&format!("/v1/messages/{first}/cancel"), &Value::Null).status, 200);
    let path = format!("/v1/batches/{}", batch["id"].as_str().unwrap());
    let told = it.post(&format!("{path}/cancel"), &Value::Null).json();
    assert_eq!(
        (&told["cancelled"], &told["counts"], &told["ended"]),
        (&json!(699), &json!({"cancelled": 700}), &json!(true))
    );
    assert_eq!(it.post(&format!("{path}/cancel"), &Value::Null).json()["cancelled"], 0);
    let cancelled = it.entry(batch["messages"][3]["id"].as_str().unwrap()).unwrap();
    assert_eq!((cancelled.state, cancelled.reason), (MessageState::Cancelled, None));
}

#[test]
fn a_repeated_batch_is_the_same_batch() {
    let it = ready();
    let send = |name: &str| {
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json"), ("Idempotency-Key", name)];
        it.call("POST", "/v1/messages/batch", &headers, many(600).to_string().as_bytes())
    };
    let first = send("friday");
    assert_eq!(first.status, 202);
    assert_eq!(send("friday").text(), first.text());
    assert_eq!(it.depth("s1", Lane::Bulk), 600);
}

/// The queue is lost in the middle; the repetition under the same name makes a new batch of what was not taken.
#[test]
fn a_queue_that_fails_in_the_middle_costs_the_rest_only() {
    let it = ready();
    it.queue.fail(Fault::Down);
    it.post("/v1/messages/batch", &many(600)).error(503, "not_queued");
    assert_eq!(it.queue.publishing.load(Ordering::SeqCst), 1, "it is not tried row by row");
    assert_eq!(it.depth("s1", Lane::Bulk), 0);
    it.queue.fail(Fault::Nothing);
    it.runtime.block_on(it.queue.remove(&session("s1"))).unwrap();
    assert_eq!(it.post("/v1/messages/batch", &many(3)).status, 202, "a missing queue is made again");
    assert_eq!(it.depth("s1", Lane::Bulk), 3);
}

#[test]
fn a_ledger_that_fails_in_the_middle_says_what_to_do_and_the_repetition_completes_the_batch() {
    let it = ready();
    let send = |body: &Value, name: &str| {
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json"), ("Idempotency-Key", name)];
        it.call("POST", "/v1/messages/batch", &headers, body.to_string().as_bytes())
    };
    it.ledger.takes(0);
    send(&many(1200), "thursday").error(503, "unavailable");
    assert_eq!(it.depth("s1", Lane::Bulk), 0);

    it.ledger.takes(2);
    let failed = send(&many(1200), "friday");
    let detail = failed.error(503, "batch_unfinished")["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("1000 of 1200 messages were taken") && detail.contains("Idempotency-Key"), "{detail}");
    assert_eq!(failed.header("retry-after"), Some("5"));
    assert_eq!(it.depth("s1", Lane::Bulk), 1000);

    // Another request may not take the name over, the same one may at once.
    it.ledger.takes(u32::MAX);
    send(&many(3), "friday").error(422, "idempotency_key_reused");
    let whole = send(&many(1200), "friday");
    assert_eq!((whole.status, &whole.json()["accepted"]), (202, &json!(1200)), "{}", whole.text());
    let rows = whole.json()["messages"].as_array().unwrap().clone();
    assert_eq!(rows.iter().filter(|row| row["known"] == true).count(), 1000);
    let view = it.get(&format!("/v1/batches/{}", whole.json()["id"].as_str().unwrap())).json();
    assert_eq!(view["counts"], json!({"queued": 1200}), "each is there once");
    // Nobody has touched them, so the first part is published once more; whoever takes them sends each once.
    assert_eq!(it.depth("s1", Lane::Bulk), 2200);
    assert_eq!(send(&many(1200), "friday").text(), whole.text());
}

#[test]
fn the_work_goes_on_when_the_caller_loses_patience() {
    let it = Fixture::with(Wishes { request_timeout: Duration::from_secs(2), ..Wishes::default() });
    it.create("s1");
    let permits = Arc::new(Semaphore::new(0));
    it.queue.fail(Fault::Slow(Arc::clone(&permits)));
    it.post("/v1/messages/batch", &many(3)).error(503, "timeout");
    permits.add_permits(1);
    until("the batch is published after all", || it.depth("s1", Lane::Bulk) == 3);
}

#[test]
fn a_file_becomes_messages_line_by_line() {
    let it = ready();
    let file = "nama,to\n\"Sari, Bu\",0812-3456-7890\nBudi,6281234567891\n";
    let answer = it.csv("session=s1&text=Halo%20%7Bnama%7D", file);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let expected = [("6281234567890", "Halo Sari, Bu"), ("6281234567891", "Halo Budi")];
    assert_eq!(it.texts(2), expected.map(|(to, text)| (to.to_owned(), text.to_owned())));

    let bad = "nama,to\nSari,12\nBudi\nAni,6281234567892\n";
    let told = it.csv("session=s1&text=Halo%20%7Bnama%7D", bad).json();
    let rows = told["messages"].as_array().unwrap();
    let lines: Vec<_> = rows.iter().map(|row| (row["line"].as_u64().unwrap(), row["code"].clone())).collect();
    assert_eq!(lines, [(2, json!("bad_number")), (3, json!("bad_field")), (4, Value::Null)]);
    let refused = it.csv("session=s1&text=Halo%20%7Bnama%7D&atomic=true", bad).error(422, "batch_refused");
    assert_eq!((&refused["rows"][0]["line"], &refused["rows"][1]["line"]), (&json!(2), &json!(3)));
    it.csv("session=s1&text=Halo%20%7Bname%7D", file).error(422, "batch_refused");

    for (query, file, code) in [
        ("session=s1&text=x", "nama\nSari\n", "bad_csv"),
        ("session=s1&text=x", "to\n", "bad_csv"),
        ("session=s1", "to\n6281234567890\n", "bad_field"),
        ("session=s1&text=x&sesion=1", "to\n6281234567890\n", "bad_field"),
    ] {
        it.csv(query, file).error(422, code);
    }
    let json = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
    it.call("POST", "/v1/messages/csv?session=s1&text=x", &json, b"{}").error(415, "not_csv");
}

#[test]
fn a_form_holds_the_file_and_the_text_and_its_boundary_is_no_part_of_the_request() {
    let it = ready();
    let send = |boundary: &str| {
        let form = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nHalo {{nama}}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\
             Content-Type: text/csv\r\n\r\nto,nama\n6281234567890,Sari\n\r\n--{boundary}--\r\n"
        );
        let kind = format!("multipart/form-data; boundary={boundary}");
        let headers = [("X-Api-Key", KEY), ("Content-Type", kind.as_str()), ("Idempotency-Key", "form")];
        it.call("POST", "/v1/messages/csv?session=s1", &headers, form.as_bytes())
    };
    let first = send("one1");
    assert_eq!(first.status, 202, "{}", first.text());
    let again = send("another2");
    assert_eq!((again.header("idempotent-replayed"), again.text()), (Some("true"), first.text()));
    assert_eq!(it.texts(1), [("6281234567890".to_owned(), "Halo Sari".to_owned())]);
}

fn order() -> Value {
    json!({"name": "pesanan", "default_locale": "id",
        "texts": {"id": "Halo {nama}, pesanan {nomor}.", "en": "Hello {nama}, order {nomor}."}})
}

#[test]
fn rows_name_their_templates_and_each_is_read_once() {
    let it = ready();
    assert_eq!(it.post("/v1/templates", &order()).status, 201);
    let named = |locale: Value, name: &str| json!({"type": "template", "name": "pesanan", "locale": locale, "values": {"nama": name, "nomor": "7"}});
    let otp = json!({"type": "otp", "code": "493817", "template": "otp", "locale": "en"});
    let body = json!({"session": "s1", "ttl": 300, "content": named(json!("en"), "all"), "messages": [
        {"to": number(0)},
        {"to": number(1), "content": named(Value::Null, "Sari")},
        {"to": number(2), "content": named(json!("no language"), "Sari")},
        {"to": number(3), "content": {"type": "template", "name": "nobodys", "values": {}}},
        {"to": number(4), "content": {"type": "template", "name": "pesanan", "values": {"nama": "Sari"}}},
        {"to": number(5), "content": otp},
        {"to": number(6), "content": {"type": "template", "text": "x {a}", "values": {"a": "b"}}},
    ]});
    let told = it.post("/v1/messages/batch", &body).json();
    assert_eq!((&told["accepted"], &told["refused"]), (&json!(4), &json!(3)), "{told}");
    let rows = told["messages"].as_array().unwrap().iter().filter(|row| row["code"].is_string());
    let bad = rows.map(|row| json!([row["index"], row["code"], row["field"]])).collect::<Vec<_>>();
    let expected = [
        json!([2, "bad_field", "content.locale"]),
        json!([3, "not_found", "content.name"]),
        json!([4, "bad_field", "content.values.nomor"]),
    ];
    assert_eq!(bad, expected);
    let said: Vec<_> = it.texts(3).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["Hello all, order 7.", "Halo Sari, pesanan 7.", "x b"]);
    assert_eq!(it.depth("s1", Lane::Otp), 1, "a one-time password has its lane");
    assert!(!told.to_string().contains("493817"));
    // One template is read once, however many name it; there is an end to how many may be named.
    let of = |n| json!({"type": "template", "name": format!("t{n}"), "values": {}});
    let many: Vec<_> = (0..101).map(|n| json!({"to": number(n), "content": of(n)})).collect();
    let error = it.post("/v1/messages/batch", &json!({"session": "s1", "messages": many})).error(422, "bad_field");
    assert_eq!(error["field"], "messages");
}

#[test]
fn a_file_names_its_templates() {
    let it = ready();
    assert_eq!(it.post("/v1/templates", &order()).status, 201);
    let file = "to,template,locale,nama,nomor,catatan\n6281234567890,,,Sari,7,x\n6281234567891,,en,Budi,8,\n\
                6281234567892,nobodys,,Ani,9,\n6281234567893,announcement,,,,\n";
    let told = it.csv("session=s1&template=pesanan", file).json();
    let rows = told["messages"].as_array().unwrap();
    let bad = rows.iter().map(|row| json!([row["line"], row["code"], row["field"]])).collect::<Vec<_>>();
    assert_eq!(bad[..3], [json!([2, null, null]), json!([3, null, null]), json!([4, "not_found", "content.name"])]);
    assert_eq!((&bad[3][0], &bad[3][1]), (&json!(5), &json!("bad_field")), "{told}");
    let expected = [("6281234567890", "Halo Sari, pesanan 7."), ("6281234567891", "Hello Budi, order 8.")];
    assert_eq!(it.texts(2), expected.map(|(to, text)| (to.to_owned(), text.to_owned())));
    // The query's language, for all of the file.
    let file = "to,nama,nomor\n6281234567890,Sari,7\n";
    assert_eq!(it.csv("session=s1&template=pesanan&locale=en", file).status, 202);
    assert_eq!(it.texts(1)[0].1, "Hello Sari, order 7.");
    assert_eq!(it.csv("session=s1&template=pesanan&text=x", file).error(422, "bad_field")["field"], "template");
    assert_eq!(it.csv("session=s1", file).error(422, "bad_field")["field"], "text");
}

#[test]
fn rows_without_a_session_go_through_the_default_one() {
    let it = ready();
    let mut body = many(2);
    body.as_object_mut().unwrap().remove("session");
    let without = it.post("/v1/messages/batch", &body).error(422, "batch_refused");
    assert_eq!(without["rows"].as_array().map(Vec::len), Some(2));
    assert_eq!(it.post("/v1/sessions", &json!({"id": "s2", "default": true})).status, 201);
    body["messages"][1]["session"] = "s1".into();
    assert_eq!(it.post("/v1/messages/batch", &body).json()["accepted"], 2);
    assert_eq!((it.depth("s1", Lane::Bulk), it.depth("s2", Lane::Bulk)), (1, 1));
    assert_eq!(it.csv("text=Halo", "to\n6281234567890\n").status, 202);
    assert_eq!(it.depth("s2", Lane::Bulk), 2);
    // A key that is not good for it has none, as with single messages.
    let made = it.post("/v1/keys", &json!({"scopes": ["send"], "sessions": ["s1"]})).json();
    let refused = it.post_as(made["key"].as_str().unwrap(), "/v1/messages/batch", &{
        let mut body = many(1);
        body.as_object_mut().unwrap().remove("session");
        body
    });
    assert_eq!(refused.error(422, "batch_refused")["rows"][0]["code"], "not_found");
}

#[test]
fn a_full_queue_takes_no_more_and_nothing_is_stored() {
    let messages = MessageOptions { queue_caps: QueueCaps { otp: 0, bulk: 5 }, ..MessageOptions::default() };
    let it = Fixture::with(Wishes { messages, ..Wishes::default() });
    it.create("s1");
    let told = it.post("/v1/messages/batch", &many(7)).json();
    assert_eq!((&told["accepted"], &told["messages"][6]["code"]), (&json!(5), &json!("queue_full")));
    let text = json!({"session": "s1", "to": number(1), "content": {"type": "text", "text": "x"}});
    let stored = it.events().len();
    for answer in [it.post("/v1/messages", &text), it.post("/v1/messages/batch", &many(2))] {
        answer.error(429, "queue_full");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    assert_eq!((it.events().len(), it.depth("s1", Lane::Bulk)), (stored, 5));
    let mut urgent = text.clone();
    (urgent["lane"], urgent["ttl"]) = (json!("otp"), json!(60));
    assert_eq!(it.post("/v1/messages", &urgent).status, 202, "the other lane has room");
    // A worker has taken them.
    it.texts(5);
    it.clock.advance(Duration::from_secs(2));
    assert_eq!(it.post("/v1/messages", &text).status, 202);
}
