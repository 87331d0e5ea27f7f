//! The commands and programs that the older systems' own manuals print, run as they stand there.
//!
//! They are kept below `seeds/<dialect>/`, each in its language, under a line that says where it is from. What is changed when they
//! are run is where the server is, and what a manual leaves to its reader to fill in: a token, a key, a number. Beside each stands
//! what it has to print: in `.json` the answer that the manual prints, in `.ours.json` ours where the manual prints none, in
//! `.txt` what a program says itself. A field that the manual prints must be there and have that value, or, where it is another one every time, that form
//! (`answers.rs`). Ours may answer more fields.

mod admin;
mod answers;
mod multi;
mod otp;
mod request;
mod socketio;
mod tools;
mod waziper;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use tools::Tools;

/// The longest that a command may take; one of the programs waits ten seconds by itself.
const PATIENCE: Duration = Duration::from_mins(2);

/// What curl is told beside its command line: to say each answer's status, apart from the answer.
const CURL_RULES: &str = "no-progress-meter\nwrite-out = \"%{stderr}status %{http_code}\\n\"\n";

/// A dialect's manual and the place where its commands are run.
struct Manual {
    folder: PathBuf,
    place: TempDir,
    tools: Tools,
    /// What stands in the files and what stands there when they are run.
    swaps: Vec<(String, String)>,
    environment: BTreeMap<&'static str, String>,
}

/// What a command said.
struct Said {
    file: String,
    stdout: String,
    statuses: Vec<u16>,
}

impl Manual {
    /// `None`, after a message, where there is no curl: the test is then to end.
    async fn open(dialect: &str) -> Option<Self> {
        let tools = Tools::look().await?;
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join(".curlrc"), CURL_RULES).unwrap();
        let folder = tests().join("seeds").join(dialect);
        Some(Self { folder, place, tools, swaps: Vec::new(), environment: BTreeMap::new() })
    }

    /// From now on the one stands where the files have the other.
    fn swap(&mut self, from: &str, to: &str) {
        self.swaps.push((from.to_owned(), to.to_owned()));
    }

    /// Runs one of its files and holds what it prints against `wanted`: JSON by its fields, of which those in `alike` need to have
    /// the form only, or text. `statuses` are those of the answers that curl got, in their order. Gives the answers, or the lines;
    /// nothing, after a message, where the file's language is not there.
    async fn check(&self, file: &str, wanted: &str, statuses: &[u16], alike: &[&str]) -> Option<Vec<Value>> {
        let said = self.run(file).await?;
        assert_eq!(said.statuses, statuses, "{file}: {}", said.stdout);
        let text = self.text(wanted);
        let held = if Path::new(wanted).extension().is_some_and(|ending| ending == "txt") {
            answers::hold_text(&text, &said.stdout)
        } else {
            answers::hold_json(&text, &said.stdout, alike)
        };
        Some(held.unwrap_or_else(|error| panic!("{}: {error}\n--- it said:\n{}", said.file, said.stdout)))
    }

    /// Runs one of its files.
    async fn run(&self, file: &str) -> Option<Said> {
        let place = self.place.path();
        let text = std::fs::read_to_string(self.ready(file)).unwrap();
        let mut command = match Path::new(file).extension().and_then(|ending| ending.to_str()) {
            Some("sh") => with("bash", [file]),
            Some("http") => request::curl(&text, &self.server()),
            Some("mjs" | "cjs") => self.node(file)?,
            Some("py") => with(self.tools.python()?, [file]),
            // What a later PHP thinks of these functions is not the matter here.
            Some("php") => with(self.tools.php()?, ["-d", "error_reporting=E_ALL&~E_DEPRECATED", file]),
            other => panic!("{file}: nothing runs files with the ending {other:?}"),
        };
        command.current_dir(place).env_clear().envs(self.environment.iter()).env("HOME", place).env("CURL_HOME", place);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if let Some(packages) = self.tools.node_packages() {
            command.env("NODE_PATH", packages);
        }
        let started = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let ended = tokio::time::timeout(PATIENCE, started).await;
        let output = ended.unwrap_or_else(|_| panic!("{file}: no end within {PATIENCE:?}"));
        let output = output.unwrap_or_else(|error| panic!("{file}: {error}"));
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{file}: {}\n{stdout}\n{stderr}", output.status);
        let (statuses, complaints): (Vec<_>, Vec<_>) = stderr.lines().partition(|line| line.starts_with("status "));
        assert!(complaints.is_empty(), "{file}: {complaints:?}\n{stdout}");
        let status = |line: &str| line["status ".len()..].parse().unwrap();
        let statuses = statuses.into_iter().map(status).collect();
        Some(Said { file: file.to_owned(), stdout: stdout.into_owned(), statuses })
    }

    /// One of its files as it is in the repository.
    fn text(&self, file: &str) -> String {
        let path = self.folder.join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Where one of its files lies with all that it needs filled in.
    fn ready(&self, file: &str) -> PathBuf {
        let text = self.swaps.iter().fold(self.text(file), |text, (from, to)| text.replace(from, to));
        let path = self.place.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Where requests go that are written without a server.
    fn server(&self) -> String {
        let found = self.swaps.iter().find(|(from, _)| from.starts_with("http://localhost"));
        found.map(|(_, to)| to.clone()).expect("each manual has its server")
    }

    fn node(&self, file: &str) -> Option<Command> {
        self.tools.node_packages()?;
        let preload = tests().join("seeds/preload.mjs");
        Some(with("node", ["--import", &format!("file://{}", preload.display()), file]))
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects")
}

fn with<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
