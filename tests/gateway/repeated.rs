//! Every POST of the document is carried out once under its `Idempotency-Key`, or stands here with the reason why it takes none.

use serde_json::{Value, json};

use crate::document::{Operation, addresses, bodies, kind_of_body, operations};
use crate::fixture::{Answer, Fixture, KEY, written};
use crate::openapi::{document, with_a_real_batch, with_a_real_id, with_what_examples_speak_of};

/// What takes no key, and why a repetition does no harm.
const WITHOUT: [(&str, &str); 3] = [
    ("/v1/templates/{name}/preview", "nothing is sent or kept"),
    ("/v1/numbers/check", "it is a question"),
    ("/v1/sessions/{id}/pairing-code", "the same code comes again while it is good, and must not be kept longer"),
];

/// The POSTs of the document.
fn posts(document: &Value) -> Vec<Operation<'_>> {
    let mut all = operations(document, &[]);
    all.retain(|one| one.method == "POST" && one.path.starts_with("/v1/"));
    all
}

fn takes_a_key(spec: &Value) -> bool {
    let parameters = spec["parameters"].as_array();
    parameters.is_some_and(|all| all.iter().any(|one| one["in"] == "header" && one["name"] == "Idempotency-Key"))
}

#[test]
fn every_post_takes_a_key_or_has_a_reason_not_to() {
    let document = document();
    let without: Vec<_> = posts(&document).iter().filter(|one| !takes_a_key(one.spec)).map(|one| one.path).collect();
    let mut reasons = WITHOUT.map(|(path, _)| path).to_vec();
    reasons.sort_unstable();
    let mut found = without;
    found.sort_unstable();
    assert_eq!(found, reasons);
}

/// The first example of an operation, under a name.
struct Repeated {
    it: Fixture,
    address: String,
    kind: Option<String>,
    body: String,
}

impl Repeated {
    fn of(document: &Value, Operation { path, spec, .. }: &Operation<'_>) -> Self {
        let it = with_what_examples_speak_of(path);
        let address = addresses(document, path, spec).remove(0);
        let address = with_a_real_batch(&it, &with_a_real_id(&it, &address));
        let (_, body) = bodies(document, spec).remove(0);
        let body = body.as_ref().map(written).unwrap_or_default();
        Self { it, address, kind: kind_of_body(spec).filter(|_| !body.is_empty()).map(str::to_owned), body }
    }

    fn send(&self, body: &str) -> Answer {
        let mut headers = vec![("X-Api-Key", KEY), ("Idempotency-Key", "order 77")];
        headers.extend(self.kind.as_deref().map(|kind| ("Content-Type", kind)));
        self.it.call("POST", &self.address, &headers, body.as_bytes())
    }
}

#[test]
fn every_post_under_a_key_is_carried_out_once_and_answered_the_same() {
    let document = document();
    let mut ran = 0;
    for post in posts(&document).iter().filter(|post| takes_a_key(post.spec)) {
        let request = Repeated::of(&document, post);
        let what = &request.address;
        let first = request.send(&request.body);
        assert!(first.status < 300, "{what}: {} {}", first.status, first.text());
        assert_eq!(first.header("idempotent-replayed"), None, "{what}");
        let again = request.send(&request.body);
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{what}: {}", again.text());
        assert_eq!((again.status, again.text()), (first.status, first.text()), "{what}");
        for name in ["location", "content-type"] {
            assert_eq!(again.header(name), first.header(name), "{what}: {name}");
        }
        // Another request of the same name, be it by a space.
        request.send(&format!("{} ", request.body)).error(422, "idempotency_key_reused");
        ran += 1;
    }
    assert!(ran > 25, "only {ran} requests");
}

/// What would be there twice, or show another secret.
#[test]
fn what_is_made_under_a_key_is_there_once() {
    let it = Fixture::new();
    it.create("s1");
    for (path, list, body) in [
        ("/v1/sessions", "sessions", json!({})),
        ("/v1/keys", "keys", json!({"scopes": ["send"]})),
        ("/v1/webhooks", "webhooks", json!({"url": "https://example.com/kurir"})),
        ("/v1/verifications", "verifications", json!({"to": "6281234567890", "session": "s1"})),
    ] {
        let count = || it.get(path).json()[list].as_array().unwrap().len();
        let before = count();
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json"), ("Idempotency-Key", path)];
        let answers = [(); 3].map(|()| it.call("POST", path, &headers, body.to_string().as_bytes()));
        assert_eq!(answers[0].status, 201, "{path}: {}", answers[0].text());
        assert!(answers.iter().all(|answer| answer.text() == answers[0].text()), "{path}");
        assert_eq!(count(), before + 1, "{path}");
    }
    let sends = it.get("/v1/verifications").json()["verifications"][0]["sends"].clone();
    assert_eq!(sends, 1, "the code went out once");
}

/// The answer to a right code was lost; without a name the code would be used up.
#[test]
fn a_check_that_is_repeated_is_no_second_one() {
    let it = Fixture::new();
    it.create("s1");
    let made = it.post("/v1/verifications", &json!({"to": "6281234567890", "session": "s1"})).json();
    let path = format!("/v1/verifications/{}/check", made["id"].as_str().unwrap());
    let check = |name: &str| {
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json"), ("Idempotency-Key", name)];
        it.call("POST", &path, &headers, br#"{"code":"wrong1"}"#).json()["checks"].clone()
    };
    assert_eq!((check("a"), check("a"), check("b")), (json!(1), json!(1), json!(2)));
}

/// A named upload is compared by what the file is, however it comes; what is thrown away is not there.
#[test]
fn an_upload_under_a_key_is_kept_once() {
    let it = Fixture::new();
    let send = |name: &str, kind: &str, bytes: &[u8]| {
        let headers = [("X-Api-Key", KEY), ("Content-Type", kind), ("Idempotency-Key", name)];
        it.call("POST", "/v1/media", &headers, bytes)
    };
    let first = send("a", "application/pdf", b"%PDF-1.7 a file");
    assert_eq!(first.status, 201, "{}", first.text());
    let again = send("a", "application/pdf", b"%PDF-1.7 a file");
    assert_eq!((again.header("idempotent-replayed"), again.text()), (Some("true"), first.text()));
    send("a", "application/pdf", b"%PDF-1.7 b file").error(422, "idempotency_key_reused");
    // More than one piece, so that it was written before it was known to be another one.
    let long = [&b"%PDF-1.7"[..], &vec![b'x'; 600_000]].concat();
    send("a", "application/pdf", &long).error(422, "idempotency_key_reused");
    assert_eq!(it.get(first.header("location").unwrap()).bytes, b"%PDF-1.7 a file");
    let form = |boundary: &str| {
        let form = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n%PDF-1.7 a file\r\n\
             --{boundary}--\r\n"
        );
        send("form", &format!("multipart/form-data; boundary={boundary}"), form.as_bytes())
    };
    let first = form("one1");
    assert_eq!(first.json()["filename"], "a.pdf");
    assert_eq!((form("two2").text(), form("three3").status), (first.text(), 201));
    send("bad", "application/pdf", b"hello").error(415, "media_contradicts");
    assert_eq!(send("bad", "application/pdf", b"%PDF-1.7 hello").status, 201, "what was refused may be corrected");
}
