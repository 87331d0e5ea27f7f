//! `kurir bench crowd`: many linked devices connected to one simulator at once. Tells what the simulator spends on each
//! of them, resting and sending, beside what the clients spend.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kurir_core::port::{MessengerEvent, ReceiptKind, Sender};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::bare::one;
use super::fleet::{SETTLE, unless_stopped};
use super::link::{Scanner, Simulator};
use super::process::{Launch, Process, own_cpu};
use super::{CrowdArgs, Given, launch, sender};
use crate::cli::signal;
use crate::compose::bare_client;
use crate::config::Config;

/// How long one client may take for one step of its linking, and WhatsApp for one answer.
const PATIENCE: Duration = Duration::from_mins(2);

/// Clients that link themselves at the same time.
const LINKING: usize = 16;

/// How long the connected crowd is watched while it rests.
const REST: Duration = Duration::from_mins(1);

/// Runs it and prints what it gave.
pub async fn run(args: CrowdArgs, config: Config, given: Given) -> anyhow::Result<()> {
    let stop = signal::stop()?;
    let launch = launch::of(given, launch::fresh_keys());
    unless_stopped(&stop, measure(&args, &config, &launch)).await
}

async fn measure(args: &CrowdArgs, config: &Config, launch: &Launch) -> anyhow::Result<()> {
    let simulator = Simulator::start(launch).await?;
    let mut config = config.clone();
    config.whatsapp.endpoint = Some(simulator.endpoint.clone());
    let empty = simulator.process.memory()?;
    let begun = Instant::now();
    let crowd = Crowd::gather(args.devices, &config, &simulator).await?;
    println!("{} devices linked and connected after {:.0} s", args.devices, begun.elapsed().as_secs_f64());
    tokio::time::sleep(SETTLE).await;
    let full = simulator.process.memory()?;
    println!(
        "simulator: {} MiB empty, {} MiB with them, {:.1} KiB a device",
        empty >> 20,
        full >> 20,
        per(full.saturating_sub(empty), args.devices) / 1024.0,
    );

    let rest = Span::begin(&simulator.process)?;
    tokio::time::sleep(REST).await;
    let rest = rest.end(&simulator.process)?;
    println!(
        "resting for {} s: simulator {:.1} % of a core, clients {:.1} %",
        REST.as_secs(),
        share(rest.simulator, rest.took),
        share(rest.clients, rest.took)
    );

    let sending = Span::begin(&simulator.process)?;
    crowd.send(args.messages, args.at_once).await?;
    let sending = sending.end(&simulator.process)?;
    let each = |cpu: Duration| per(u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX), args.messages) / 1000.0;
    println!(
        "{} messages in {:.1} s, {:.0} a second, each sent, delivered and read",
        args.messages,
        sending.took.as_secs_f64(),
        f64::from(args.messages) / sending.took.as_secs_f64()
    );
    println!(
        "CPU ms a message: simulator {:.2}, clients {:.2}, ratio {:.2}",
        each(sending.simulator),
        each(sending.clients),
        sending.simulator.as_secs_f64() / sending.clients.as_secs_f64()
    );
    println!("simulator's memory afterwards: {} MiB", simulator.process.memory()? >> 20);
    crowd.leave().await;
    simulator.process.end().await;
    Ok(())
}

fn per(whole: u64, count: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let whole = whole as f64;
    whole / f64::from(count)
}

fn share(cpu: Duration, took: Duration) -> f64 {
    cpu.as_secs_f64() / took.as_secs_f64() * 100.0
}

/// What was spent between two moments. The clients run in this very process.
struct Span {
    took: Duration,
    simulator: Duration,
    clients: Duration,
}

struct Begun {
    at: Instant,
    simulator: Duration,
    clients: Duration,
}

impl Span {
    fn begin(simulator: &Process) -> anyhow::Result<Begun> {
        Ok(Begun { at: Instant::now(), simulator: simulator.cpu()?, clients: own_cpu()? })
    }
}

impl Begun {
    fn end(self, simulator: &Process) -> anyhow::Result<Span> {
        Ok(Span {
            took: self.at.elapsed(),
            simulator: simulator.cpu()?.saturating_sub(self.simulator),
            clients: own_cpu()?.saturating_sub(self.clients),
        })
    }
}

/// Connected clients.
struct Crowd {
    senders: Vec<Arc<dyn Sender>>,
    followers: JoinSet<()>,
    read: watch::Receiver<u32>,
}

impl Crowd {
    async fn gather(count: u32, config: &Config, simulator: &Simulator) -> anyhow::Result<Self> {
        let (counted, read) = watch::channel(0);
        let counted = Arc::new(counted);
        let turns = Arc::new(Semaphore::new(LINKING));
        let (mut links, mut followers) = (JoinSet::new(), JoinSet::new());
        let mut senders = Vec::new();
        for at in 0..count {
            let turn = Arc::clone(&turns).acquire_owned().await?;
            let connection = bare_client(config).await?;
            senders.push(connection.sender);
            let (linked, connected) = oneshot::channel();
            followers.spawn(follow(connection.events, simulator.scanner(), at, linked, Arc::clone(&counted)));
            links.spawn(async move {
                let connected = tokio::time::timeout(PATIENCE, connected).await;
                drop(turn);
                connected.with_context(|| format!("client {at} is not connected"))?.context("a client has ended")?
            });
            while let Some(link) = links.try_join_next() {
                link??;
            }
            if at > 0 && at % 500 == 0 {
                println!("{at} clients started");
            }
        }
        while let Some(link) = links.join_next().await {
            link??;
        }
        Ok(Self { senders, followers, read })
    }

    /// Sends `count` messages, shared out over all clients, `at_once` at the same time, and waits until all were read.
    async fn send(&self, count: u32, at_once: usize) -> anyhow::Result<()> {
        let turns = Arc::new(Semaphore::new(at_once));
        let mut tasks = JoinSet::new();
        for (at, sender) in (0..count).zip(self.senders.iter().cycle()) {
            let turn = Arc::clone(&turns).acquire_owned().await?;
            let sender = Arc::clone(sender);
            tasks.spawn(async move {
                let _turn = turn;
                one(&*sender, at, false).await
            });
            while let Some(task) = tasks.try_join_next() {
                task??;
            }
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        let mut read = self.read.clone();
        tokio::time::timeout(PATIENCE, read.wait_for(|read| *read >= count))
            .await
            .context("read receipts are missing")??;
        Ok(())
    }

    async fn leave(mut self) {
        for sender in self.senders {
            sender.close(Duration::from_millis(10)).await;
        }
        self.followers.shutdown().await;
    }
}

/// Links the client when it shows its code, tells when it is connected, counts the messages that were read.
async fn follow(
    mut events: mpsc::Receiver<MessengerEvent>,
    scanner: Scanner,
    at: u32,
    linked: oneshot::Sender<anyhow::Result<()>>,
    read: Arc<watch::Sender<u32>>,
) {
    let (mut linked, mut scanned) = (Some(linked), false);
    while let Some(event) = events.recv().await {
        match event {
            MessengerEvent::Qr { text, .. } if !scanned => {
                scanned = true;
                let number = sender(usize::try_from(at).unwrap_or(usize::MAX));
                if let Err(error) = scanner.scan(text.expose(), number).await {
                    tell(&mut linked, Err(error));
                }
            }
            MessengerEvent::Connected => tell(&mut linked, Ok(())),
            MessengerEvent::Receipt { receipt, stored } => {
                if receipt.kind == ReceiptKind::Read {
                    let count = u32::try_from(receipt.ids.len()).unwrap_or(u32::MAX);
                    read.send_modify(|read| *read += count);
                }
                stored.tell();
            }
            _ => {}
        }
    }
}

/// Tells once how the linking ended. Nobody listens any more if it took too long.
fn tell(linked: &mut Option<oneshot::Sender<anyhow::Result<()>>>, outcome: anyhow::Result<()>) {
    if let Some(linked) = linked.take() {
        let _ = linked.send(outcome);
    }
}
