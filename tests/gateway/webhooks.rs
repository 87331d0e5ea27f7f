//! Webhooks: made, changed, tried, replayed, and seen by nobody else.

use std::time::Duration;

use kurir_core::domain::{
    DeliveryAttempt, DeliveryEnd, DeliveryFault, DisabledReason, EventId, EventKind, LogPosition, OutboxEvent, Webhook,
    WebhookId,
};
use kurir_core::port::{Clock as _, DeliveryClaim, EventLog as _, WebError, WebhookStore as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, session, tenant};

const URL: &str = "https://example.com/hook?key=abc";

impl Fixture {
    fn hook(&self, wish: &Value) -> Value {
        let answer = self.post("/v1/webhooks", wish);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    fn patch(&self, path: &str, body: &Value) -> Answer {
        let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
        self.call("PATCH", path, &headers, body.to_string().as_bytes())
    }

    fn stored(&self, id: &str) -> Webhook {
        self.runtime.block_on(self.stores.webhook(&WebhookId::new(id).unwrap())).unwrap().unwrap()
    }

    fn log(&self, count: u32, kind: EventKind) {
        let events: Vec<_> = (0..count)
            .map(|n| OutboxEvent {
                id: EventId(Uuid::new_v4()),
                tenant: tenant("acme"),
                session: Some(session(if n % 2 == 0 { "even" } else { "odd" })),
                kind,
                at: self.clock.now(),
                body: b"{}".to_vec(),
            })
            .collect();
        self.runtime.block_on(self.stores.append(&events)).unwrap();
    }
}

fn id(webhook: &Value) -> &str {
    webhook["id"].as_str().unwrap()
}

#[test]
fn a_webhook_is_made_shown_changed_and_removed() {
    let it = Fixture::new();
    it.log(3, EventKind::MessageSent);
    let made = it.hook(&json!({"url": URL, "label": "shop", "types": ["message.*"], "sessions": ["even"]}));
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && standardwebhooks::Webhook::new(secret).is_ok());
    let path = format!("/v1/webhooks/{}", id(&made));
    let known = it.get(&path);
    assert!(!known.text().contains(secret), "it is shown once");
    let known = known.json();
    assert_eq!((&known["url"], &known["label"], &known["enabled"]), (&json!(URL), &json!("shop"), &json!(true)));
    assert_eq!((&known["types"], &known["sessions"]), (&json!(["message.*"]), &json!(["even"])));
    assert_eq!(it.stored(id(&made)).cursor, LogPosition(3), "it hears of what happens from now on");
    assert_eq!(it.get("/v1/webhooks").json()["webhooks"], json!([known]));

    let changed = it.patch(&path, &json!({"types": ["*"], "sessions": null, "url": "http://example.com/2"})).json();
    assert_eq!((&changed["types"], &changed["sessions"]), (&json!(["*"]), &json!(null)));
    assert_eq!((&changed["url"], &changed["label"]), (&json!("http://example.com/2"), &json!("shop")));
    assert_eq!(it.patch(&path, &json!({})).json(), changed, "nothing named, nothing changed");
    assert_eq!(it.delete(&path).status, 204);
    it.get(&path).error(404, "not_found");
    it.delete(&path).error(404, "not_found");
}

#[test]
fn bad_webhooks_are_refused_with_their_field() {
    let it = Fixture::new();
    let inner = "http://10.0.0.1/hook";
    it.web.put(inner, Err(WebError::Forbidden(None)));
    let made = it.hook(&json!({"url": URL}));
    for (wish, field) in [
        (json!({"url": "ftp://example.com"}), "url"),
        (json!({"url": "https://user:password@example.com"}), "url"),
        (json!({"url": inner}), "url"),
        (json!({"url": format!("https://example.com/{}", "x".repeat(2100))}), "url"),
        (json!({"url": URL, "types": []}), "types"),
        (json!({"url": URL, "types": ["message"]}), "types"),
        (json!({"url": URL, "sessions": []}), "sessions"),
        (json!({"url": URL, "label": "x".repeat(201)}), "label"),
    ] {
        let error = it.post("/v1/webhooks", &wish).error(422, "bad_field");
        assert_eq!(error["field"], field, "{wish}");
        assert!(!error.to_string().contains("password@"), "{error}");
        assert_eq!(it.patch(&format!("/v1/webhooks/{}", id(&made)), &wish).error(422, "bad_field")["field"], field);
    }
    for _ in 1..50 {
        it.hook(&json!({"url": URL}));
    }
    it.post("/v1/webhooks", &json!({"url": URL})).error(409, "too_many_webhooks");
    let narrow = it.post("/v1/keys", &json!({"scopes": ["admin"], "sessions": ["even"]})).json();
    let narrow = narrow["key"].as_str().unwrap();
    it.post_as(narrow, "/v1/webhooks", &json!({"url": URL})).error(403, "forbidden");
    assert_eq!(it.get_with("/v1/webhooks", &[("X-Api-Key", OTHER_KEY)]).json()["webhooks"], json!([]));
}

#[test]
fn a_secret_is_replaced_and_the_old_one_signs_for_a_while() {
    let it = Fixture::new();
    let made = it.hook(&json!({"url": URL}));
    let rotated = it.post(&format!("/v1/webhooks/{}/rotate", id(&made)), &json!({"overlap": 60}));
    assert_eq!(rotated.status, 200);
    let rotated = rotated.json();
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(rotated["old_secret_until"], "2026-11-21T12:01:00.000Z");
    let settings = it.stored(id(&made)).settings;
    assert_eq!(settings.secret.expose().as_str(), rotated["secret"]);
    assert_eq!(settings.old_secret.unwrap().secret.expose().as_str(), made["secret"]);
    it.clock.advance(Duration::from_mins(1));
    assert_eq!(it.get(&format!("/v1/webhooks/{}", id(&made))).json()["old_secret_until"], json!(null));
    it.post(&format!("/v1/webhooks/{}/rotate", id(&made)), &json!({"overlap": 700_000})).error(422, "bad_field");
}

#[test]
fn deliveries_are_listed_and_tried_again() {
    let it = Fixture::new();
    let made = it.hook(&json!({"url": URL}));
    let path = format!("/v1/webhooks/{}", id(&made));
    for _ in 0..3 {
        assert_eq!(it.post(&format!("{path}/test"), &Value::Null).status, 202);
        it.clock.advance(Duration::from_secs(1));
    }
    let page = it.get(&format!("{path}/deliveries?limit=2")).json();
    let first = &page["deliveries"][0];
    assert_eq!((&first["type"], &first["state"]), (&json!("webhook.test"), &json!("pending")));
    let rest = it.get(&format!("{path}/deliveries?before={}", page["next"].as_str().unwrap())).json();
    assert_eq!((rest["deliveries"].as_array().unwrap().len(), &rest["next"]), (1, &json!(null)));

    // As a relay would, whose attempt fails for good.
    let now = it.clock.now();
    let claim = DeliveryClaim { token: 7, now, until: now.plus(Duration::from_mins(1)) };
    let attempt = DeliveryAttempt { at: now, status: Some(500), took_ms: 5, fault: Some(DeliveryFault::Status) };
    it.runtime.block_on(async {
        let hook = WebhookId::new(id(&made)).unwrap();
        for delivery in it.stores.claim(&hook, claim, 10).await.unwrap() {
            it.stores.settle(delivery.id, &claim, attempt, DeliveryEnd::GivenUp, None).await.unwrap().unwrap();
        }
    });
    let failed = it.get(&format!("{path}/deliveries")).json()["deliveries"][0].clone();
    assert_eq!(failed["state"], "failed");
    let expected = json!([{"at": now.to_rfc3339(), "status": 500, "duration_ms": 5, "error": "status"}]);
    assert_eq!(failed["attempts"], expected);
    assert_eq!(it.get(&path).json()["failures"], 3);
    let again = it.post(&format!("{path}/deliveries/{}/retry", failed["id"].as_str().unwrap()), &Value::Null);
    assert_eq!((again.status, &again.json()["state"]), (202, &json!("pending")));
    for nobodys in ["x", "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"] {
        it.post(&format!("{path}/deliveries/{nobodys}/retry"), &Value::Null).error(404, "not_found");
    }
    it.get(&format!("{path}/deliveries?before=x")).error(422, "bad_field");
    it.get(&format!("{path}/deliveries?limit=0")).error(422, "bad_field");
}

#[test]
fn a_span_of_time_is_told_again() {
    let it = Fixture::new();
    it.log(4, EventKind::MessageSent);
    it.log(1, EventKind::SessionConnected);
    it.clock.advance(Duration::from_mins(10));
    it.log(2, EventKind::MessageSent);
    let made = it.hook(&json!({"url": URL, "types": ["message.*"], "sessions": ["even"]}));
    let path = format!("/v1/webhooks/{}/replay", id(&made));
    let replay = |since: &str, until: &str| it.post(&path, &json!({"since": since, "until": until}));
    let all = replay("2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z");
    assert_eq!((all.status, all.json()), (202, json!({"deliveries": 3, "next": null})), "of its sessions and types");
    assert_eq!(replay("2026-11-21T12:00:00Z", "2026-11-21T12:05:00Z").json()["deliveries"], 2);
    assert_eq!(replay("2026-11-21T12:05:00Z", "2026-11-21T13:00:00Z").json()["deliveries"], 1);
    let body = json!({"since": "2026-11-21T12:00:00Z", "until": "2026-11-21T13:00:00Z", "types": ["session.*"]});
    assert_eq!(it.post(&path, &body).json()["deliveries"], 1);
    replay("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z").error(422, "bad_field");
    replay("yesterday", "2026-11-21T12:00:00Z").error(422, "bad_field");
    it.log(5600, EventKind::MessageSent);
    let most = replay("2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z").json();
    assert_eq!(most["next"], json!(null), "2803 of them are of its session");
    assert_eq!(most["deliveries"], 2803);
}

#[test]
fn a_disabled_webhook_is_left_alone_until_it_is_enabled() {
    let it = Fixture::new();
    let made = it.hook(&json!({"url": URL}));
    let path = format!("/v1/webhooks/{}", id(&made));
    it.log(2, EventKind::MessageSent);
    let off = it.patch(&path, &json!({"enabled": false})).json();
    assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("by_request")));
    for (route, body) in
        [("test", Value::Null), ("replay", json!({"since": "2026-11-21T12:00:00Z", "until": "2026-11-21T13:00:00Z"}))]
    {
        it.post(&format!("{path}/{route}"), &body).error(409, "webhook_disabled");
    }
    let on = it.patch(&path, &json!({"enabled": true})).json();
    assert_eq!((&on["enabled"], &on["disabled_reason"]), (&json!(true), &json!(null)));
    assert_eq!(it.stored(id(&made)).cursor, LogPosition(2), "what it missed is not told by itself");
    let hook = WebhookId::new(id(&made)).unwrap();
    let now = it.clock.now();
    assert!(it.runtime.block_on(it.stores.disable(&hook, DisabledReason::Gone, now, &[])).unwrap());
    assert_eq!(it.get(&path).json()["disabled_reason"], "gone");
}
