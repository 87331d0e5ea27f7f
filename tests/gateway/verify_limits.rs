//! How many codes go where, and where none goes.

use std::time::Duration;

use kurir_core::policy::CountryRule;
use serde_json::{Value, json};

use crate::fixture::{Fixture, OTHER_KEY};
use crate::verifications::{with, wrong};

fn from(it: &Fixture, to: &str, ip: &str) -> crate::fixture::Answer {
    it.post("/v1/verifications", &json!({"to": to, "session": "s1", "ip": ip}))
}

#[test]
fn each_limit_has_its_code_and_its_hour() {
    let it = with(|verify| {
        verify.per_recipient = 2;
        verify.per_prefix = 3;
        verify.per_country = 5;
        verify.per_ip = 4;
    });
    // Twelve o'clock: an hour begins.
    assert_eq!(from(&it, "6281200000001", "203.0.113.1").status, 201);
    assert_eq!(from(&it, "6281200000001", "203.0.113.1").status, 200);
    it.clock.advance(Duration::from_mins(20));
    let over = from(&it, "6281200000001", "203.0.113.1");
    assert_eq!(over.error(429, "recipient_limit_reached")["retryAfterSeconds"], 40 * 60);
    assert_eq!(from(&it, "6281200000002", "203.0.113.1").status, 201);
    from(&it, "6281200000003", "203.0.113.1").error(429, "prefix_limit_reached");
    assert_eq!(from(&it, "6281300000001", "203.0.113.1").status, 201);
    from(&it, "6581400000001", "203.0.113.1").error(429, "ip_limit_reached");
    assert_eq!(from(&it, "6281500000001", "203.0.113.2").status, 201);
    from(&it, "6281600000001", "203.0.113.2").error(429, "country_limit_reached");
    assert_eq!(from(&it, "6581600000001", "203.0.113.2").status, 201, "another country");
    // What was refused was counted nowhere: the address has two left of four.
    assert_eq!(from(&it, "6581700000001", "203.0.113.2").status, 201);
    it.clock.advance(Duration::from_mins(40));
    assert_eq!(from(&it, "6281200000001", "203.0.113.1").status, 201, "another hour");

    let created = it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "o1"}));
    assert_eq!(created.status, 201);
    for _ in 0..2 {
        let answer = it.post_as(OTHER_KEY, "/v1/verifications", &json!({"to": "6281200000001", "session": "o1"}));
        assert!(answer.status < 300, "another tenant's limits are its own: {}", answer.text());
    }
}

#[test]
fn countries_are_allowed_and_blocked() {
    let rule = |allowed: &str, blocked: &str| CountryRule {
        allowed: allowed.parse().unwrap(),
        blocked: blocked.parse().unwrap(),
    };
    let it = with(|verify| verify.countries = rule("62 65", ""));
    assert_eq!(it.verify("6281234567890").status, 201);
    let refused = it.verify("12125550001");
    assert_eq!(refused.error(403, "country_not_allowed")["retryAfterSeconds"], Value::Null);
    let it = with(|verify| verify.countries = rule("", "62"));
    it.verify("6281234567890").error(403, "country_not_allowed");
    assert_eq!(it.verify("12125550001").status, 201);
}

#[test]
fn a_prefix_that_never_converts_is_blocked_and_unblocked() {
    let it = with(|verify| {
        verify.conversion.most_lost = 2;
        verify.max_checks = 1;
    });
    for last in [1, 2] {
        let id = it.verified(&format!("628120000000{last}"));
        let code = it.code();
        assert_eq!(it.check(&id, &wrong(&code))["status"], "max_attempts_reached");
    }
    assert_eq!(it.told().last(), Some(&"prefix_blocked"));
    let refused = it.verify("6281200000003");
    assert_eq!(refused.error(403, "prefix_blocked")["retryAfterSeconds"], 6 * 3600);
    assert_eq!(it.verify("6281300000003").status, 201, "another prefix");
    let prefixes = it.get("/v1/verifications/prefixes").json();
    let prefixes = prefixes["prefixes"].as_array().unwrap();
    let blocked: Vec<_> = prefixes.iter().filter(|prefix| !prefix["blocked_until"].is_null()).collect();
    assert_eq!((prefixes.len(), blocked.len(), &blocked[0]["prefix"]), (2, 1, &json!("628120000")));
    let path = format!("/v1/verifications/prefixes/{}/block", blocked[0]["id"].as_str().unwrap());
    assert_eq!(it.delete(&path).json()["blocked_until"], Value::Null);
    let id = it.verified("6281200000003");
    // The other one's message waits as well.
    assert_eq!(it.get(&format!("/v1/verifications/{id}")).json()["status"], "pending");
    it.delete("/v1/verifications/prefixes/nobodys/block").error(404, "not_found");
    let page = it.get("/v1/verifications/prefixes?limit=1").json();
    assert!(page["next"].is_string() && page["prefixes"].as_array().unwrap().len() == 1);
}

#[test]
fn a_prefix_that_converts_is_not_blocked() {
    let it = with(|verify| {
        verify.conversion.most_lost = 2;
        verify.max_checks = 1;
    });
    for last in 1..=4 {
        let id = it.verified(&format!("628120000000{last}"));
        let code = it.code();
        let given = if last == 1 { code } else { wrong(&code) };
        it.check(&id, &given);
    }
    let prefixes = it.get("/v1/verifications/prefixes").json();
    let prefix = &prefixes["prefixes"][0];
    assert_eq!((&prefix["approved"], &prefix["lost"], &prefix["conversion"]), (&json!(1), &json!(3), &json!(0.25)));
    assert_eq!(it.verify("6281200000009").status, 201);
}
