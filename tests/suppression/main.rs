//! A whole kurir in one process against the simulator: who answers a bulk message with a word for it gets no more of them,
//! and still gets the code that he asks for.
#![cfg(feature = "simulator")]

use std::path::Path;
use std::time::Duration;

use kurir::compose::{Embedded, up};
use kurir::config::{Config, Sources};
use kurir_core::port::{EventFilter, EventStream};
use kurir_core::wire::EventV1;
use serde_json::{Value, json};

/// How long any step may take.
const PATIENCE: Duration = Duration::from_mins(1);

const SENDER: &str = "6281100000001";
const CUSTOMER: &str = "6281234567890";

fn config(data: &Path) -> Config {
    let path = |name: &str| data.join(name).display().to_string();
    let settings = [
        format!("sqlite.path={}", path("kurir.db")),
        format!("store.encryption_keys_file={}", path("encryption.keys")),
        "fleet.default_country=62".to_owned(),
        "gateway.listen=127.0.0.1:0".to_owned(),
        "simulator.listen=127.0.0.1:0".to_owned(),
        "simulator.control=127.0.0.1:0".to_owned(),
        "limits.sender.every=0s".to_owned(),
    ];
    Config::load(&Sources { flags: settings.to_vec(), ..Sources::default() }).unwrap()
}

async fn call(up: &Embedded, method: &'static str, path: &str, body: Value) -> (u16, Value) {
    let (url, key) = (format!("{}{path}", up.gateway_url), up.api_key.expose().clone());
    let answered = tokio::task::spawn_blocking(move || {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into();
        let request = ureq::http::Request::builder().method(method).uri(url).header("X-Api-Key", key);
        let mut answer = if body.is_null() {
            agent.run(request.body(()).unwrap()).unwrap()
        } else {
            let request = request.header("Content-Type", "application/json");
            agent.run(request.body(body.to_string().into_bytes()).unwrap()).unwrap()
        };
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap())
    });
    answered.await.unwrap()
}

/// The next event of this kind.
async fn next(events: &mut dyn EventStream, kind: &str) -> Value {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let event = events.next().await.unwrap().expect("the events ended");
            let event: EventV1<Value> = serde_json::from_slice(&event.body).unwrap();
            if event.kind == kind {
                return event.data;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("no {kind} within {PATIENCE:?}"))
}

fn bulk() -> Value {
    let content = json!({"type": "template", "name": "announcement", "locale": "id", "values": {"message": "Diskon!"}});
    json!({"session": "toko", "to": CUSTOMER, "content": content})
}

fn otp() -> Value {
    json!({"session": "toko", "to": CUSTOMER, "ttl": 300, "content": {"type": "otp", "code": "493817", "template": "otp", "locale": "en"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_answers_berhenti_gets_no_more_bulk_messages_and_still_its_code() {
    let data = tempfile::tempdir().unwrap();
    let up = up(&config(data.path())).await.unwrap();
    let mut events = up.backends.event_source.subscribe(EventFilter::default()).await.unwrap();
    assert_eq!(call(&up, "POST", "/v1/sessions", json!({"id": "toko"})).await.0, 201);
    let qr = next(&mut *events, "session.qr").await;
    let phones = up.simulator().unwrap();
    phones.scan(qr["qr"]["text"].as_str().unwrap(), SENDER).await.unwrap();
    next(&mut *events, "session.connected").await;

    // Nothing was sent to him yet, so the word is a word like any other.
    phones.send_text(CUSTOMER, SENDER, "BERHENTI").await.unwrap();
    next(&mut *events, "message.received").await;
    assert_eq!(call(&up, "GET", "/v1/suppressions", Value::Null).await.1["suppressions"], json!([]));

    assert_eq!(call(&up, "POST", "/v1/messages", bulk()).await.0, 202);
    next(&mut *events, "message.sent").await;
    phones.send_text(CUSTOMER, SENDER, "Berhenti").await.unwrap();
    let told = next(&mut *events, "recipient.suppressed").await;
    assert_eq!((&told["number"], &told["word"]), (&json!(CUSTOMER), &json!("berhenti")));

    let (status, message) = call(&up, "POST", "/v1/messages", bulk()).await;
    assert_eq!((status, &message["state"], &message["reason"]), (202, &json!("failed"), &json!("suppressed")));
    let (status, code) = call(&up, "POST", "/v1/messages", otp()).await;
    assert_eq!((status, &code["state"]), (202, &json!("queued")));
    loop {
        let sent = next(&mut *events, "message.sent").await;
        if sent["job"] == code["id"] {
            break;
        }
    }
    let (_, listed) = call(&up, "GET", &format!("/v1/suppressions/{CUSTOMER}"), Value::Null).await;
    assert_eq!(
        (&listed["source"], &listed["by"], &listed["note"]),
        (&json!("reply"), &json!("toko"), &json!("berhenti"))
    );
    let (_, audit) = call(&up, "GET", &format!("/v1/suppressions/{CUSTOMER}/audit"), Value::Null).await;
    assert_eq!(audit["changes"].as_array().unwrap().len(), 1);

    phones.send_text(CUSTOMER, SENDER, "MULAI").await.unwrap();
    next(&mut *events, "recipient.resumed").await;
    assert_eq!(call(&up, "POST", "/v1/messages", bulk()).await.1["state"], "queued");
    let last = next(&mut *events, "message.sent").await;
    assert_eq!(last["lane"], "bulk");

    let texts: Vec<_> = phones.inbox(CUSTOMER).unwrap().into_iter().filter_map(|message| message.text).collect();
    let code = "Your verification code is 493817. Don't share it with anyone.";
    assert!(texts.iter().any(|text| text == code), "{texts:?}");
    assert!(texts.iter().filter(|text| text.starts_with("Diskon!")).count() <= 2, "{texts:?}");
    up.stop().await;
}
