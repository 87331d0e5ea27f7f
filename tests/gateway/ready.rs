//! `/healthz` and `/readyz`, on the gateway's address and on that of whoever watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kurir::gateway::{Monitor, Probe};
use kurir::telemetry::{Part, Telemetry};
use kurir_core::port::PortError;
use kurir_workers::Refused;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Answer, Fixture, PATIENCE, Wishes};

/// The states, without the times that the answers took; those must be there.
fn states(answer: &Answer) -> Value {
    let mut told = answer.json();
    for (name, check) in told["checks"].as_object_mut().expect("checks") {
        let took = check["latency_ms"].as_f64().unwrap_or_else(|| panic!("{name} has no latency"));
        assert!((0.0..PATIENCE.as_secs_f64() * 1000.0).contains(&took), "{name}: {took}");
        *check = check["status"].clone();
    }
    told
}

/// A store that is up as long as the switch says so, and a queue.
fn probes(up: &Arc<AtomicBool>) -> Vec<Probe> {
    let asked = Arc::clone(up);
    let store = Probe::new("store", PATIENCE, move || {
        let up = asked.load(Ordering::SeqCst);
        async move {
            let source = "password=hunter2".into();
            if up { Ok(()) } else { Err(PortError::Unavailable { system: "store", action: "asking", source }) }
        }
    });
    vec![store, Probe::new("queue", PATIENCE, || async { Ok(()) })]
}

#[test]
fn ready_means_that_all_answer_in_time() {
    let up = Arc::new(AtomicBool::new(true));
    let it = Fixture::with(Wishes { probes: probes(&up), ..Wishes::default() });
    let answer = it.get_with("/readyz", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(states(&answer), json!({"status": "ready", "checks": {"store": "ok", "queue": "ok"}, "down": []}));
    up.store(false, Ordering::SeqCst);
    let answer = it.get_with("/readyz", &[]);
    assert_eq!(answer.status, 503);
    assert_eq!(
        states(&answer),
        json!({"status": "not_ready", "checks": {"store": "failed", "queue": "ok"}, "down": ["store"]})
    );
    assert!(!answer.text().contains("hunter2"));
    let answer = it.get_with("/healthz", &[]);
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
}

#[test]
fn what_can_be_done_without_is_told_and_no_reason_not_to_be_ready() {
    let up = Arc::new(AtomicBool::new(false));
    let probes: Vec<Probe> = probes(&up).into_iter().map(Probe::spared).collect();
    let it = Fixture::with(Wishes { probes, ..Wishes::default() });
    let answer = it.get_with("/readyz", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(
        states(&answer),
        json!({"status": "ready", "checks": {"store": "failed", "queue": "ok"}, "down": ["store"]})
    );
}

#[test]
fn one_that_never_answers_is_cut_off() {
    let silent = Probe::new("store", Duration::from_millis(50), std::future::pending::<Result<(), PortError>>);
    let it = Fixture::with(Wishes { probes: vec![silent], ..Wishes::default() });
    let answer = it.get_with("/readyz", &[]);
    let check = &answer.json()["checks"]["store"];
    assert_eq!((answer.status, &check["status"]), (503, &json!("timeout")));
    assert!(check["latency_ms"].as_f64().unwrap() >= 50.0, "{check}");
}

/// The interface of processes without an API: the same words, and no key.
#[test]
fn whoever_watches_is_told_without_a_key() {
    let it = Fixture::new();
    let up = Arc::new(AtomicBool::new(true));
    let meter = Arc::new(Telemetry::new(&[Part::Worker], it.clock.clone(), Refused::default()));
    let monitor = Monitor { probes: probes(&up), meter };
    let listener = it.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = it.runtime.spawn(monitor.serve(listener, stop.clone()));
    let ask = |method: &str, path: &str| Fixture::call_at(&format!("http://{address}{path}"), method, &[], b"");
    assert_eq!(ask("GET", "/healthz").json(), json!({"status": "ok"}));
    assert_eq!((ask("GET", "/readyz").status, states(&ask("GET", "/readyz"))["down"].clone()), (200, json!([])));
    up.store(false, Ordering::SeqCst);
    let answer = ask("GET", "/readyz");
    assert_eq!((answer.status, states(&answer)["down"].clone()), (503, json!(["store"])));
    let answer = ask("GET", "/metrics");
    assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(answer.text().contains("kurir_jobs_in_work{lane=\"otp\"} 0\n"), "{}", answer.text());
    assert!(answer.text().ends_with("# EOF\n"), "{}", answer.text());
    ask("GET", "/v1/sessions").error(404, "no_such_path");
    ask("POST", "/metrics").error(405, "wrong_method");
    stop.cancel();
    it.runtime.block_on(async { tokio::time::timeout(PATIENCE, served).await }).unwrap().unwrap();
}
