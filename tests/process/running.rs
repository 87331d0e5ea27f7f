//! A `kurir` that a test has started: watched by its output, ended with the test.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Long enough for two debug builds at once on two busy cores.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running process; it is killed when this is dropped.
pub struct Running {
    name: String,
    child: Child,
    output: Arc<Mutex<Vec<String>>>,
    lines: watch::Receiver<usize>,
    readers: Vec<JoinHandle<()>>,
}

/// So many of its last lines are shown with a test that failed.
const SHOWN: usize = 100;

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("{} said last:\n{}", self.name, output[output.len().saturating_sub(SHOWN)..].join("\n"));
        }
    }
}

impl Running {
    /// Starts `kurir` in the root of the repository, with nothing in its environment but these variables; `name` is how
    /// a failed test calls it.
    pub fn start<S, K, V>(name: &str, arguments: &[S], environment: impl IntoIterator<Item = (K, V)>) -> Self
    where
        S: AsRef<OsStr>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kurir"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kurir is built with the tests");
        let (count, lines) = watch::channel(0);
        let count = Arc::new(count);
        let output = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let readers =
            vec![follow(stdout, Arc::clone(&output), Arc::clone(&count)), follow(stderr, Arc::clone(&output), count)];
        Self { name: name.to_owned(), child, output, lines, readers }
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
            Ok(None) => panic!("{} ended before {what}:\n{}", self.name, self.said()),
            Err(late) => panic!("{}: no {what}, {late}:\n{}", self.name, self.said()),
        }
    }

    /// Whether it has said such a line so far.
    #[allow(dead_code, reason = "not every test that shares this looks at what was said so far")]
    pub fn has_said(&self, found: impl Fn(&str) -> bool) -> bool {
        self.output.lock().unwrap().iter().any(|line| found(line))
    }

    /// Sends a signal, as `kill` names it.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap_or_else(|| panic!("{} has ended already:\n{}", self.name, self.said()));
        let sent = Command::new("kill").args([format!("-{name}"), id.to_string()]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "{}: kill failed", self.name);
    }

    /// Whether it has ended by itself.
    #[allow(dead_code, reason = "not every test that shares this looks after its processes")]
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; gives its status and all that it has said.
    pub async fn ended(mut self, within: Duration) -> (ExitStatus, String) {
        let ended = tokio::time::timeout(within, self.child.wait()).await;
        let status =
            ended.unwrap_or_else(|_| panic!("{}: no end within {} s:\n{}", self.name, within.as_secs(), self.said()));
        // What it wrote last may still be in the pipes.
        for reader in std::mem::take(&mut self.readers) {
            reader.await.expect("the reader does not panic");
        }
        (status.expect("a child can be waited for"), self.said())
    }

    fn said(&self) -> String {
        self.output.lock().unwrap().join("\n")
    }
}

fn follow(
    stream: impl AsyncRead + Unpin + Send + 'static,
    output: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            output.lock().unwrap().push(line);
            count.send_modify(|count| *count += 1);
        }
    })
}
