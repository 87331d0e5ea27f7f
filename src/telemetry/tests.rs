use std::collections::BTreeSet;
use std::time::Duration;

use kurir_core::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryFault, DeliveryId, DisabledReason, EventId, EventKind, FailReason,
    KindChoice, Lane, LogPosition, SessionId, SessionState, TenantId, Timestamp, Webhook, WebhookHealth, WebhookId,
    WebhookSettings,
};
use kurir_core::memory::{ManualClock, MemoryStores};
use kurir_core::port::{DeliveryClaim, WebhookStore as _};
use kurir_workers::{LeaseChange, Observer as _, Refused};

use super::series::{QueueLabels, SessionLabels, SessionQueueLabels, TypeLabel, WhatLabel};
use super::*;
use crate::gateway::Meter as _;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

fn telemetry(parts: &[Part]) -> Telemetry {
    Telemetry::new(parts, Arc::new(ManualClock::new(at(0))), Refused::default())
}

/// Whatever stands behind `# TYPE` and `# HELP`, as Prometheus names it.
fn told(text: &str) -> BTreeSet<String> {
    let named = |line: &str| {
        let mut words = line.strip_prefix("# TYPE ")?.split(' ');
        let (name, kind) = (words.next()?, words.next()?);
        let tail = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        Some(format!("{name}{tail}"))
    };
    text.lines().filter_map(named).collect()
}

/// Each series with a value: one without is not written.
fn touched(parts: &[Part]) -> Telemetry {
    let telemetry = telemetry(parts);
    telemetry.answered("GET", "/v1/sessions", 200, Duration::from_millis(3));
    telemetry.session(SessionState::Connected);
    let counted = &telemetry.counted;
    counted.jobs.get_or_create(&series::JobLabels { state: "sent", lane: "otp", reason: series::NONE }).inc();
    counted.events.get_or_create(&TypeLabel { r#type: "message.sent" }).inc();
    counted.queue_jobs.get_or_create(&QueueLabels { kind: "session", lane: "otp" }).set(1);
    let of_session = SessionQueueLabels { session: "s1".to_owned(), lane: "otp" };
    counted.session_queue_jobs.get_or_create(&of_session).set(1);
    counted.sessions.get_or_create(&SessionLabels { state: "connected", wanted: "running" }).set(1);
    counted.sample_failures.get_or_create(&WhatLabel { what: "queues" }).inc();
    telemetry
}

#[test]
fn what_is_described_is_what_is_told() {
    let described: BTreeSet<String> = series().into_iter().map(|series| series.name).collect();
    assert_eq!(told(&touched(&Part::ALL).exposition()), described);
    for part in Part::ALL {
        let of_part: BTreeSet<String> =
            series().into_iter().filter(|series| series.parts.contains(&part)).map(|series| series.name).collect();
        assert_eq!(told(&touched(&[part]).exposition()), of_part, "{part:?}");
    }
}

#[test]
fn names_and_labels_are_as_prometheus_wants_them() {
    for Series { name, kind, labels, .. } in series() {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(plain(&name) && name.starts_with("kurir_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        if kind == "histogram" || name.contains("_age") {
            assert!(name.ends_with("_seconds"), "{name} has no unit");
        }
        for label in labels {
            assert!(plain(label) && !["number", "to", "tenant", "phone", "recipient"].contains(label), "{name}{label}");
        }
    }
}

#[tokio::test]
async fn attempts_of_webhooks_are_counted_once_their_result_is_kept() {
    let clock = Arc::new(ManualClock::new(at(0)));
    let telemetry = Arc::new(telemetry(&[Part::Relay]));
    let stores = Arc::new(MemoryStores::new(clock));
    let webhooks = CountedWebhooks::new(stores, Arc::clone(&telemetry));
    let id = WebhookId::new("hook-1").unwrap();
    let settings = WebhookSettings {
        url: "https://hooks.test/".to_owned().into(),
        label: String::new(),
        types: KindChoice::new(["*"]).unwrap(),
        sessions: None,
        secret: "whsec_AA==".to_owned().into(),
        old_secret: None,
    };
    let (tenant, health, cursor) = (TenantId::new("acme").unwrap(), WebhookHealth::default(), LogPosition(0));
    let hook = Webhook { id: id.clone(), tenant, version: 0, settings, health, cursor, created_at: at(0) };
    assert!(webhooks.add_webhook(&hook).await.unwrap());
    let event = EventId::of_session(&SessionId::new("s1").unwrap(), EventKind::SessionConnected, "x");
    let all: Vec<_> = (0..3)
        .map(|n| {
            Delivery::new(DeliveryId::new(at(n), 1), id.clone(), (event, EventKind::SessionConnected, None), at(0))
        })
        .collect();
    assert!(webhooks.add_deliveries(&id, &all).await.unwrap());
    let claim = DeliveryClaim { token: 1, now: at(0), until: at(60_000) };
    assert_eq!(webhooks.claim(&id, claim, 3).await.unwrap().len(), 3);
    let tried = |status, fault| DeliveryAttempt { at: at(0), status, took_ms: 40, fault };
    let results = [
        (tried(Some(204), None), DeliveryEnd::Taken),
        (tried(Some(503), Some(DeliveryFault::Status)), DeliveryEnd::Again(at(5000))),
        (tried(None, Some(DeliveryFault::TimedOut)), DeliveryEnd::GivenUp),
    ];
    for (delivery, (attempt, end)) in all.iter().zip(results) {
        assert!(webhooks.settle(delivery.id, &claim, attempt, end, None).await.unwrap().is_some());
        // Somebody else's by now: nothing is written, nothing counted.
        assert!(webhooks.settle(delivery.id, &claim, attempt, end, None).await.unwrap().is_none());
    }
    for _ in 0..2 {
        webhooks.disable(&id, DisabledReason::Failing, at(0), &[]).await.unwrap();
    }
    let text = telemetry.exposition();
    for line in [
        "kurir_webhook_attempts_total{result=\"delivered\",end=\"taken\"} 1",
        "kurir_webhook_attempts_total{result=\"status\",end=\"again\"} 1",
        "kurir_webhook_attempts_total{result=\"timed_out\",end=\"given_up\"} 1",
        "kurir_webhook_attempts_total{result=\"broken\",end=\"again\"} 0",
        "kurir_webhook_answer_seconds_count 2",
        "kurir_webhook_answer_seconds_bucket{le=\"0.05\"} 2",
        "kurir_webhooks_disabled_total{reason=\"failing\"} 1",
        "kurir_webhooks_disabled_total{reason=\"gone\"} 0",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(!text.contains("hook-1") && !text.contains("acme"), "{text}");
}

#[test]
fn two_in_one_process_stay_apart() {
    let (one, two) = (telemetry(&Part::ALL), telemetry(&Part::ALL));
    one.lease(LeaseChange::Lost);
    one.put_off(FailReason::SenderDailyCap);
    one.put_off(FailReason::SenderDisconnected);
    let (one, two) = (one.exposition(), two.exposition());
    for line in ["kurir_lease_changes_total{change=\"lost\"} ", "kurir_limit_hits_total{limit=\"sender_daily_cap\"} "] {
        assert!(one.contains(&format!("{line}1")), "{line}\n{one}");
        assert!(two.contains(&format!("{line}0")), "what can happen is there from the start: {line}\n{two}");
    }
    assert!(!one.contains("sender_disconnected"), "that is no limit");
}

#[test]
fn the_oldest_job_in_hand_grows_old_until_it_is_settled() {
    let clock = Arc::new(ManualClock::new(at(0)));
    let telemetry = Telemetry::new(&[Part::Worker], Arc::clone(&clock) as _, Refused::default());
    telemetry.taken(Lane::Otp, at(-2000), at(0), true);
    telemetry.taken(Lane::Otp, at(-9000), at(0), false);
    clock.advance(Duration::from_secs(1));
    let age = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("kurir_oldest_job_age_seconds{lane=\"otp\"}"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    let text = telemetry.exposition();
    assert_eq!(age(&text), Some(10.0), "{text}");
    assert!(text.contains("kurir_jobs_in_work{lane=\"otp\"} 2"), "{text}");
    assert!(text.contains("kurir_job_queue_wait_seconds_count{lane=\"otp\"} 1"), "a job that comes back waits again");
    telemetry.settled(Lane::Otp, at(-9000));
    assert_eq!(age(&telemetry.exposition()), Some(3.0));
    telemetry.settled(Lane::Otp, at(-2000));
    assert_eq!(age(&telemetry.exposition()), Some(0.0));
}
