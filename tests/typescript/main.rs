//! The TypeScript client against the program alone with the simulator: the package is built, its own tests are run, then those of
//! `clients/typescript/live`, among them the lines of programs that had one session.
#![cfg(feature = "simulator")]

#[path = "../process/running.rs"]
mod running;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use running::Running;
use tokio::process::Command;

const KEY: &str = "key-of-the-typescript-test-51d2";

/// Compilers and Node on two busy cores.
const PATIENCE: Duration = Duration::from_mins(5);

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/typescript")
}

/// Why the package can't be built, if so.
fn missing() -> Option<&'static str> {
    let package = package();
    let locked = std::fs::read(package.join("package-lock.json")).expect("the lock file is in the repository");
    let installed = std::fs::read(package.join("node_modules/.kurir-lock"));
    (!installed.is_ok_and(|installed| installed == locked))
        .then_some("the packages of clients/typescript are not installed: run tests/node/install")
}

/// Runs one of the package's scripts to its end and gives what it said.
async fn script(name: &str, environment: &[(&str, &str)]) -> String {
    let run = Command::new("npm")
        .args(["run", name])
        .current_dir(package())
        .envs(environment.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.unwrap_or_else(|late| panic!("npm run {name}: {late}"));
    let output = output.unwrap_or_else(|error| panic!("npm run {name}: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "npm run {name}: {}\n{said}", output.status);
    said
}

/// How many tests a run of Node's test runner counts as passed.
fn passed(said: &str) -> usize {
    said.lines()
        .find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix("pass ")?.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_is_built_and_does_what_it_says() {
    if let Some(missing) = missing() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}, and with CI=true no test may be skipped");
        // Past the test harness, which shows nothing of a test that succeeds.
        let _ = writeln!(std::io::stderr(), "the TypeScript client is not tested: {missing}");
        return;
    }
    let said = script("test", &[]).await;
    assert!(passed(&said) > 10, "{said}");

    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().expect("temporary folders have plain names");
    let mut arguments = vec!["up".to_owned(), "--config".into(), "config/embedded.toml".into()];
    for setting in [
        format!("sqlite.path={folder}/kurir.db"),
        format!("store.encryption_keys_file={folder}/encryption.keys"),
        "gateway.listen=127.0.0.1:0".into(),
        "simulator.listen=127.0.0.1:0".into(),
        "simulator.control=127.0.0.1:0".into(),
        "limits.sender.every=10ms".into(),
        "worker.scan_every=300ms".into(),
    ] {
        arguments.extend(["--set".to_owned(), setting]);
    }
    let mut up = Running::start("up", &arguments, [("KURIR_GATEWAY__API_KEY", KEY)]);
    let after = |name: &'static str| move |line: &str| line.strip_prefix(name).map(|url| url.trim().to_owned());
    let gateway = up.line("gateway's address", after("gateway ")).await;
    let phones = up.line("phones' address", after("phones ")).await;
    let environment = [("KURIR_URL", &*gateway), ("KURIR_API_KEY", KEY), ("KURIR_TEST_PHONES", &*phones)];
    let said = script("test:live", &environment).await;
    assert!(passed(&said) >= 6, "{said}");
    up.signal("TERM").await;
    let (status, said) = up.ended(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}\n{said}");
}
