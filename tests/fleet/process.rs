//! Roles as processes: started from the built binary, watched by their output, ended with the test.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long a role may take to say or do something.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running role.
pub struct Role {
    name: String,
    child: Child,
    lines: watch::Receiver<usize>,
    output: Arc<Mutex<Vec<String>>>,
}

impl Role {
    /// Starts `kurir` with these arguments and environment.
    pub fn start(name: &str, arguments: &[&str], environment: &BTreeMap<String, String>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kurir"))
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let (count, lines) = watch::channel(0);
        let count = Arc::new(count);
        let output = Arc::new(Mutex::new(Vec::new()));
        if let Some(stdout) = child.stdout.take() {
            follow(stdout, Arc::clone(&output), Arc::clone(&count));
        }
        if let Some(stderr) = child.stderr.take() {
            follow(stderr, Arc::clone(&output), count);
        }
        Self { name: name.to_owned(), child, lines, output }
    }

    /// Waits for a line of output that `found` makes something of.
    pub async fn line<T>(&mut self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let wait = async {
            loop {
                self.lines.borrow_and_update();
                if let Some(result) = self.output.lock().unwrap().iter().find_map(|line| found(line)) {
                    return Some(result);
                }
                if self.lines.changed().await.is_err() {
                    return None;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Some(result)) => result,
            Ok(None) => panic!("{} ended before {what}:\n{}", self.name, self.output()),
            Err(error) => panic!("{}: no {what}, {error}:\n{}", self.name, self.output()),
        }
    }

    /// All that it has said.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().join("\n")
    }

    /// SIGTERM, then waits for its end; panics when it did not end well.
    pub async fn terminate(mut self) -> String {
        let id = self.child.id().unwrap_or_else(|| panic!("{} has ended already:\n{}", self.name, self.output()));
        let sent = Command::new("kill").args(["-TERM", &id.to_string()]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "{}: kill failed", self.name);
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("{} did not stop within 60 s:\n{}", self.name, self.output()));
        assert!(
            status.as_ref().is_ok_and(std::process::ExitStatus::success),
            "{}: {status:?}\n{}",
            self.name,
            self.output()
        );
        self.output()
    }
}

fn follow(
    stream: impl AsyncRead + Unpin + Send + 'static,
    output: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            output.lock().unwrap().push(line);
            count.send_modify(|count| *count += 1);
        }
    });
}
