//! `/v1/verifications`

use std::time::Duration;

use kurir_core::domain::{Lane, Target};
use kurir_core::port::JobQueue as _;
use kurir_core::wire::{JOB_KIND, JobV1};
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, Wishes, session, verify};
use crate::queue::Fault;

const TO: &str = "0812-3456-7890";

/// A fixture with the session `s1`.
fn ready() -> Fixture {
    with(|_| {})
}

/// The same, its verifications changed.
pub fn with(change: impl FnOnce(&mut kurir::gateway::VerifyOptions)) -> Fixture {
    let mut verify = verify();
    change(&mut verify);
    let it = Fixture::with(Wishes { verify, ..Wishes::default() });
    it.create("s1");
    it
}

impl Fixture {
    /// Asks for a code to a number; gives the answer.
    pub fn verify(&self, to: &str) -> Answer {
        self.post("/v1/verifications", &json!({"to": to, "session": "s1", "text": "Kode: {code}"}))
    }

    /// The same, which must be new; gives its id.
    pub fn verified(&self, to: &str) -> String {
        let made = self.verify(to);
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["id"].as_str().unwrap().to_owned()
    }

    /// Takes the texts of the messages that wait.
    fn code_texts(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let waiting = self.queue.depth(&session("s1"), Lane::Otp).await.unwrap();
            let mut jobs = self.queue.subscribe(&session("s1"), Lane::Otp, 100).await.unwrap();
            let mut texts = Vec::new();
            for _ in 0..waiting {
                let delivery = jobs.next().await.unwrap().unwrap();
                assert_eq!(delivery.headers.kind, JOB_KIND);
                let job = JobV1::decode(JOB_KIND, &delivery.body, None).unwrap();
                assert_eq!((job.lane, &job.target), (Lane::Otp, &Target::Session(session("s1"))));
                assert!(job.expires_at.is_some());
                texts.push(job.content.render().unwrap().into_inner());
                delivery.settle.ack().await.unwrap();
            }
            texts
        })
    }

    /// Takes the code out of the one message that waits.
    pub fn code(&self) -> String {
        let texts = self.code_texts();
        assert_eq!(texts.len(), 1, "{} messages", texts.len());
        texts[0].strip_prefix("Kode: ").expect("the text that was given").to_owned()
    }

    pub fn check(&self, id: &str, code: &str) -> Value {
        let answer = self.post(&format!("/v1/verifications/{id}/check"), &json!({"code": code}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The events of verifications, oldest first.
    pub fn told(&self) -> Vec<&'static str> {
        let events = self.events().into_iter();
        events.filter_map(|kind| kind.strip_prefix("verification.")).collect()
    }
}

/// Another code of the same length.
pub fn wrong(code: &str) -> String {
    code.chars().map(|c| if c == '0' { '1' } else { '0' }).collect()
}

#[test]
fn a_code_is_sent_given_back_and_good_once() {
    let it = ready();
    let made = it.verify(TO);
    let view = made.json();
    assert_eq!((made.status, &view["status"], &view["to"]), (201, &json!("pending"), &json!("6281…90")));
    assert_eq!((&view["sends"], &view["checks"], &view["max_checks"]), (&json!(1), &json!(0), &json!(5)));
    assert_eq!(view["expires_at"], "2026-11-21T12:10:00.000Z");
    let id = view["id"].as_str().unwrap();
    assert_eq!(made.header("location"), Some(format!("/v1/verifications/{id}").as_str()));
    let code = it.code();
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "six digits");
    let message = it.get(&format!("/v1/messages/{}", view["message"].as_str().unwrap())).json();
    assert_eq!((&message["lane"], &message["expires_at"]), (&json!("otp"), &view["expires_at"]));

    let answer = it.check(id, &wrong(&code));
    assert_eq!((&answer["valid"], &answer["status"], &answer["checks"]), (&json!(false), &json!("pending"), &json!(1)));
    let spaced = format!(" {}-{} ", &code[..3], &code[3..]);
    let answer = it.check(id, &spaced);
    assert_eq!((&answer["valid"], &answer["status"]), (&json!(true), &json!("approved")));
    let again = it.check(id, &code);
    assert_eq!((&again["valid"], &again["status"], &again["checks"]), (&json!(false), &json!("approved"), &json!(2)));
    assert_eq!(it.told(), ["created", "sent", "approved"]);
    for path in ["resend", "cancel"] {
        let answer = it.post(&format!("/v1/verifications/{id}/{path}"), &json!({}));
        assert_eq!(answer.error(409, "verification_ended")["state"], "approved");
    }
    for answer in [it.get(&format!("/v1/verifications/{id}")), it.get("/v1/verifications")] {
        assert!(!answer.text().contains(&code) && !answer.text().contains("8123456"), "{}", answer.text());
    }
    assert_ne!(it.verified(TO), id, "the next one is another");
}

#[test]
fn the_same_number_gets_the_same_code_again_so_often() {
    let it = with(|verify| {
        verify.max_sends = 3;
        verify.resend_every = Duration::from_mins(1);
    });
    let id = it.verified(TO);
    let code = it.code();
    let refused = it.verify("+62 812 3456 7890");
    assert_eq!(refused.error(429, "resend_too_soon")["retryAfterSeconds"], 60);
    assert_eq!(refused.header("retry-after"), Some("60"));
    it.clock.advance(Duration::from_mins(1));
    let again = it.verify("+62 812 3456 7890");
    assert_eq!((again.status, &again.json()["id"], &again.json()["sends"]), (200, &json!(id), &json!(2)));
    assert_eq!(it.code(), code);
    it.clock.advance(Duration::from_mins(1));
    let again = it.post(&format!("/v1/verifications/{id}/resend"), &json!({}));
    assert_eq!((again.status, &again.json()["sends"]), (200, &json!(3)));
    assert_eq!(it.code(), code);
    it.clock.advance(Duration::from_mins(1));
    let spent = it.verify(TO);
    assert_eq!(spent.error(429, "max_send_attempts_reached")["retryAfterSeconds"], 7 * 60);
    assert_eq!(it.told(), ["created", "sent", "sent", "sent"]);
    it.clock.advance(Duration::from_mins(7));
    let next = it.verified(TO);
    assert_ne!(next, id);
    assert_eq!(it.told(), ["created", "sent", "sent", "sent", "expired", "created", "sent"]);
    assert_ne!(it.code(), code);
}

#[test]
fn five_wrong_codes_are_the_end() {
    let it = ready();
    let id = it.verified(TO);
    let code = it.code();
    for checks in 1..=5 {
        let answer = it.check(&id, &wrong(&code));
        let status = if checks < 5 { "pending" } else { "max_attempts_reached" };
        assert_eq!((&answer["status"], &answer["checks"]), (&json!(status), &json!(checks)));
    }
    let late = it.check(&id, &code);
    assert_eq!(
        (&late["valid"], &late["status"], &late["checks"]),
        (&json!(false), &json!("max_attempts_reached"), &json!(5))
    );
    assert_eq!(it.told(), ["created", "sent", "max_attempts_reached"]);
}

/// However many come at once: no more comparisons are made than there may be, and a code is good once.
#[test]
fn codes_given_back_at_once_do_not_exceed_the_limit() {
    for right in [false, true] {
        let it = ready();
        let id = it.verified(TO);
        let code = it.code();
        let given = if right { code } else { wrong(&code) };
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..16).map(|_| scope.spawn(|| it.check(&id, &given))).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let valid = answers.iter().filter(|answer| answer["valid"] == true).count();
        let last = it.get(&format!("/v1/verifications/{id}")).json();
        let (status, checks) = if right { ("approved", 1) } else { ("max_attempts_reached", 5) };
        assert_eq!((valid, &last["status"], &last["checks"]), (usize::from(right), &json!(status), &json!(checks)));
        let told = it.told();
        assert_eq!(told.iter().filter(|kind| **kind == status).count(), 1, "{told:?}");
    }
}

#[test]
fn one_that_is_late_has_expired_and_one_that_is_taken_back_is_canceled() {
    let it = ready();
    let id = it.verified(TO);
    let code = it.code();
    it.clock.advance(Duration::from_mins(10));
    let answer = it.check(&id, &code);
    assert_eq!((&answer["valid"], &answer["status"], &answer["checks"]), (&json!(false), &json!("expired"), &json!(0)));
    let other = it.verified("081234567891");
    let path = format!("/v1/verifications/{other}/cancel");
    for _ in 0..2 {
        assert_eq!(it.post(&path, &json!({})).json()["status"], "canceled");
    }
    let message = it.get(&format!("/v1/verifications/{other}")).json()["message"].as_str().unwrap().to_owned();
    assert_eq!(it.get(&format!("/v1/messages/{message}")).json()["state"], "cancelled", "it waited in a queue");
    assert_eq!(it.told(), ["created", "sent", "expired", "created", "sent", "canceled"]);
    let ended = it.get("/v1/verifications?status=canceled&to=081234567891").json();
    assert_eq!(ended["verifications"][0]["id"], json!(other));
    assert_eq!(it.get("/v1/verifications?status=pending").json()["verifications"], json!([]));
    let page = it.get("/v1/verifications?limit=1").json();
    assert_eq!(page["verifications"][0]["id"], json!(other), "the newest first");
    let next = it.get(&format!("/v1/verifications?limit=1&before={}", page["next"].as_str().unwrap())).json();
    assert_eq!((&next["verifications"][0]["id"], &next["next"]), (&json!(id), &Value::Null));
}

#[test]
fn the_newest_of_a_number_is_meant_where_a_number_is_given() {
    let it = ready();
    let check = |to: &str, code: &str| it.post("/v1/verifications/check", &json!({"to": to, "code": code}));
    check(TO, "493817").error(404, "not_found");
    let id = it.verified(TO);
    let code = it.code();
    let answer = check("+62 812 3456 7890", &code).json();
    assert_eq!((&answer["id"], &answer["valid"]), (&json!(id), &json!(true)));
    assert_eq!(check(TO, &code).json()["status"], "approved");
    let body = json!({"to": TO, "code": code});
    it.post_as(OTHER_KEY, "/v1/verifications/check", &body).error(404, "not_found");
}

#[test]
fn letters_lengths_and_languages() {
    let it = ready();
    let wish = json!({
        "to": TO, "session": "s1", "code_length": 10, "alphabet": "letters", "ttl": 60, "locale": "id-ID",
        "metadata": {"order": "77"},
    });
    let made = it.post("/v1/verifications", &wish);
    assert_eq!((made.status, &made.json()["expires_at"]), (201, &json!("2026-11-21T12:01:00.000Z")), "{}", made.text());
    assert_eq!(made.json()["metadata"], json!({"order": "77"}));
    let text = it.code_texts().remove(0);
    let code = text.strip_prefix("Kode verifikasi Anda: ").and_then(|rest| rest.split('.').next()).expect("Indonesian");
    assert!(code.len() == 10 && code.bytes().all(|b| b.is_ascii_uppercase() && !b"AEIOUY".contains(&b)), "{text}");
    assert_eq!(it.check(made.json()["id"].as_str().unwrap(), &code.to_lowercase())["valid"], true);
}

#[test]
fn a_code_comes_in_the_text_of_a_template() {
    let it = ready();
    let change = |name: &str, texts: Value| {
        let body = json!({"default_locale": "id", "texts": texts}).to_string();
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
        let answer = it.call("PUT", &format!("/v1/templates/{name}"), &headers, body.as_bytes());
        assert!(answer.status < 300, "{}", answer.text());
    };
    let mut last = 0;
    let mut said = |more: Value| {
        last += 1;
        let mut wish = json!({"to": format!("0812-3456-78{last:02}"), "session": "s1"});
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = it.post("/v1/verifications", &wish);
        assert_eq!(made.status, 201, "{}", made.text());
        let text = it.code_texts().remove(0);
        text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>()
    };
    let english = "Your verification code is ######. Don't share it with anyone.";
    assert_eq!(said(json!({"template": "otp", "locale": "en"})), english);
    change("masuk", json!({"id": "Masuk: {code}", "fr-CA": "Connexion : {code}"}));
    assert_eq!(said(json!({"template": "masuk"})), "Masuk: ######", "its default, where it has not the language");
    assert_eq!(said(json!({"template": "masuk", "locale": "fr-CA"})), "Connexion : ######");
    // The tenant's own of the well-known name comes first, where it has the language.
    assert_eq!(said(json!({"locale": "en"})), english);
    change("otp", json!({"id": "Kode Toko: {code}", "fr": "Code : {code}"}));
    assert_eq!(said(json!({})), "Kode Toko: ######");
    assert_eq!(said(json!({"locale": "fr-CA"})), "Code : ######");
    assert_eq!(said(json!({"locale": "en"})), english);
    let nowhere = json!({"to": TO, "session": "s1", "locale": "de"});
    assert_eq!(it.post("/v1/verifications", &nowhere).error(422, "bad_field")["field"], "locale");
    // One that wants more than a code is for messages.
    change("otp", json!({"id": "Halo {name}: {code}"}));
    assert!(said(json!({"locale": "id"})).starts_with("Kode verifikasi Anda: ######."));
    for (template, status, code) in [("otp", 422, "bad_field"), ("none", 404, "not_found"), ("!", 404, "not_found")] {
        let wish = json!({"to": TO, "session": "s1", "template": template});
        assert_eq!(it.post("/v1/verifications", &wish).error(status, code)["field"], "template");
    }
    let foreign = json!({"to": TO, "session": "s1", "template": "masuk"});
    it.post_as(OTHER_KEY, "/v1/verifications", &foreign).error(404, "not_found");
}

#[test]
fn the_secret_of_webhooks_is_shown_with_the_one_that_it_replaces() {
    let it = Fixture::new();
    let shown = it.get("/v1/verifications/webhook-secret").json();
    let secrets: Vec<&str> = ["secret", "old_secret"].iter().map(|field| shown[*field].as_str().unwrap()).collect();
    assert!(secrets.iter().all(|secret| secret.starts_with("whsec_")) && secrets[0] != secrets[1], "{shown}");
    let alone = with(|verify| verify.secrets = kurir_core::domain::SecretNumbers::default());
    let before = alone.get("/v1/verifications/webhook-secret").json();
    assert_eq!(before, json!({"secret": secrets[1], "old_secret": null}));
}

#[test]
fn who_names_no_session_gets_the_default_one() {
    let it = Fixture::new();
    let wish = json!({"to": TO, "text": "Kode: {code}"});
    assert_eq!(it.post("/v1/verifications", &wish).error(422, "bad_field")["field"], "session");
    assert_eq!(it.post("/v1/sessions", &json!({"id": "s1", "default": true})).status, 201);
    let made = it.post("/v1/verifications", &wish);
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("s1")), "{}", made.text());
    assert_eq!(it.code().len(), 6);
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_made() {
    let it = ready();
    let wish = |more: Value| {
        let mut wish = json!({"to": TO, "session": "s1"});
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wish
    };
    for (more, field, code) in [
        (json!({"to": "12ab"}), "to", "bad_number"),
        (json!({"session": null}), "session", "bad_field"),
        (json!({"pool": "p"}), "session", "bad_field"),
        (json!({"code_length": 3}), "code_length", "bad_field"),
        (json!({"code_length": 11}), "code_length", "bad_field"),
        (json!({"alphabet": "runes"}), "alphabet", "bad_field"),
        (json!({"ttl": 5}), "ttl", "bad_field"),
        (json!({"text": "no place"}), "text", "bad_field"),
        (json!({"text": "{code} {name}"}), "text", "bad_field"),
        (json!({"locale": "fr"}), "locale", "bad_field"),
        (json!({"locale": "not a tag"}), "locale", "bad_field"),
        (json!({"text": "{code}", "template": "otp"}), "template", "bad_field"),
        (json!({"template": "notification"}), "template", "bad_field"),
        (json!({"template": "otp_with_name"}), "template", "bad_field"),
        (json!({"ip": "nowhere"}), "ip", "bad_field"),
        (json!({"code": "123456"}), "code", "bad_field"),
        (json!({"fallback": [{}]}), "fallback", "bad_field"),
        (json!({"fallback": [{"session": "a", "pool": "b"}]}), "fallback", "bad_field"),
        (json!({"fallback": [{"webhook": "ftp://x"}]}), "fallback", "bad_field"),
        (json!({"fallback": [{"session": "s1", "after": 0}]}), "fallback", "bad_field"),
    ] {
        let answer = it.post("/v1/verifications", &wish(more.clone()));
        assert_eq!(answer.error(422, code)["field"], field, "{more}");
    }
    let answer = it.post("/v1/verifications", &wish(json!({"session": "nobodys"})));
    assert_eq!(answer.error(404, "not_found")["field"], "session");
    it.post("/v1/verifications", &wish(json!({"fallback": [{"pool": "nobodys"}]}))).error(404, "not_found");
    assert_eq!(it.told(), [""; 0]);
    let id = it.verified(TO);
    let path = format!("/v1/verifications/{id}/check");
    for code in [String::new(), "1".repeat(65)] {
        it.post(&path, &json!({ "code": code })).error(422, "bad_field");
    }
    assert_eq!(it.get(&format!("/v1/verifications/{id}")).json()["checks"], 0);
    for query in ["limit=0", "limit=x", "status=gone", "before=x", "to=x", "other=1"] {
        assert_eq!(it.get(&format!("/v1/verifications?{query}")).status, 422, "{query}");
    }
}

#[test]
fn a_queue_that_does_not_answer_costs_no_sending() {
    let it = with(|verify| verify.resend_every = Duration::from_mins(1));
    it.queue.fail(Fault::Down);
    it.verify(TO).error(503, "not_queued");
    it.queue.fail(Fault::Nothing);
    assert_eq!(it.told(), ["created", "canceled"]);
    let id = it.verified(TO);
    let code = it.code();
    it.clock.advance(Duration::from_mins(1));
    it.queue.fail(Fault::Down);
    let path = format!("/v1/verifications/{id}/resend");
    it.post(&path, &json!({})).error(503, "not_queued");
    it.queue.fail(Fault::Nothing);
    assert_eq!(it.post(&path, &json!({})).status, 200, "without another pause");
    assert_eq!(it.code(), code);
}

#[test]
fn keys_of_some_sessions_and_scopes_see_what_is_theirs() {
    let it = ready();
    it.create("s2");
    let key = |wish: Value| it.post("/v1/keys", &wish).json()["key"].as_str().unwrap().to_owned();
    let narrow = key(json!({"scopes": ["send", "read"], "sessions": ["s2"]}));
    let id = it.verified(TO);
    let ask = |key: &str, method: &str, path: &str, body: &str| {
        it.call(method, path, &[("X-Api-Key", key), ("Content-Type", "application/json")], body.as_bytes())
    };
    let path = format!("/v1/verifications/{id}");
    ask(&narrow, "GET", &path, "").error(404, "not_found");
    for what in ["check", "resend", "cancel"] {
        ask(&narrow, "POST", &format!("{path}/{what}"), "{\"code\":\"1\"}").error(404, "not_found");
    }
    let body = json!({"to": TO, "session": "s1"}).to_string();
    assert_eq!(ask(&narrow, "POST", "/v1/verifications", &body).error(404, "not_found")["field"], "session");
    // Its own session, but one is open through another.
    let body = json!({"to": TO, "session": "s2"}).to_string();
    ask(&narrow, "POST", "/v1/verifications", &body).error(404, "not_found");
    assert_eq!(ask(&narrow, "GET", "/v1/verifications", "").json()["verifications"], json!([]));
    assert_eq!(it.get(&path).json()["sends"], 1);
    let body = json!({"to": "081234567899", "session": "s2"}).to_string();
    assert_eq!(ask(&narrow, "POST", "/v1/verifications", &body).status, 201);

    let (read, send) = (key(json!({"scopes": ["read"]})), key(json!({"scopes": ["send"]})));
    ask(&read, "POST", &format!("{path}/check"), "{\"code\":\"1\"}").error(403, "forbidden");
    ask(&send, "GET", &path, "").error(403, "forbidden");
    ask(&send, "GET", "/v1/verifications/prefixes", "").error(403, "forbidden");
    assert_eq!(ask(KEY, "GET", "/v1/verifications/prefixes", "").status, 200);
}
