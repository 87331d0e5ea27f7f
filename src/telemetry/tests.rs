use std::collections::BTreeSet;
use std::time::Duration;

use kurir_core::domain::{FailReason, Lane, SessionState, Timestamp};
use kurir_core::memory::ManualClock;
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
