//! The processes under measurement: started from this very program, ended with the value that stands for them.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kurir_core::domain::Secret;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a process may take to say what it is asked for, short of a measurement.
const PATIENCE: Duration = Duration::from_mins(1);

/// The kernel counts CPU time for user space in hundredths of a second, on all architectures that we run on.
const TICK: Duration = Duration::from_millis(10);

/// What all processes are started with.
#[derive(Clone)]
pub struct Launch {
    /// Arguments behind the role's own: files and settings.
    pub arguments: Vec<String>,
    /// Keys for encryption at rest; in the environment, since everybody sees a command line.
    pub keys: Secret<String>,
}

impl Launch {
    /// With one setting more.
    pub fn with(&self, setting: &str, value: &str) -> Self {
        let mut launch = self.clone();
        launch.arguments.extend(["--set".to_owned(), format!("{setting}={value}")]);
        launch
    }
}

/// A running process. Dropping it kills it: whatever it leaves behind is of this run only.
pub struct Process {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts `kurir` in a role. Its errors and warnings go where ours go.
    pub fn start(name: &'static str, role: &[&str], launch: &Launch) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program's own file can't be found")?;
        let mut child = Command::new(program)
            .args(role)
            .args(&launch.arguments)
            .env("KURIR_STORE__ENCRYPTION_KEYS", launch.keys.expose())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("the {name} could not be started"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the {name} has no pipes");
        };
        Ok(Self { name, child, input, output: BufReader::new(output).lines() })
    }

    /// The next line of its output.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let line = line.with_context(|| format!("the {} said nothing for {} s", self.name, PATIENCE.as_secs()))??;
        line.with_context(|| format!("the {} has ended", self.name))
    }

    /// Writes a line to its input.
    pub async fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let told = async {
            self.input.write_all(format!("{line}\n").as_bytes()).await?;
            self.input.flush().await
        };
        told.await.with_context(|| format!("the {} takes no orders", self.name))
    }

    /// CPU time that it has used so far, in user and kernel mode, over all of its threads.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let id = self.child.id().with_context(|| format!("the {} has ended", self.name))?;
        cpu_of(&id.to_string()).with_context(|| format!("the {}", self.name))
    }

    /// Bytes of memory that it holds now: the resident set.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let id = self.child.id().with_context(|| format!("the {} has ended", self.name))?;
        let path = format!("/proc/{id}/status");
        let status = std::fs::read_to_string(&path).with_context(|| format!("{path}: memory can't be read"))?;
        resident(&status).with_context(|| format!("{path} does not look as the kernel describes it"))
    }

    /// Sends it a signal, as `kill` names it.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self.child.id().with_context(|| format!("the {} has ended", self.name))?;
        let sent = Command::new("kill").args([format!("-{name}"), id.to_string()]).status().await?;
        anyhow::ensure!(sent.success(), "the {} could not be sent the signal {name}", self.name);
        Ok(())
    }

    /// Kills it and waits until it is gone.
    pub async fn end(mut self) {
        if let Err(error) = self.child.kill().await {
            eprintln!("the {} could not be ended: {error}", self.name);
        }
    }
}

/// CPU time of this process so far.
pub fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("{path}: CPU time can't be read"))?;
    ticks(&stat).map(|ticks| TICK * ticks).with_context(|| format!("{path} does not look as the kernel describes it"))
}

/// `utime` and `stime`, the 14th and 15th field of `/proc/PID/stat`. The second one, the name, may hold anything, so the
/// count begins behind its bracket.
fn ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let kernel: u32 = fields.next()?.parse().ok()?;
    user.checked_add(kernel)
}

/// `VmRSS` of `/proc/PID/status`, which counts in KiB.
fn resident(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_told_in_bytes() {
        assert_eq!(resident("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(resident("VmPeak:\t 9 kB\n"), None);
    }

    #[test]
    fn user_and_kernel_time_are_added_whatever_the_name_is() {
        let stat = "7 (a) R (b) S 1 7 7 0 -1 4194560 11 22 33 44 250 31 5 6 20 0 9 0 100 1000 10";
        assert_eq!(ticks(stat), Some(281));
        assert_eq!(ticks("7 (a) S 1 2"), None);
    }

    #[test]
    fn the_kernel_knows_this_process_and_no_other_of_that_name() {
        own_cpu().unwrap();
        assert!(cpu_of("none").is_err());
    }
}
