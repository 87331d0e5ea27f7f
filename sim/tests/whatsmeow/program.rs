//! The Go program around whatsmeow: built once, run once per test.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{env, fs, thread};

use kurir_sim::SimHandle;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};

use crate::client::{PATIENCE, TestClient};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/whatsmeow/client");
/// Commands that may wait to be written, and events that may wait for a test to look at them.
const BACKLOG: usize = 4096;
/// Lines of the program's log that are shown when a test fails.
const LOG_LINES: usize = 400;

fn go(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("go").args(arguments).current_dir(SOURCE).env("GOTOOLCHAIN", "local").env("GOWORK", "off").output()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The parts of a version like `go1.26.8`.
fn version(text: &str) -> Option<Vec<u32>> {
    text.trim().trim_start_matches("go").split('.').map(|part| part.parse().ok()).collect()
}

/// Why there is nothing to run.
enum Missing {
    /// There is no Go, or it is too old: nothing can be said about the simulator.
    Go(String),
    /// There is Go, but it can't get what it needs.
    Modules(String),
}

fn build() -> Result<PathBuf, Missing> {
    let wanted = fs::read_to_string(Path::new(SOURCE).join("go.mod")).expect("go.mod is there");
    let wanted =
        wanted.lines().find_map(|line| line.strip_prefix("go ")).and_then(version).expect("it names a version");
    let found = match go(&["env", "GOVERSION"]) {
        Err(error) => return Err(Missing::Go(format!("go does not start: {error}"))),
        Ok(output) => text(&output),
    };
    if version(&found).is_none_or(|found| found < wanted) {
        return Err(Missing::Go(format!("go.mod wants {wanted:?}, and here is {}", found.trim())));
    }
    let fetched = go(&["mod", "download"]).expect("it started before");
    if !fetched.status.success() {
        return Err(Missing::Modules(text(&fetched)));
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("whatsmeow-client");
    let built = go(&["build", "-trimpath", "-buildvcs=false", "-o", program.to_str().expect("a path in UTF-8"), "."]);
    let built = built.expect("it started before");
    assert!(built.status.success(), "the Go program does not build:\n{}", text(&built));
    Ok(program)
}

/// The built program; `None` where these tests are skipped.
fn built() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = BUILT.get_or_init(|| match build() {
        Ok(program) => Some(program),
        Err(Missing::Go(reason)) => {
            eprintln!("skipped: the tests with whatsmeow need Go: {reason}");
            None
        }
        Err(Missing::Modules(reason)) => {
            assert!(env::var("CI").as_deref() != Ok("true"), "Go is here but can't get its modules: {reason}");
            eprintln!("skipped: the tests with whatsmeow need its modules: {reason}");
            None
        }
    });
    program.as_deref()
}

/// A folder for the credentials of one test, removed after it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("whatsmeow-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder can be made below target");
        Arc::new(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is only clutter below target.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What the program says, sorted to those who wait for it.
#[derive(Default)]
struct Listeners {
    answers: HashMap<u64, oneshot::Sender<Result<Value, String>>>,
    events: HashMap<String, mpsc::Sender<Value>>,
    log: VecDeque<String>,
}

/// A running program. Clones use the same one.
#[derive(Clone)]
pub struct Program {
    listeners: Arc<Mutex<Listeners>>,
    commands: mpsc::Sender<String>,
    last: Arc<AtomicU64>,
    /// Dropped with the last clone, which ends the program.
    _running: Arc<Running>,
}

struct Running {
    _child: Child,
    _folder: Arc<Folder>,
    listeners: Arc<Mutex<Listeners>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("whatsmeow said:");
            listeners.log.iter().for_each(|line| eprintln!("  {line}"));
        }
    }
}

impl Program {
    /// Starts the program against a simulator; `None` where these tests are skipped.
    pub fn start(sim: &SimHandle) -> Option<Self> {
        Self::start_in(sim, &Folder::new(), &[])
    }

    /// Starts it with the credentials in a folder and more arguments.
    pub fn start_in(sim: &SimHandle, folder: &Arc<Folder>, more: &[&str]) -> Option<Self> {
        Self::run(sim, sim.root_key(), folder, more)
    }

    /// Starts it so that it trusts another key than the simulator's.
    pub fn start_trusting(sim: &SimHandle, root: [u8; 32]) -> Option<Self> {
        Self::run(sim, root, &Folder::new(), &[])
    }

    fn run(sim: &SimHandle, root: [u8; 32], folder: &Arc<Folder>, more: &[&str]) -> Option<Self> {
        let program = built()?;
        let url = sim.ws_url();
        let server = url.trim_start_matches("ws://").trim_end_matches("/ws/chat");
        let media_root = folder.0.join("media-root.pem");
        fs::write(&media_root, sim.media_ca_pem()).expect("the folder can be written");
        let root = root.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let mut child = tokio::process::Command::new(program)
            .args(["-server", server, "-root", &root, "-folder"])
            .arg(&folder.0)
            .arg("-media-root")
            .arg(&media_root)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("what was built starts");
        let listeners = Arc::new(Mutex::new(Listeners::default()));
        let (commands, queue) = mpsc::channel(BACKLOG);
        tokio::spawn(write(child.stdin.take().expect("piped"), queue));
        tokio::spawn(read(child.stdout.take().expect("piped"), Arc::clone(&listeners)));
        let running = Running { _child: child, _folder: Arc::clone(folder), listeners: Arc::clone(&listeners) };
        Some(Self { listeners, commands, last: Arc::default(), _running: Arc::new(running) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the program logged a line with all of these.
    pub fn said(&self, parts: &[&str]) -> bool {
        self.lock().log.iter().any(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// Starts a client on the credentials that are kept under its name, or on new ones.
    pub async fn client(&self, name: &str) -> TestClient {
        self.try_client(name).await.unwrap_or_else(|error| panic!("whatsmeow does not connect: {error}"))
    }

    /// Starts a client that may fail to connect.
    pub async fn try_client(&self, name: &str) -> Result<TestClient, String> {
        let (sender, events) = mpsc::channel(BACKLOG);
        self.lock().events.insert(name.to_owned(), sender);
        let client = TestClient::new(self.clone(), name, events);
        client.ask("start", json!({})).await?;
        Ok(client)
    }

    /// Sends a command and waits for its answer.
    pub async fn ask(&self, client: &str, what: &str, arguments: Value) -> Result<Value, String> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, answer) = oneshot::channel();
        self.lock().answers.insert(number, sender);
        let mut command = json!({ "number": number, "client": client, "do": what });
        let fields = command.as_object_mut().expect("made as an object");
        fields.extend(arguments.as_object().expect("arguments are an object").clone());
        self.commands.send(command.to_string()).await.expect("the program runs");
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.unwrap_or_else(|_| panic!("no answer to {what} within {PATIENCE:?}")).expect("the program runs")
    }
}

async fn write(mut stdin: ChildStdin, mut queue: mpsc::Receiver<String>) {
    while let Some(mut command) = queue.recv().await {
        command.push('\n');
        if stdin.write_all(command.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stdout: ChildStdout, listeners: Arc<Mutex<Listeners>>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let said: Value = serde_json::from_str(&line).expect("the program speaks JSON");
        if let Some(number) = said["re"].as_u64() {
            let answer = match said["error"].as_str() {
                Some(error) => Err(error.to_owned()),
                None => Ok(said["result"].clone()),
            };
            let waiting = listeners.lock().unwrap_or_else(PoisonError::into_inner).answers.remove(&number);
            if let Some(waiting) = waiting {
                // The test may have given up.
                drop(waiting.send(answer));
            }
            continue;
        }
        if let Some(line) = said["log"].as_str() {
            let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
            if listeners.log.len() == LOG_LINES {
                listeners.log.pop_front();
            }
            listeners.log.push_back(line.to_owned());
            continue;
        }
        let name = said["client"].as_str().unwrap_or_default();
        let listener = listeners.lock().unwrap_or_else(PoisonError::into_inner).events.get(name).cloned();
        if let Some(listener) = listener {
            drop(listener.try_send(said));
        }
    }
}
