//! The port of the dead letters, over the queue `kurir.dead`.
//!
//! RabbitMQ names no message, so a letter's name is made of its moment and of a hash of its content: names sort by age,
//! and stay the same when the queue's order does not.
//!
//! A queue can't be looked through, only taken from. So a call takes its letters one by one without acknowledging them
//! and gives them back at its end; whatever ends it early, the broker gives them back by itself when the channel
//! closes. Meanwhile another call sees a queue that lacks them: use one tool at a time.
//!
//! A quorum queue counts how often a message was given back, and RabbitMQ 4 throws it away after 20 times unless a
//! policy says otherwise. A letter that has come back often is therefore published anew behind the others, its count at
//! zero, and acknowledged once that copy is confirmed.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::Timestamp;
use kurir_core::port::{DeadFilter, DeadId, DeadJob, DeadLetters, JobHeaders, PortError, Retried};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::dead_headers::{cause_of_death, of_dead_again, times_returned};
use super::headers::{self, Vouched};
use super::publish::{Outgoing, Placed};
use super::{RabbitError, RabbitMq, Shared, topology};

/// So often a letter may have come back before it is published anew.
const WORN: i64 = 10;

/// Bytes of a hash that make a letter's name.
const NAME_BYTES: usize = 6;

/// A letter that was taken and not yet dealt with.
struct Taken {
    letter: DeadJob,
    delivery: Delivery,
}

/// One walk through the letters.
struct Walk<'a> {
    shared: &'a Shared,
    channel: Channel,
    limit: Duration,
    /// How many letters are left of those that were there at the beginning; `None` before the first.
    left: Option<u32>,
    /// How many equal letters were seen of each.
    seen: HashMap<[u8; NAME_BYTES], u32>,
    /// Letters to be given back at the end, and not before, or they would be taken again.
    kept: Vec<lapin::Acker>,
}

impl<'a> Walk<'a> {
    async fn begin(shared: &'a Shared) -> Result<Self, RabbitError> {
        let limit = shared.options.publish_timeout;
        let link = shared.consuming();
        let open = async { link.connection(limit).await?.create_channel().await.map_err(RabbitError::from) };
        let channel = timeout(limit, open).await.map_err(|_| link.timed_out(limit))??;
        Ok(Self { shared, channel, limit, left: None, seen: HashMap::new(), kept: Vec::new() })
    }

    /// Waits for an answer of the broker, not for ever.
    async fn asked<T>(&self, answer: impl Future<Output = lapin::Result<T>>) -> Result<T, RabbitError> {
        let answer = timeout(self.limit, answer).await.map_err(|_| RabbitError::Timeout(self.limit))?;
        Ok(answer?)
    }

    /// The next letter of those that were there when the walk began.
    async fn next(&mut self) -> Result<Option<Taken>, RabbitError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let get = self.channel.basic_get(topology::DEAD_QUEUE.into(), BasicGetOptions { no_ack: false });
        let Some(got) = self.asked(get).await? else { return Ok(None) };
        let left = self.left.map_or(got.message_count, |left| left - 1);
        self.left = Some(left);
        let delivery = got.delivery;
        let mut letter = self.read(&delivery);
        let hash = hash(&letter);
        let equal = self.seen.entry(hash).or_default();
        *equal += 1;
        letter.id = name(&letter, &hash, *equal);
        Ok(Some(Taken { letter, delivery }))
    }

    /// A letter that has no name yet.
    fn read(&self, delivery: &Delivery) -> DeadJob {
        let (key, properties) = (delivery.routing_key.as_str(), &delivery.properties);
        let (reason, at) = cause_of_death(properties);
        DeadJob {
            id: DeadId(String::new()),
            key: headers::text(properties, headers::QUEUE).unwrap_or_else(|| key.to_owned()),
            reason,
            detail: headers::text(properties, headers::DETAIL).unwrap_or_default(),
            at,
            headers: headers::read(properties, Vouched(&self.shared.user)),
            body: delivery.data.clone(),
        }
    }

    /// Leaves a letter among the dead.
    async fn keep(&mut self, taken: Taken) -> Result<(), RabbitError> {
        let Taken { letter, delivery } = taken;
        if times_returned(&delivery.properties) < WORN {
            self.kept.push(delivery.acker);
            return Ok(());
        }
        let copy = Outgoing {
            exchange: topology::DEAD_EXCHANGE,
            key: letter.key.clone(),
            properties: of_dead_again(&delivery.properties, &letter.key, Vouched(&self.shared.user)),
            body: &delivery.data,
            mandatory: true,
        };
        self.shared.publisher.place(copy).await?;
        self.forget(&delivery).await
    }

    /// The letter is dealt with.
    async fn forget(&self, delivery: &Delivery) -> Result<(), RabbitError> {
        self.asked(delivery.acker.ack(BasicAckOptions::default())).await.map(drop)
    }

    /// Puts a letter's job back into its queue.
    async fn retry(&self, taken: &Taken) -> Result<Retried, RabbitError> {
        let vouched = Vouched(&self.shared.user);
        let again = JobHeaders { hop: 0, not_before: None, ..taken.letter.headers.clone() };
        let job = Outgoing {
            exchange: topology::JOBS,
            key: taken.letter.key.clone(),
            properties: headers::of_parked(&taken.delivery.properties, &again, vouched),
            body: &taken.delivery.data,
            mandatory: true,
        };
        if self.shared.publisher.publish(vec![job]).await?.contains(&Placed::Returned) {
            return Ok(Retried::NoSuchTarget);
        }
        self.forget(&taken.delivery).await?;
        Ok(Retried::Enqueued)
    }

    /// Gives back what was kept and waits until the broker has it.
    async fn end(mut self) -> Result<(), RabbitError> {
        for acker in std::mem::take(&mut self.kept) {
            self.asked(acker.nack(BasicNackOptions { requeue: true, multiple: false })).await?;
        }
        self.asked(self.channel.close(200, "".into())).await
    }
}

/// What stays the same of a letter however often it is looked at or published anew, and tells it from others.
fn hash(letter: &DeadJob) -> [u8; NAME_BYTES] {
    let enqueued_at = letter.headers.enqueued_at.map_or(0, Timestamp::as_millis);
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    part(letter.key.as_bytes());
    part(letter.reason.as_bytes());
    part(letter.detail.as_bytes());
    part(letter.headers.message_id.as_deref().unwrap_or_default().as_bytes());
    part(&letter.headers.attempt.to_be_bytes());
    part(&letter.headers.hop.to_be_bytes());
    part(&enqueued_at.to_be_bytes());
    part(&letter.body);
    let mut name = [0; NAME_BYTES];
    name.copy_from_slice(&hash.finalize()[..NAME_BYTES]);
    name
}

/// A letter's name: its moment, the hash, and which of its equals it is.
fn name(letter: &DeadJob, hash: &[u8], equal: u32) -> DeadId {
    let moment = letter.at.or(letter.headers.enqueued_at).map_or(0, Timestamp::as_millis);
    let mut name = format!("{:011x}-", moment.max(0));
    for byte in hash {
        let _ = write!(name, "{byte:02x}");
    }
    if equal > 1 {
        let _ = write!(name, "-{equal}");
    }
    DeadId(name)
}

#[async_trait]
impl DeadLetters for RabbitMq {
    async fn list(&self, which: &DeadFilter, after: Option<&DeadId>, limit: u32) -> Result<Vec<DeadJob>, PortError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let walked = async {
            let mut walk = Walk::begin(&self.shared).await?;
            let mut found = BTreeMap::new();
            while let Some(taken) = walk.next().await? {
                let letter = &taken.letter;
                if after.is_none_or(|after| *after < letter.id) && which.means(letter) {
                    found.insert(letter.id.clone(), letter.clone());
                    // No more bodies are held than are asked for.
                    if found.len() > limit {
                        found.pop_last();
                    }
                }
                walk.keep(taken).await?;
            }
            walk.end().await?;
            Ok(found.into_values().collect())
        };
        walked.await.map_err(|error: RabbitError| error.during("reading the dead letters"))
    }

    async fn retry(&self, which: &DeadFilter) -> Result<Vec<(DeadId, Retried)>, PortError> {
        let walked = async {
            let mut walk = Walk::begin(&self.shared).await?;
            let mut answers = Vec::new();
            while let Some(taken) = walk.next().await? {
                if which.means(&taken.letter) {
                    let retried = walk.retry(&taken).await?;
                    answers.push((taken.letter.id.clone(), retried));
                    if retried == Retried::Enqueued {
                        continue;
                    }
                }
                walk.keep(taken).await?;
            }
            walk.end().await?;
            Ok(answers)
        };
        walked.await.map_err(|error: RabbitError| error.during("trying dead letters again"))
    }

    async fn discard(&self, which: &DeadFilter) -> Result<Vec<DeadId>, PortError> {
        let walked = async {
            let mut walk = Walk::begin(&self.shared).await?;
            let mut gone = Vec::new();
            while let Some(taken) = walk.next().await? {
                if which.means(&taken.letter) {
                    walk.forget(&taken.delivery).await?;
                    gone.push(taken.letter.id);
                } else {
                    walk.keep(taken).await?;
                }
            }
            walk.end().await?;
            Ok(gone)
        };
        walked.await.map_err(|error: RabbitError| error.during("discarding dead letters"))
    }
}
