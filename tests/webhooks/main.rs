//! Webhooks from end to end: everything in one process, and a receiver on loopback that checks every signature.
#![cfg(feature = "simulator")]

#[path = "../fleet/http.rs"]
mod http;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::http::Client;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use kurir::compose::{Embedded, up};
use kurir::config::{Config, Sources};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take, seconds.
const SOON: u64 = 60;

/// What the receiver knows.
#[derive(Default)]
struct Heard {
    secrets: Vec<String>,
    /// How often each event came, by its id.
    times: HashMap<String, u32>,
    /// The types of what was taken, in order.
    taken: Vec<(String, String)>,
    /// What was not signed by all secrets.
    unsigned: u32,
}

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Heard>>);

impl Receiver {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap()
    }

    fn taken(&self, kind: &str) -> Vec<String> {
        let heard = self.lock();
        heard.taken.iter().filter(|(_, one)| one == kind).map(|(id, _)| id.clone()).collect()
    }

    async fn until(&self, what: &str, holds: impl Fn(&Heard) -> bool) {
        let mut timer = tokio::time::interval(Duration::from_millis(50));
        let waiting = async {
            loop {
                timer.tick().await;
                if holds(&self.lock()) {
                    return;
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(SOON), waiting).await;
        waited.unwrap_or_else(|_| panic!("waited in vain: {what}; taken: {:?}", self.lock().taken));
    }
}

/// Refuses each event once, then takes it if all secrets have signed it.
async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut heard = receiver.lock();
    let signed = heard
        .secrets
        .iter()
        .all(|secret| standardwebhooks::Webhook::new(secret).unwrap().verify(&body, &headers).is_ok());
    if !signed {
        heard.unsigned += 1;
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let times = heard.times.entry(id.clone()).or_default();
    *times += 1;
    if *times == 1 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["id"], id, "the webhook's id is the event's");
    heard.taken.push((id, event["type"].as_str().unwrap().to_owned()));
    StatusCode::NO_CONTENT
}

async fn alone(folder: &TempDir) -> Embedded {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let flags = [
        format!("sqlite.path={}", path("kurir.db")),
        format!("store.encryption_keys_file={}", path("keys")),
        "gateway.listen=127.0.0.1:0".into(),
        "gateway.api_key=key-of-the-webhooks-test-77".into(),
        "simulator.listen=127.0.0.1:0".into(),
        "simulator.control=127.0.0.1:0".into(),
        "web.allow=127.0.0.0/8".into(),
        "webhooks.backoff_base=20ms".into(),
        "webhooks.backoff_max=100ms".into(),
    ];
    let config = Config::load(&Sources { flags: flags.into(), ..Sources::default() }).unwrap();
    up(&config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_reaches_a_webhook_signed_repeated_and_replayed() {
    let receiver = Receiver::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/hook", listener.local_addr().unwrap());
    let app = Router::new().route("/hook", post(hear)).with_state(receiver.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let folder = tempfile::tempdir().unwrap();
    let kurir = alone(&folder).await;
    let client = Client::new(&kurir.gateway_url, Some(kurir.api_key.expose()));

    let (status, refused) = client.post("/v1/webhooks", json!({"url": "http://10.9.8.7/hook"})).await;
    assert_eq!((status, &refused["field"]), (422, &json!("url")), "{refused}");
    let (status, made) =
        client.post("/v1/webhooks", json!({"url": hook, "types": ["session.created", "webhook.*"]})).await;
    assert_eq!(status, 201, "{made}");
    receiver.lock().secrets.push(made["secret"].as_str().unwrap().to_owned());
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());

    // It fails at first and is told again.
    assert_eq!(client.post("/v1/sessions", json!({"id": "s1"})).await.0, 201);
    receiver
        .until("the session's creation is told", |heard| heard.taken.iter().any(|(_, kind)| kind == "session.created"))
        .await;
    let deliveries = format!("{path}/deliveries");
    let delivered = client
        .until("delivery in the log", SOON, &deliveries, |_, page| {
            let all = page["deliveries"].as_array()?;
            all.iter().find(|one| one["type"] == "session.created" && one["state"] == "delivered").cloned()
        })
        .await;
    let attempts = delivered["attempts"].as_array().unwrap();
    assert_eq!((&attempts[0]["status"], &attempts[0]["error"]), (&json!(503), &json!("status")), "{delivered}");
    assert_eq!(attempts.last().unwrap()["status"], 204);

    // Both secrets sign while they overlap.
    let (_, rotated) = client.post(&format!("{path}/rotate"), json!({})).await;
    receiver.lock().secrets.push(rotated["secret"].as_str().unwrap().to_owned());
    assert_eq!(client.post(&format!("{path}/test"), Value::Null).await.0, 202);
    receiver.until("the test is told", |heard| heard.taken.iter().any(|(_, kind)| kind == "webhook.test")).await;

    // The same once more, under the same id; and no code to link with is ever told.
    let first = receiver.taken("session.created");
    let span = json!({"since": "2020-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z", "types": ["session.created"]});
    let (status, again) = client.post(&format!("{path}/replay"), span).await;
    assert_eq!((status, &again["deliveries"]), (202, &json!(1)), "{again}");
    receiver
        .until("it is told again", |heard| {
            heard.taken.iter().filter(|(_, kind)| kind == "session.created").count() == 2
        })
        .await;
    assert_eq!(receiver.taken("session.created"), [first[0].clone(), first[0].clone()]);
    assert_eq!(receiver.lock().unsigned, 0, "each signature was good");
    kurir.stop().await;
    serving.abort();
}
