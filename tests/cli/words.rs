//! What needs no gateway: completions, and what is said when there is none.

use std::path::Path;
use std::process::{Command, Output};

fn kurir(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kurir"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("kurir is built with the tests")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn each_shell_gets_what_it_needs() {
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef kurir"), ("fish", "complete -c kurir")] {
        let output = kurir(&["completions", shell], &[]);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success() && text.contains(mark), "{shell}: {}", said(&output));
        for word in ["blast", "sessions", "events", "key-file", "rotate"] {
            assert!(text.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(kurir(&["completions", "cobol"], &[]).status.code(), Some(2));
}

/// A supervisor that restarts what failed must not do so with settings that can't become right by themselves.
#[test]
fn a_role_that_lacks_a_setting_ends_as_one_whose_settings_are_wrong() {
    for role in ["gateway", "worker", "relay"] {
        let output = kurir(&[role], &[("KURIR_STORE__KIND", "postgres")]);
        assert_eq!(output.status.code(), Some(2), "{role}: {}", said(&output));
        assert!(said(&output).contains("postgres.url"), "{role}: {}", said(&output));
    }
}

#[test]
fn without_a_gateway_it_says_what_to_give() {
    for line in [
        &["send", "--session", "s1", "--to", "1", "x"][..],
        &["otp", "--session", "s1", "--to", "1"],
        &["events"],
        &["sessions", "get", "s1"],
    ] {
        let output = kurir(line, &[]);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {}", said(&output));
        assert!(said(&output).contains("KURIR_URL"), "{line:?}: {}", said(&output));
    }
    let output = kurir(&["sessions", "get", "s1", "--url", "127.0.0.1:8080"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    // Bound and let go: nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = kurir(&["sessions", "get", "s1"], &[("KURIR_URL", &format!("http://{gone}"))]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("can't be reached") && said(&output).contains(&gone.to_string()));
}

#[test]
fn a_bad_file_is_told_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let blast = |path: &str, more: &[&str]| kurir(&[&["blast", path, "--session", "s1"], more].concat(), &[]);
    let output = blast(&file("a.csv", "nama,text\nSari,x\n"), &[]);
    assert!(!output.status.success() && said(&output).contains("no column with the numbers"), "{}", said(&output));
    let output = blast("/nowhere/rows.csv", &[]);
    assert!(!output.status.success() && said(&output).contains("/nowhere/rows.csv"), "{}", said(&output));
    // A dry run asks nobody and writes nothing.
    let rows = file("b.csv", "to,nama\n628121,Sari\n,Budi\n");
    let output = blast(&rows, &["--text", "Halo {nama}", "--dry-run", "--output", "json"]);
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    assert_eq!((&told["messages"], &told["bad"][0]["reason"]), (&1.into(), &"no_number".into()));
    assert!(!Path::new(&format!("{rows}.blast")).exists());
}

#[test]
fn a_key_file_that_is_not_there_is_named() {
    let output = kurir(&["sessions", "get", "s1", "--url", "http://127.0.0.1:1", "--key-file", "/nowhere/key"], &[]);
    assert!(!output.status.success() && said(&output).contains("/nowhere/key"), "{}", said(&output));
}
