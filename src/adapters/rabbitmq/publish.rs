//! Publishing: nothing counts as published before the broker has confirmed it.

use std::time::Duration;

use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::{Instant, timeout_at};

use super::RabbitError;
use super::channels::ChannelPool;

/// So many messages are under way at once within one call.
const BATCH: usize = 1000;

/// A message on its way out.
pub(super) struct Outgoing<'a> {
    pub(super) exchange: &'a str,
    pub(super) key: String,
    pub(super) properties: BasicProperties,
    pub(super) body: &'a [u8],
    /// Whether it must reach a queue; one that does not is returned.
    pub(super) mandatory: bool,
}

/// What the broker did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is stored in every queue it belongs to.
    Stored,
    /// It was mandatory, and no queue wanted it.
    Returned,
}

pub(super) struct Publisher {
    channels: ChannelPool,
    limit: Duration,
}

impl Publisher {
    pub(super) const fn new(channels: ChannelPool, limit: Duration) -> Self {
        Self { channels, limit }
    }

    /// Publishes in order and waits for all confirms; the answers are in the order of the messages. After an error some
    /// may be stored.
    pub(super) async fn publish(&self, messages: Vec<Outgoing<'_>>) -> Result<Vec<Placed>, RabbitError> {
        let mut answers = Vec::with_capacity(messages.len());
        let mut rest = messages.into_iter();
        loop {
            let batch: Vec<_> = rest.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(answers);
            }
            let placed = self.publish_batch(batch).await.inspect_err(|error| {
                if error.lacks_topology() {
                    self.channels.link().suspect();
                }
            })?;
            answers.extend(placed);
        }
    }

    /// Publishes one message that must arrive.
    pub(super) async fn place(&self, message: Outgoing<'_>) -> Result<(), RabbitError> {
        let exchange = message.exchange.to_owned();
        if self.publish(vec![message]).await?.contains(&Placed::Returned) {
            self.channels.link().suspect();
            return Err(RabbitError::Unroutable(exchange));
        }
        Ok(())
    }

    async fn publish_batch(&self, batch: Vec<Outgoing<'_>>) -> Result<Vec<Placed>, RabbitError> {
        // What is written to a blocked connection waits in its buffer and is taken when the alarm ends, long after we
        // have told that it failed. So nothing is written while the alarm is known.
        if self.channels.link().is_blocked() {
            return Err(RabbitError::Blocked);
        }
        let deadline = Instant::now() + self.limit;
        let taken = self.channels.take(self.limit).await?;
        let answers = timeout_at(deadline, confirmed(taken.channel(), batch)).await;
        let answers = answers.map_err(|_| self.channels.link().timed_out(self.limit))??;
        taken.put_back();
        Ok(answers)
    }
}

/// Publishes on a channel that nobody else uses, so that what is returned is ours.
async fn confirmed(channel: &Channel, batch: Vec<Outgoing<'_>>) -> Result<Vec<Placed>, RabbitError> {
    let many = batch.len() > 1;
    let mut confirms = Vec::with_capacity(batch.len());
    for (turn, message) in batch.into_iter().enumerate() {
        let mut properties = message.properties;
        if many && message.mandatory {
            properties = properties.with_correlation_id(turn.to_string().into());
        }
        let options = BasicPublishOptions { mandatory: message.mandatory, ..BasicPublishOptions::default() };
        let (exchange, key) = (message.exchange.into(), message.key.into());
        confirms.push(channel.basic_publish(exchange, key, options, message.body, properties).await?);
    }
    let mut answers = vec![Placed::Stored; confirms.len()];
    for confirm in confirms {
        // The client hands a returned message out with whichever confirm comes next, so its place among the others is
        // told by the number that it carries, not by the confirm.
        match confirm.await? {
            Confirmation::Ack(returned) => {
                if let Some(message) = returned
                    && let Some(answer) = answers.get_mut(if many { turn_of(&message) } else { 0 })
                {
                    *answer = Placed::Returned;
                }
            }
            Confirmation::Nack(_) | Confirmation::NotRequested => return Err(RabbitError::Nacked),
        }
    }
    Ok(answers)
}

/// The place of a returned message in its batch, as we numbered it.
fn turn_of(message: &BasicReturnMessage) -> usize {
    let number = message.delivery.properties.correlation_id().as_ref();
    number.and_then(|number| number.as_str().parse().ok()).unwrap_or(usize::MAX)
}
