//! `/metrics` on the gateway's address.

use serde_json::json;

use crate::fixture::{Fixture, KEY, OTHER_KEY, Wishes};

#[test]
fn an_admin_key_of_the_operator_sees_the_counts_and_others_see_nothing() {
    let it = Fixture::new();
    it.create("s1");
    it.get("/v1/sessions/s1");
    it.get("/v1/sessions/a-session-of-nobody");
    it.get("/v1/no/such/path/6281234567890");
    it.call("BREW", "/healthz", &[], b"");
    let answer = it.get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let text = answer.text();
    for line in [
        "kurir_http_requests_total{method=\"POST\",route=\"/v1/sessions\",status=\"201\"} 1",
        "kurir_http_requests_total{method=\"GET\",route=\"/v1/sessions/{id}\",status=\"200\"} 1",
        "kurir_http_requests_total{method=\"GET\",route=\"/v1/sessions/{id}\",status=\"404\"} 1",
        "kurir_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "kurir_http_requests_total{method=\"other\",route=\"/healthz\",status=\"405\"} 1",
        "kurir_http_request_duration_seconds_count{method=\"GET\",route=\"/v1/sessions/{id}\"} 2",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    for secret in ["6281234567890", "a-session-of-nobody", "s1", "acme"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
    // A key of another tenant, whatever it may do, finds nothing; one that may only look is told what it takes.
    let foreign = it.get_with("/metrics", &[("X-Api-Key", OTHER_KEY)]);
    foreign.error(404, "no_such_path");
    assert_eq!(foreign.text(), it.get_with("/nothing", &[("X-Api-Key", OTHER_KEY)]).text());
    let made = it.post("/v1/keys", &json!({"scopes": ["read"]})).json();
    it.get_with("/metrics", &[("X-Api-Key", made["key"].as_str().unwrap())]).error(403, "forbidden");
    it.get_with("/metrics", &[]).error(401, "unauthorized");
}

#[test]
fn refused_requests_of_a_key_are_counted_as_a_limit() {
    let it = Fixture::with(Wishes { key_rate: 1, ..Wishes::default() });
    while it.get_with("/v1/sessions", &[("X-Api-Key", OTHER_KEY)]).status != 429 {}
    let text = it.get_with("/metrics", &[("X-Api-Key", KEY)]).text();
    assert!(text.contains("kurir_limit_hits_total{limit=\"api_key\"} 1\n"), "{text}");
}
