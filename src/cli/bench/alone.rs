//! Measures the client alone against a simulator of its own.

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use super::bare::{Loop, Said};
use super::figures::Figures;
use super::fleet::{SETTLE, unless_stopped};
use super::link::Simulator;
use super::process::{Launch, Process};

/// The client in a loop, with so many messages at the same time as one session's otp lane has by default.
const AT_ONCE: u32 = 16;

/// Measures `count` messages in each way of sending.
pub async fn measure(launch: &Launch, count: u32, stop: &CancellationToken) -> anyhow::Result<Vec<Figures>> {
    // Dropping the processes ends them, at the signal too.
    unless_stopped(stop, loops(launch, count)).await
}

async fn loops(launch: &Launch, count: u32) -> anyhow::Result<Vec<Figures>> {
    let simulator = Simulator::start(launch).await?;
    let launch = launch.with("whatsapp.endpoint", &simulator.endpoint);
    let mut client = Process::start("client", &["bench", "bare"], &launch)?;
    let mut scanned = false;
    loop {
        match hear(&mut client).await? {
            Said::Qr(qr) if !scanned => {
                simulator.scanner().scan(&qr, super::sender(0)).await?;
                scanned = true;
            }
            Said::Qr(_) => {}
            Said::Ready => break,
            Said::Looped { .. } => bail!("the client has looped unasked"),
        }
    }
    tokio::time::sleep(SETTLE).await;
    let ways = [
        ("client alone, one after another".to_owned(), 1, false),
        (format!("client alone, {AT_ONCE} at once"), AT_ONCE, false),
        (format!("client alone, {AT_ONCE} at once, numbers checked"), AT_ONCE, true),
    ];
    let mut figures = Vec::new();
    let mut first = 0;
    for (name, at_once, check) in ways {
        let before = (client.cpu()?, simulator.process.cpu()?);
        client.tell(&serde_json::to_string(&Loop { first, count, at_once, check })?).await?;
        first += count;
        let Said::Looped { took, latency } = hear(&mut client).await? else { bail!("the client lost its connection") };
        figures.push(Figures {
            name,
            count,
            took,
            latency,
            single: None,
            sender_cpu: client.cpu()?.saturating_sub(before.0),
            simulator_cpu: simulator.process.cpu()?.saturating_sub(before.1),
            bench_cpu: None,
        });
    }
    client.end().await;
    simulator.process.end().await;
    Ok(figures)
}

async fn hear(client: &mut Process) -> anyhow::Result<Said> {
    let line = client.line().await?;
    serde_json::from_str(&line).context("the client says what nobody understands")
}
