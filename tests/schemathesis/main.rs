//! What nobody thought of, sent to every route that the served document describes: no answer is an error of ours, none has
//! a status, a type or a form that the document does not name.
#![cfg(feature = "simulator")]

#[path = "../process/running.rs"]
mod running;

use std::process::Command as Blocking;
use std::time::Duration;

use tokio::process::Command;

use running::Running;

const API_KEY: &str = "key-of-the-schemathesis-test-4f1d";

/// `install` says by this that there is none here.
const SKIPPED: i32 = 77;

/// How many requests for each route that are made up by chance, beside those that follow from the document.
const EXAMPLES: &str = "15";

/// The same each time: what one finds, the next finds too.
const SEED: &str = "20261128";

/// The path of the program.
fn schemathesis() -> Option<String> {
    let install = Blocking::new("tests/schemathesis/install").current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let made = install.expect("the script can be run");
    if made.status.code() == Some(SKIPPED) {
        return None;
    }
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(String::from_utf8(made.stdout).expect("a path").trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_answers_whatever_comes_as_its_document_says() {
    let Some(program) = tokio::task::spawn_blocking(schemathesis).await.expect("it does not panic") else {
        println!("skipped: Schemathesis can't be had here");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("temporary folders have plain names");
    let mut arguments = vec!["up".to_owned(), "--config".into(), "config/embedded.toml".into()];
    for setting in [
        format!("sqlite.path={data}/kurir.db"),
        format!("store.encryption_keys_file={data}/encryption.keys"),
        "gateway.listen=127.0.0.1:0".into(),
        "gateway.key_rate=0".into(),
        "simulator.listen=127.0.0.1:0".into(),
        "simulator.control=127.0.0.1:0".into(),
        // Sessions by the hundred are made here, and what a worker does with them is not the question.
        "worker.capacity=1".into(),
    ] {
        arguments.extend(["--set".to_owned(), setting]);
    }
    let mut up = Running::start("up", &arguments, [("KURIR_GATEWAY__API_KEY", API_KEY)]);
    let gateway =
        up.line("gateway's address", |line| line.strip_prefix("gateway ").map(|url| url.trim().to_owned())).await;

    let tried = Command::new(program)
        .args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis/schemathesis.toml")])
        .args(["run", &format!("{gateway}/openapi.json"), "--seed", SEED, "--max-examples", EXAMPLES])
        .args(["--header", &format!("Authorization: Bearer {API_KEY}"), "--request-timeout", "30", "--no-color"])
        .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output()
        .await
        .expect("it can be run");
    let told = String::from_utf8_lossy(&tried.stdout);
    assert!(tried.status.success(), "{told}\n{}", String::from_utf8_lossy(&tried.stderr));
    assert!(told.contains("generated"), "nothing was tried:\n{told}");

    up.signal("TERM").await;
    let (status, output) = up.ended(Duration::from_mins(1)).await;
    assert!(status.success(), "{status}\n{output}");
    assert!(!output.contains("panicked"), "{output}");
}
