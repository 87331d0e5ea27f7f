//! `kurir bench gateway`: how many requests a second the gateway of one process takes, beside the worker that sends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::figures::Latency;
use super::fleet::unless_stopped;
use super::link::Scanner;
use super::process::{Launch, Process, own_cpu};
use super::{GatewayArgs, Given, TEXT, launch, recipient, sender};
use crate::cli::signal;

/// How long a session may take to be linked, and a request to be answered.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs it and prints what it gave.
pub async fn run(args: GatewayArgs, given: Given) -> anyhow::Result<()> {
    let stop = signal::stop()?;
    let folder = tempfile_folder()?;
    let launch = launch::of(given, launch::fresh_keys())
        .with("store.kind", "sqlite")
        .with("sqlite.path", &folder.join("kurir.db").display().to_string())
        .with("gateway.listen", "127.0.0.1:0")
        .with("gateway.key_rate", "0")
        .with("gateway.queue_cap_bulk", "0");
    let done = unless_stopped(&stop, measure(&args, &launch)).await;
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        eprintln!("{} is left: {error}", folder.display());
    }
    done
}

/// A folder of this run's own, on the disk that the system keeps for such.
fn tempfile_folder() -> anyhow::Result<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(format!("kurir-bench-{:016x}", rand::random::<u64>()));
    std::fs::create_dir(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    Ok(folder)
}

/// The process under measurement.
struct Under {
    process: Process,
    address: SocketAddr,
    key: String,
    scanner: Scanner,
}

impl Under {
    async fn start(launch: &Launch) -> anyhow::Result<Self> {
        let mut process = Process::start("kurir", &["up"], launch)?;
        let (mut address, mut phones, mut key) = (None, None, None);
        while address.is_none() || phones.is_none() || key.is_none() {
            let line = process.line().await?;
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("gateway"), Some(url), _) => address = url.strip_prefix("http://").map(str::to_owned),
                (Some("phones"), Some(url), _) => phones = Some(url.trim_end_matches('/').to_owned()),
                (Some("API"), Some("key"), Some(text)) => key = Some(text.to_owned()),
                _ => {}
            }
        }
        let address: SocketAddr = address.unwrap_or_default().parse().context("the gateway's address")?;
        // What is measured is this machine, never somebody else's gateway.
        ensure!(address.ip().is_loopback(), "the gateway listens at {address}, which is not loopback");
        let (key, scanner) = (key.unwrap_or_default(), Scanner::at(phones.unwrap_or_default()));
        Ok(Self { process, address, key, scanner })
    }

    /// A session that can send.
    async fn session(&self, at: usize) -> anyhow::Result<String> {
        let id = format!("bench-{at}");
        let mut line = Line::open(self.address, &self.key).await?;
        line.post("/v1/sessions", &json!({"id": id}).to_string(), 0).await?;
        let (begun, mut scanned) = (Instant::now(), false);
        let mut timer = tokio::time::interval(Duration::from_millis(200));
        loop {
            timer.tick().await;
            ensure!(begun.elapsed() < PATIENCE, "session {id} is not connected");
            let (_, body) = line.get(&format!("/v1/sessions/{id}")).await?;
            let session: Value = serde_json::from_slice(&body).context("a session that is no JSON")?;
            if session["state"] == "connected" {
                return Ok(id);
            }
            if session["qr"] == true && !scanned {
                let (status, qr) = line.get(&format!("/v1/sessions/{id}/qr")).await?;
                if status == 200 {
                    let qr: Value = serde_json::from_slice(&qr).context("a code that is no JSON")?;
                    self.scanner.scan(qr["text"].as_str().context("a code without its text")?, sender(at)).await?;
                    scanned = true;
                }
            }
        }
    }
}

/// One connection that asks one thing after another.
struct Line {
    stream: BufReader<TcpStream>,
    key: String,
}

impl Line {
    async fn open(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the gateway does not take a connection")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), key: key.to_owned() })
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: {}\r\n\r\n", self.key)).await
    }

    /// Asks with a body; with a name for the request if it is not 0.
    async fn post(&mut self, path: &str, body: &str, name: u64) -> anyhow::Result<(u16, Vec<u8>)> {
        let name = if name == 0 { String::new() } else { format!("Idempotency-Key: bench-{name}\r\n") };
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\n{name}\
             Content-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        );
        self.ask(&request).await
    }

    async fn ask(&mut self, request: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let asked = async {
            self.stream.get_mut().write_all(request.as_bytes()).await?;
            self.read().await
        };
        tokio::time::timeout(PATIENCE, asked).await.context("the gateway does not answer")?
    }

    async fn read(&mut self) -> anyhow::Result<(u16, Vec<u8>)> {
        let (mut status, mut length, mut line) = (None, 0, String::new());
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                bail!("the gateway closed the connection");
            }
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if status.is_none() {
                status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
            } else if let Some((name, value)) = text.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().context("an answer's length")?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((status.context("an answer without a status")?, body))
    }
}

/// What one connection has seen.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    statuses: BTreeMap<u16, u32>,
}

async fn measure(args: &GatewayArgs, launch: &Launch) -> anyhow::Result<()> {
    let under = Under::start(launch).await?;
    let mut sessions = Vec::new();
    for at in 0..usize::from(args.sessions) {
        sessions.push(under.session(at).await?);
    }
    let sessions = Arc::new(sessions);
    println!("{} sessions connected; {} connections for {} s", args.sessions, args.connections, args.seconds);

    let span = Duration::from_secs(args.seconds.into());
    let (begun, before, own) = (Instant::now(), under.process.cpu()?, own_cpu()?);
    let next = Arc::new(AtomicU32::new(0));
    let mut lines = JoinSet::new();
    for _ in 0..args.connections {
        let line = Line::open(under.address, &under.key).await?;
        lines.spawn(keep_asking(line, Arc::clone(&sessions), Arc::clone(&next), begun + span, (args.rows, args.named)));
    }
    let mut all = Seen::default();
    while let Some(seen) = lines.join_next().await {
        let Seen { latencies, statuses } = seen??;
        all.latencies.extend(latencies);
        for (status, count) in statuses {
            *all.statuses.entry(status).or_default() += count;
        }
    }
    let took = begun.elapsed();
    let (cpu, own) = (under.process.cpu()?.saturating_sub(before), own_cpu()?.saturating_sub(own));
    let memory = under.process.memory()?;
    under.process.end().await;
    tell(args, &all, took, (cpu, own), memory);
    Ok(())
}

async fn keep_asking(
    mut line: Line,
    sessions: Arc<Vec<String>>,
    next: Arc<AtomicU32>,
    until: Instant,
    (rows, named): (u32, bool),
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    while Instant::now() < until {
        let at = next.fetch_add(rows.max(1), Ordering::Relaxed);
        let session = &sessions[at as usize % sessions.len()];
        let content = json!({"type": "text", "text": TEXT});
        let (path, body) = if rows == 0 {
            ("/v1/messages", json!({"session": session, "to": recipient(at), "content": content}))
        } else {
            let messages: Vec<_> = (at..at + rows).map(|at| json!({"to": recipient(at)})).collect();
            ("/v1/messages/batch", json!({"session": session, "content": content, "messages": messages}))
        };
        let name = if named { u64::from(at) + 1 } else { 0 };
        let asked = Instant::now();
        let (status, _) = line.post(path, &body.to_string(), name).await?;
        seen.latencies.push(asked.elapsed());
        *seen.statuses.entry(status).or_default() += 1;
    }
    Ok(seen)
}

fn tell(args: &GatewayArgs, seen: &Seen, took: Duration, (cpu, own): (Duration, Duration), memory: u64) {
    let accepted = seen.statuses.get(&202).copied().unwrap_or(0);
    let latency = Latency::of(seen.latencies.clone());
    let millis = |span: Duration| span.as_secs_f64() * 1000.0;
    let rate = f64::from(accepted) / took.as_secs_f64();
    println!("accepted: {accepted} requests in {:.1} s, {rate:.0} a second", took.as_secs_f64());
    if args.rows > 0 {
        println!("messages: {:.0} a second", rate * f64::from(args.rows));
    }
    println!("latency: p50 {:.1} ms, p99 {:.1} ms", millis(latency.p50), millis(latency.p99));
    let share = |cpu: Duration| cpu.as_secs_f64() / took.as_secs_f64() * 100.0;
    println!(
        "CPU: gateway, worker, relay and simulator {:.0} % of a core, this benchmark {:.0} %",
        share(cpu),
        share(own)
    );
    println!("memory at the end: {} MiB", memory >> 20);
    for (status, count) in seen.statuses.iter().filter(|(status, _)| **status != 202) {
        println!("answered with {status}: {count}");
    }
}
