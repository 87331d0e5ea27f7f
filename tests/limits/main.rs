//! `kurir limits`: the program run, its output read.

#[path = "../process/tool.rs"]
mod tool;

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use kurir::adapters::sqlite::{SqliteOptions, SqliteStore};
use kurir_core::domain::{
    Account, FailReason, Fence, History, JobId, JobKey, Keyring, Lane, LedgerEntry, MessageId, PhoneNumber, Rest,
    SenderPace, SessionId, SessionState, SessionStatus, Spent, TenantId, WorkerName,
};
use kurir_core::memory::{SystemClock, SystemEntropy};
use kurir_core::policy::{Budget, DayRule, WarmUp, Zone};
use kurir_core::port::{Clock as _, Ledger as _, LedgerWrite, NewSession, SessionStore as _, Written};
use serde_json::Value;
use uuid::Uuid;

use tool::KEYS;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    tool::run("limits", folder, arguments)
}

fn json(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).expect("JSON and nothing else")
}

/// A time zone in which it is about noon, so that no test runs over midnight.
fn noon() -> Zone {
    let now = SystemClock.now();
    let noon = |zone: &Zone| (9..15).contains(&(zone.next_day(now).since(now).as_secs() / 3600));
    let mut zones = (-11..=12).map(|hours| format!("Etc/GMT{hours:+}").parse().expect("a zone"));
    zones.find(noon).expect("it is noon somewhere")
}

/// A store with a linked session that has spent something today and rests.
async fn spent_something(folder: &Path, id: &SessionId) -> Rest {
    let keys = Arc::new(Keyring::parse(KEYS).unwrap());
    let options = SqliteOptions::new(folder.join("kurir.db"));
    let store = SqliteStore::open(options, keys, Arc::new(SystemEntropy), Arc::new(SystemClock)).await.unwrap();
    let (now, tenant) = (SystemClock.now(), TenantId::new("acme").unwrap());
    store.create(NewSession::new(id.clone(), tenant.clone(), now)).await.unwrap();
    let record = store.claim(id, &WorkerName::new("w").unwrap()).await.unwrap().unwrap();
    let fence = Fence { session: id.clone(), epoch: record.epoch };
    let number = PhoneNumber::parse("6281234567890", None).unwrap();
    let mut status = SessionStatus { state: SessionState::Connected, ..SessionStatus::created(now) };
    status.link(Account { number: number.clone(), device: 1 }, now);
    assert_eq!(store.update(&fence, &status, &[]).await.unwrap(), Written::Done);

    let rule = DayRule { warm_up: WarmUp::default(), ..DayRule::default() };
    let mut budget = Budget::new(rule, noon(), Some(now), SenderPace::default().day);
    for (lane, cold) in [(Lane::Otp, true), (Lane::Bulk, true), (Lane::Bulk, false)] {
        budget.take(now, lane, cold).unwrap();
    }
    let until = now.plus(std::time::Duration::from_hours(100));
    let rest = Rest { until, reason: FailReason::SenderRestricted };
    let pace = SenderPace { turn: 4, day: budget.count(), rest: Some(rest), ..SenderPace::default() };
    let key = JobKey::new(tenant, JobId::new(Uuid::new_v4()));
    let entry = LedgerEntry {
        message_id: MessageId::derive(&key),
        key,
        version: 0,
        session: Some(id.clone()),
        lane: Lane::Bulk,
        recipient: number.masked(),
        state: kurir_core::domain::MessageState::Sending,
        reason: None,
        code: None,
        attempts: 1,
        expires_at: None,
        enqueued_at: now,
        not_before: None,
        sending_at: Some(now),
        sent_at: None,
        delivered_at: None,
        read_at: None,
        ended_at: None,
        metadata: std::collections::BTreeMap::new(),
        history: History::default(),
        batch: None,
        to: None,
    };
    let write = LedgerWrite { fence: Some(fence), entry, spent: Some(Spent::from(pace)), events: vec![] };
    assert_eq!(store.write(vec![write]).await.unwrap(), [Written::Done]);
    store.close().await;
    rest
}

#[test]
fn the_effective_limits_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let told = json(&run(folder.path(), &["--json", "--set", "limits.sender.per_day=700"]));
    let rows = told["limits"].as_array().unwrap();
    let row = rows.iter().find(|row| row["limit"] == "sender: daily cap").expect("the cap is a limit");
    assert_eq!((&row["value"], &row["reason"]), (&"700 a day".into(), &"sender_daily_cap".into()));
    let text = run(folder.path(), &[]);
    let text = String::from_utf8(text.stdout).unwrap();
    for word in ["sender: daily cap", "1000 a day", "limits.sender.per_day", "sender_cold_contacts"] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    assert!(!folder.path().join("kurir.db").exists(), "a look makes no database");
}

#[tokio::test]
async fn what_a_session_has_left_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let id = SessionId::new("s1").unwrap();
    let rest = spent_something(folder.path(), &id).await;
    let zone = noon().to_string();
    let told = json(&run(folder.path(), &["s1", "--json", "--set", &format!("limits.sender.time_zones=s1={zone}")]));
    let session = &told["session"];
    let count = |name: &str| session[name].as_u64().unwrap_or_else(|| panic!("no {name} in {session}"));
    assert_eq!(session["time_zone"], zone);
    assert_eq!(session["rests_until"], rest.until.to_rfc3339());
    assert_eq!(session["rest_reason"], "sender_restricted");
    assert_eq!(["otp_sent", "bulk_sent", "new_recipients"].map(count), [1, 2, 2]);
    // A new number: 50 a day, a fifth of it for OTPs; 250 new recipients.
    assert_eq!(["cap", "otp_left", "bulk_left"].map(count), [50, 47, 38]);
    assert_eq!(["new_otp_left", "new_bulk_left"].map(count), [248, 199]);
    let text = run(folder.path(), &["s1"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("Asia/Jakarta") && text.contains("sender_restricted"), "{text}");
    assert!(!text.contains("81234567"), "a number is shown");
}

#[tokio::test]
async fn who_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let none = run(folder.path(), &["s1"]);
    assert!(!none.status.success());
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no database kurir.db"));
    spent_something(folder.path(), &SessionId::new("s1").unwrap()).await;
    let other = run(folder.path(), &["s2"]);
    assert!(!other.status.success());
    assert!(String::from_utf8_lossy(&other.stderr).contains("there is no session s2"));
}
