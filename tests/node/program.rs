//! Programs for Node that tests talk to: one JSON value per line, in on stdin and out on stdout.
//!
//! For tests that include this file by its path. What the programs need is installed by `tests/node/install`; where
//! that wasn't possible the tests are skipped with a message, except with `CI=true`.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

/// How long a program may be silent when something is expected of it: a start of Node takes half a minute while
/// compilers have all cores.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is kept of what a program said, in lines of both streams, to be shown when a test fails.
const KEPT_LINES: usize = 60;

/// A running program; it is killed when this is dropped.
pub struct Program {
    name: String,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    said: Arc<Mutex<VecDeque<String>>>,
    listener: JoinHandle<()>,
    _child: Child,
}

impl Program {
    /// Starts `tests/node/<name>` with these arguments, and these variables added to its environment. `None`, after a
    /// message, where Node or its packages are missing: the test is then to end.
    pub fn start(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Option<Self> {
        let folder = packages()?;
        let started = Command::new("node")
            .arg(folder.join(name))
            .args(arguments)
            .current_dir(&folder)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                skipped("there is no `node` on the PATH");
                return None;
            }
            Err(error) => panic!("{name}: node can't be started: {error}"),
        };
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped")).lines();
        let said = Arc::default();
        let listener = tokio::spawn(listen(child.stderr.take().expect("piped"), Arc::clone(&said)));
        Some(Self { name: name.to_owned(), stdin, stdout, said, listener, _child: child })
    }

    /// Writes one line.
    pub async fn send(&mut self, value: &Value) {
        let written = self.stdin.write_all(format!("{value}\n").as_bytes()).await;
        if let Err(error) = written {
            panic!("{}: does not read any more ({error})\n{}", self.name, self.said());
        }
    }

    /// The next line; `what` tells what is waited for.
    pub async fn line(&mut self, what: &str) -> Value {
        let read = tokio::time::timeout(PATIENCE, self.stdout.next_line()).await;
        let line = match read {
            Ok(Ok(Some(line))) => {
                keep(&self.said, line.clone());
                line
            }
            Ok(Ok(None)) => {
                // What it wrote last may still be in the pipe.
                let _ = tokio::time::timeout(PATIENCE, &mut self.listener).await;
                panic!("{}: ended before {what}\n{}", self.name, self.said())
            }
            Ok(Err(error)) => panic!("{}: {error}, waiting for {what}\n{}", self.name, self.said()),
            Err(late) => panic!("{}: silent for {PATIENCE:?} ({late}), no {what}\n{}", self.name, self.said()),
        };
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: no JSON ({error}): {line}", self.name))
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// `tests/node`, where the packages of its lock file are installed. `None`, after a message, where they are not: what needs them
/// is then to be left out.
pub fn packages() -> Option<PathBuf> {
    let folder = folder();
    match missing_packages(&folder) {
        Some(missing) => {
            skipped(&missing);
            None
        }
        None => Some(folder),
    }
}

/// Says past the test harness, which shows nothing of a test that succeeds, that a test is skipped.
///
/// # Panics
///
/// With `CI=true`, where nothing may be skipped.
pub fn skipped(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}, and with CI=true no test may be skipped");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "{test} is skipped: {why}");
}

/// `tests/node`, seen from the package that is tested: the root's or a member's.
fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .map(|up| up.join("tests/node"))
        .find(|folder| folder.join("package.json").is_file())
        .expect("the tests are run from the repository")
}

/// Why the packages that the lock file names can't be used, if so.
fn missing_packages(folder: &Path) -> Option<String> {
    let locked = std::fs::read(folder.join("package-lock.json")).expect("the lock file is in the repository");
    match std::fs::read(folder.join("node_modules/.kurir-lock")) {
        Ok(installed) if installed == locked => None,
        Ok(_) => Some("the packages of tests/node are of another version: run tests/node/install".to_owned()),
        Err(_) => Some("the packages of tests/node are not installed: run tests/node/install".to_owned()),
    }
}

async fn listen(stderr: ChildStderr, said: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        keep(&said, line);
    }
}

fn keep(said: &Mutex<VecDeque<String>>, line: String) {
    let mut said = said.lock().unwrap();
    if said.len() == KEPT_LINES {
        said.pop_front();
    }
    said.push_back(line);
}
