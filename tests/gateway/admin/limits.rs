//! `/admin/limits`

use std::collections::{BTreeMap, BTreeSet};

use kurir::config::{Config, Sources, limit_table};
use kurir::gateway::LimitInForce;
use kurir_core::domain::{OwnLimits, UserRole};
use kurir_core::policy::{DayRule, SenderRules};
use kurir_core::port::SessionDesk as _;

use super::reader::{Reader, row, words};
use crate::fixture::{Fixture, OTHER_KEY, Wishes, session};

/// The limits as a gateway has them: one was changed.
fn limits() -> Vec<LimitInForce> {
    let defaults = Config::load(&Sources::default()).unwrap();
    let mut limits: Vec<_> = limit_table(&defaults)
        .into_iter()
        .map(|row| LimitInForce {
            limit: row.limit.to_owned(),
            settings: row.settings.iter().map(|key| (*key).to_owned()).collect(),
            default: row.value.clone(),
            value: row.value,
            kept: row.kept.to_owned(),
            over: row.over.to_owned(),
            reason: row.reason,
            down: row.down.to_owned(),
        })
        .collect();
    let cap = limits.iter_mut().find(|limit| limit.limit == "sender: daily cap").expect("such a limit");
    "800 a day".clone_into(&mut cap.value);
    limits
}

fn ready() -> Fixture {
    let senders = SenderRules {
        day: DayRule { per_day: 800, cold_per_day: 90, ..DayRule::default() },
        zones: BTreeMap::from([(session("s1"), "Asia/Makassar".parse().unwrap())]),
        warm: BTreeSet::from([session("s2")]),
    };
    let it = Fixture::with(Wishes { limits: limits(), senders, ..Wishes::default() });
    for id in ["s1", "s2", "s3"] {
        it.create(id);
    }
    assert_eq!(it.post_as(OTHER_KEY, "/v1/sessions", &serde_json::json!({"id": "o1"})).status, 201);
    it
}

#[test]
fn all_limits_are_shown_with_where_they_are_set() {
    let it = ready();
    let english = Reader::new(&it, "acme", UserRole::Viewer).in_english();
    let page = english.page("/admin/limits");
    let cap = row(&page, ">sender: daily cap<");
    assert_eq!(cap[1..3], ["800 a day default: 1000 a day", "limits.sender.per_day"]);
    assert!(cap[3].contains("sender_daily_cap") && cap[4].contains("nothing is sent"), "{cap:?}");
    let codes = row(&page, ">codes to a country<");
    assert_eq!(codes[1], "none the default");
    for limit in limits() {
        assert!(words(&page).contains(&limit.limit), "{} is missing", limit.limit);
    }
    assert!(page.contains("KURIR_LIMITS__SENDER__PER_DAY") && !page.contains("method=\"post\" action=\"/admin/limits"));
}

#[test]
fn the_table_is_in_indonesian_but_for_values() {
    let it = ready();
    let page = Reader::new(&it, "acme", UserRole::Admin).page("/admin/limits");
    let texts = page.replace("<strong><span lang=\"en\">", "").replace("bawaan: <span lang=\"en\">", "");
    let english: Vec<_> = texts.split("<span lang=\"en\">").skip(1).map(words).collect();
    assert!(english.is_empty(), "without a translation: {english:?}");
    assert!(row(&page, "batas harian")[4].contains("tidak ada yang terkirim"));
}

#[test]
fn sessions_show_what_is_theirs_alone_and_only_to_their_tenant() {
    let it = ready();
    let page = Reader::new(&it, "acme", UserRole::Viewer).page("/admin/limits");
    let of = |id: &str| row(&page, &format!("/admin/sessions/{id}\""));
    assert!(of("s1").last().unwrap().contains("limits.sender.time_zones Asia/Makassar"), "{:?}", of("s1"));
    assert!(of("s2").last().unwrap().contains("limits.sender.warmed_up"), "{:?}", of("s2"));
    assert_eq!(of("s3").last().unwrap(), "seperti yang lain");
    let own = OwnLimits { every_ms: Some(1500), per_day: Some(0), warmed_up: Some(false), ..OwnLimits::default() };
    assert!(it.runtime.block_on(it.stores.limit(&session("s2"), &own)).unwrap());
    let english = Reader::new(&it, "acme", UserRole::Viewer).in_english();
    let theirs = row(&english.page("/admin/limits"), "/admin/sessions/s2\"");
    assert_eq!(theirs.last().unwrap(), "seconds per message: 1.5 a day: no limit with a warm-up");
    assert_eq!(of("s3")[1..5], ["800", "OTP 0 massal 0", "OTP 800 massal 800", "OTP 90 massal 90"]);
    assert!(!page.contains("/admin/sessions/o1"));
    let theirs = Reader::new(&it, "other", UserRole::Admin).page("/admin/limits");
    assert!(theirs.contains("/admin/sessions/o1") && !theirs.contains("/admin/sessions/s1"));
    assert_eq!(Reader::new(&it, "acme", UserRole::Admin).get("/admin/limits?after=%3C").status, 404);
}
