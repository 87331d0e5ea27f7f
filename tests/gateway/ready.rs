//! `/healthz` and `/readyz`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kurir::gateway::Probe;
use kurir_core::port::PortError;
use serde_json::json;

use crate::fixture::{Fixture, PATIENCE, Wishes};

#[test]
fn ready_means_that_all_answer_in_time() {
    let up = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&up);
    let store = Probe::new("store", PATIENCE, move || {
        let up = asked.load(Ordering::SeqCst);
        async move {
            let source = "password=hunter2".into();
            if up { Ok(()) } else { Err(PortError::Unavailable { system: "store", action: "asking", source }) }
        }
    });
    let queue = Probe::new("queue", PATIENCE, || async { Ok(()) });
    let it = Fixture::with(Wishes { probes: vec![store, queue], ..Wishes::default() });
    let answer = it.get_with("/readyz", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"status": "ready", "checks": {"store": "ok", "queue": "ok"}}));
    up.store(false, Ordering::SeqCst);
    let answer = it.get_with("/readyz", &[]);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({"status": "not_ready", "checks": {"store": "failed", "queue": "ok"}}));
    assert!(!answer.text().contains("hunter2"));
    let answer = it.get_with("/healthz", &[]);
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
}

#[test]
fn one_that_never_answers_is_cut_off() {
    let silent = Probe::new("store", Duration::from_millis(50), std::future::pending::<Result<(), PortError>>);
    let it = Fixture::with(Wishes { probes: vec![silent], ..Wishes::default() });
    let answer = it.get_with("/readyz", &[]);
    assert_eq!((answer.status, &answer.json()["checks"]), (503, &json!({"store": "timeout"})));
}
