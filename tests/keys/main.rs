//! `kurir keys`: the program run, its output read.

#[path = "../process/tool.rs"]
mod tool;

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use kurir::adapters::sqlite::{SqliteOptions, SqliteStore};
use kurir_core::domain::Keyring;
use kurir_core::memory::{SystemClock, SystemEntropy};
use serde_json::{Value, json};

use tool::KEYS;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    tool::run("keys", folder, arguments)
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&good(folder, arguments)).expect("JSON and nothing else")
}

#[tokio::test]
async fn keys_are_made_listed_replaced_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let refused = run(folder, &["list"]);
    assert!(!refused.status.success(), "there is no store yet");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("kurir.db"));
    let ring = Arc::new(Keyring::parse(KEYS).unwrap());
    let options = SqliteOptions::new(folder.join("kurir.db"));
    SqliteStore::open(options, ring, Arc::new(SystemEntropy), Arc::new(SystemClock)).await.unwrap().close().await;

    let plain = good(folder, &["create", "--tenant", "acme", "--label", "shop", "--scope", "send"]);
    assert!(plain.trim().starts_with("kurir_") && plain.lines().count() == 1, "{plain}");
    let made = json_of(
        folder,
        &[
            "create",
            "--tenant",
            "acme",
            "--scope",
            "read",
            "--scope",
            "control",
            "--session",
            "s1",
            "--days",
            "30",
            "--json",
        ],
    );
    assert_eq!((&made["scopes"], &made["sessions"]), (&json!(["read", "control"]), &json!(["s1"])));
    let id = made["id"].as_str().unwrap();

    let list = good(folder, &["list", "--json"]);
    let listed: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let secret = |key: &str| key.trim().rsplit('_').next().unwrap().to_owned();
    for key in [&plain, &made["key"].as_str().unwrap().to_owned()] {
        assert!(!list.contains(&secret(key)), "a key is listed");
    }
    assert_eq!(json_of(folder, &["list", "--tenant", "other", "--json"]), json!([]));
    assert!(good(folder, &["list"]).contains("shop"));

    let new = json_of(folder, &["rotate", id, "--overlap-hours", "0", "--json"]);
    assert_ne!(new["key"], made["key"]);
    assert_eq!(new["sessions"], made["sessions"]);
    let of = |id: &str| {
        let all = json_of(folder, &["list", "--json"]);
        all.as_array().unwrap().iter().find(|key| key["id"] == id).cloned().expect("it is listed")
    };
    assert_eq!(of(id)["active"], json!(false));
    let id = new["id"].as_str().unwrap();
    good(folder, &["revoke", id]);
    assert_eq!(of(id)["active"], json!(false));

    for wrong in [&["create", "--scope", "owner"][..], &["create"], &["revoke", "nobodys"], &["revoke", "a b"]] {
        let refused = run(folder, wrong);
        assert!(!refused.status.success() && !refused.stderr.is_empty(), "{wrong:?}");
    }
}
