//! `kurir users`: the program run, its output read.

#[path = "../process/tool.rs"]
mod tool;

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use kurir::adapters::sqlite::{SqliteOptions, SqliteStore};
use kurir_core::domain::{Keyring, SignInRecord, Timestamp, UserName};
use kurir_core::memory::{SystemClock, SystemEntropy};
use kurir_core::port::UserStore as _;
use serde_json::Value;

use tool::KEYS;

const PASSWORD: &str = "kata sandi panjang";

/// Runs `kurir users`, with this on its standard input.
fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = tool::command("users", folder, arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kurir is built");
    // A command that does not ask for a password may have ended by now.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn good(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(folder, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a refusal says.
fn bad(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(folder, arguments, input);
    assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

async fn store(folder: &Path) -> SqliteStore {
    let ring = Arc::new(Keyring::parse(KEYS).unwrap());
    let options = SqliteOptions::new(folder.join("kurir.db"));
    SqliteStore::open(options, ring, Arc::new(SystemEntropy), Arc::new(SystemClock)).await.unwrap()
}

#[tokio::test]
async fn users_are_added_listed_changed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let add = ["add", "Budi", "--password-stdin"];
    assert!(bad(folder, &add, PASSWORD).contains("kurir.db"), "there is no store yet");
    store(folder).await.close().await;

    let said = good(folder, &add, &format!("{PASSWORD}\r\nnot the password\n"));
    assert!(said.contains("budi") && !said.contains(PASSWORD), "{said}");
    let json = ["add", "siti", "--tenant", "acme", "--role", "viewer", "--password-stdin", "--output", "json"];
    let added: Value = serde_json::from_str(&good(folder, &json, PASSWORD)).expect("JSON and nothing else");
    assert_eq!((&added["name"], &added["tenant"], &added["role"]), (&"siti".into(), &"acme".into(), &"viewer".into()));

    let list = good(folder, &["list", "--output", "json"], "");
    let listed: Value = serde_json::from_str(&list).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["budi", "siti"]);
    assert!(!list.contains("argon2"), "a hash is listed");
    let of_acme: Value =
        serde_json::from_str(&good(folder, &["list", "--tenant", "acme", "--output", "json"], "")).unwrap();
    assert_eq!(of_acme.as_array().unwrap().len(), 1);
    assert!(good(folder, &["list"], "").contains("viewer"));

    let opened = store(folder).await;
    let name = UserName::new("siti").unwrap();
    let before = opened.user(&name).await.unwrap().unwrap();
    assert!(before.password.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let at = Timestamp::from_millis(0);
    let sign_in = SignInRecord { mark: [1; 32], user: name.clone(), created_at: at, seen_at: at, until: at };
    assert!(opened.begin_sign_in(&sign_in, &before.password).await.unwrap());
    opened.close().await;
    good(folder, &["role", "siti", "admin"], "");
    good(folder, &["password", "SITI", "--password-stdin"], "kata sandi yang lain\n");
    let opened = store(folder).await;
    let after = opened.user(&name).await.unwrap().unwrap();
    assert_eq!(after.role.as_str(), "admin");
    assert_ne!(after.password, before.password);
    assert_eq!(opened.sign_in(&sign_in.mark).await.unwrap(), None, "a new password signs out");
    opened.close().await;
    good(folder, &["remove", "siti"], "");

    for (wrong, input, why) in [
        (&["add", "budi", "--password-stdin"][..], PASSWORD, "taken"),
        (&["add", "x", "--password-stdin"], "pendek", "at least 10"),
        (&["add", "x", "--password-stdin"], "", "at least 10"),
        (&["add", "x"], PASSWORD, "--password-stdin"),
        (&["add", "a b", "--password-stdin"], PASSWORD, "letters"),
        (&["add", "x", "--role", "owner", "--password-stdin"], PASSWORD, "admin or viewer"),
        (&["role", "siti", "viewer"], "", "no such user"),
        (&["password", "siti", "--password-stdin"], PASSWORD, "no such user"),
        (&["remove", "siti"], "", "no such user"),
    ] {
        let said = bad(folder, wrong, input);
        assert!(said.contains(why) && !said.contains(PASSWORD), "{wrong:?}: {said}");
    }
}
