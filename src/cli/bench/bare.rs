//! The client alone, in a process of its own: links, then carries out loops as it is told on its standard input, and
//! ends with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kurir_core::domain::{JobId, JobKey, MessageId, PhoneNumber, Secret, SendAnswer, TenantId};
use kurir_core::port::{MessengerEvent, NumberStatus, ReceiptKind, Sender};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::figures::Latency;
use super::recipient;
use crate::compose::bare_client;
use crate::config::Config;

/// How long WhatsApp may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A loop to carry out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Loop {
    /// The first recipient.
    pub first: u32,
    /// How many messages, each to the next recipient.
    pub count: u32,
    /// How many at the same time.
    pub at_once: u32,
    /// Whether each number is looked up first.
    pub check: bool,
}

/// What the process says, one JSON value a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// A code to scan.
    Qr(String),
    /// It can send.
    Ready,
    /// A loop is done, and the last of its messages was read.
    Looped {
        /// From its start to WhatsApp's last ack.
        took: Duration,
        /// Of single messages.
        latency: Latency,
    },
}

/// The lines of the standard input. Reading it blocks, and a runtime waits for its blocking tasks when it ends, so a
/// thread does it that ends with the input.
fn orders() -> mpsc::Receiver<String> {
    let (lines, orders) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    orders
}

fn say(said: &Said) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(said)?);
    Ok(())
}

/// Runs until the end of the standard input.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let connection = bare_client(config).await?;
    let (read, mut reads) = watch::channel(0);
    let following = tokio::spawn(follow(connection.events, read));
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        let order: Loop = serde_json::from_str(&order).context("an order that is none")?;
        let before = *reads.borrow();
        let (took, latency) = send(&connection.sender, &order).await?;
        let all = before + order.count;
        tokio::time::timeout(PATIENCE, reads.wait_for(|count| *count >= all))
            .await
            .context("read receipts are missing")??;
        say(&Said::Looped { took, latency })?;
    }
    connection.sender.close(PATIENCE).await;
    following.await?
}

/// Tells of codes and of the connection, counts messages that were read.
async fn follow(mut events: mpsc::Receiver<MessengerEvent>, read: watch::Sender<u32>) -> anyhow::Result<()> {
    while let Some(event) = events.recv().await {
        match event {
            MessengerEvent::Qr { text, .. } => say(&Said::Qr(text.expose().clone()))?,
            MessengerEvent::Connected => say(&Said::Ready)?,
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
    Ok(())
}

/// Sends, each of `at_once` tasks one message after another.
async fn send(sender: &Arc<dyn Sender>, order: &Loop) -> anyhow::Result<(Duration, Latency)> {
    let started = Instant::now();
    let next = Arc::new(AtomicU32::new(order.first));
    let mut tasks = JoinSet::new();
    for _ in 0..order.at_once {
        let (sender, next, order) = (Arc::clone(sender), Arc::clone(&next), order.clone());
        tasks.spawn(async move {
            let mut spans = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= order.first + order.count {
                    return anyhow::Ok(spans);
                }
                let begun = Instant::now();
                one(&*sender, at, order.check).await?;
                spans.push(begun.elapsed());
            }
        });
    }
    let mut spans = Vec::new();
    while let Some(task) = tasks.join_next().await {
        spans.extend(task??);
    }
    Ok((started.elapsed(), Latency::of(spans)))
}

/// Sends one message and looks the number up before it, if told to. An error if WhatsApp does not accept it.
pub(super) async fn one(sender: &dyn Sender, at: u32, check: bool) -> anyhow::Result<()> {
    let to = PhoneNumber::from_digits(recipient(at))?;
    if check && sender.check(std::slice::from_ref(&to)).await? != [NumberStatus::Registered] {
        bail!("the simulator does not know a recipient");
    }
    let key = JobKey::new(TenantId::new("bare")?, JobId::new(uuid::Uuid::now_v7()));
    let text = Secret::new(super::TEXT.to_owned());
    match sender.send_text(&to, &MessageId::derive(&key), &text, PATIENCE).await? {
        SendAnswer::Accepted => Ok(()),
        other => bail!("a message was not accepted: {other:?}"),
    }
}
