//! Settling one delivery.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{Lane, Target};
use kurir_core::memory::SystemClock;
use kurir_core::policy::{Backoff, delay_step};
use kurir_core::port::{Clock as _, DeadLetter, JobHeaders, PortError, Settle, Settled};
use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Acker, BasicProperties, Channel};
use tokio::time::{Instant, timeout};

use super::headers::{self, Vouched};
use super::publish::Outgoing;
use super::{RabbitError, Shared, topology};

/// How long an acknowledgement may wait to be written to the socket.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Pauses before a copy that could not be published is tried again.
const AGAIN: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_secs(30) };

pub(super) struct RabbitSettle {
    pub(super) shared: Arc<Shared>,
    /// Keeps the channel open that the delivery must be settled on.
    pub(super) channel: Channel,
    pub(super) acker: Acker,
    pub(super) lane: Lane,
    /// The routing key of the lane it stood in.
    pub(super) key: String,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

impl RabbitSettle {
    /// Whether a settlement can still reach the broker. Asked before a copy is published, since a copy beside an
    /// original that comes back is work for nothing.
    fn is_stale(&self) -> bool {
        !self.acker.usable() || !self.channel.status().connected()
    }

    /// Publishes a copy and, once it is confirmed, acknowledges the original. If the confirm fails, the original goes back
    /// to its queue.
    async fn move_to(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        action: &'static str,
    ) -> Result<Settled, PortError> {
        if let Err(error) = self.place(exchange, key, properties).await {
            if self.is_stale() {
                return Ok(Settled::Stale);
            }
            // Else it would take up room in the window as long as the stream lasts.
            if let Err(unsettled) = self.give_back().await {
                tracing::debug!(error = %unsettled.chain(), "the original comes back with the end of its channel");
            }
            return Err(error.during(action));
        }
        #[cfg(feature = "simulator")]
        if let Some(copy_confirmed) = &self.shared.options.copy_confirmed {
            copy_confirmed();
        }
        self.acknowledge().await
    }

    /// Publishes the copy, patiently: a job that is given back comes again at once, and the broker counts how often.
    async fn place(&self, exchange: &str, key: &str, properties: BasicProperties) -> Result<(), RabbitError> {
        let until = Instant::now() + self.shared.options.settle_patience;
        for attempt in 1_u32.. {
            let (key, properties) = (key.to_owned(), properties.clone());
            let copy = Outgoing { exchange, key, properties, body: &self.body, mandatory: true };
            let error = match self.shared.publisher.place(copy).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let pause = AGAIN.delay(attempt, rand::random());
            if self.is_stale() || matches!(error, RabbitError::Closed) || Instant::now() + pause >= until {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "a job could not be put into its next queue; trying again");
            tokio::time::sleep(pause).await;
        }
        Err(RabbitError::Closed)
    }

    async fn acknowledge(&self) -> Result<Settled, PortError> {
        self.told(self.acker.ack(BasicAckOptions::default())).await
    }

    /// Gives the job back.
    async fn give_back(&self) -> Result<Settled, PortError> {
        self.told(self.acker.nack(BasicNackOptions { requeue: true, multiple: false })).await
    }

    /// Tells the broker, if that can still reach it.
    async fn told(&self, answer: impl Future<Output = lapin::Result<bool>>) -> Result<Settled, PortError> {
        let action = "settling a job";
        if self.is_stale() {
            return Ok(Settled::Stale);
        }
        match timeout(WRITE_LIMIT, answer).await {
            Ok(Ok(true)) => Ok(Settled::Yes),
            Ok(Ok(false)) => Ok(Settled::Stale),
            Ok(Err(error)) => Err(RabbitError::from(error).during(action)),
            Err(_) => Err(RabbitError::Timeout(WRITE_LIMIT).during(action)),
        }
    }
}

#[async_trait]
impl Settle for RabbitSettle {
    async fn ack(self: Box<Self>) -> Result<Settled, PortError> {
        self.acknowledge().await
    }

    /// Goes through the largest delay step that fits; `headers.not_before` tells the next reader whether another one
    /// must follow.
    async fn park(self: Box<Self>, delay: Duration, headers: JobHeaders) -> Result<Settled, PortError> {
        if self.is_stale() {
            return Ok(Settled::Stale);
        }
        let properties = headers::of_parked(&self.properties, &headers, Vouched(&self.shared.user));
        self.move_to(&topology::delay_name(delay_step(delay)), &self.key, properties, "parking a job").await
    }

    /// Without a delay by way of the exchange that delays end in: what it can't route becomes a dead letter, while the
    /// producers' one would return it. Also when it came back meanwhile: who has it now may have put it where this one no
    /// longer belongs.
    async fn pass(self: Box<Self>, to: &Target, delay: Duration, headers: JobHeaders) -> Result<Settled, PortError> {
        let properties = headers::of_parked(&self.properties, &headers, Vouched(&self.shared.user));
        let exchange = if delay.is_zero() { topology::REQUEUE } else { &topology::delay_name(delay_step(delay)) };
        self.move_to(exchange, &to.routing_key(self.lane), properties, "passing a job on").await
    }

    async fn dead(self: Box<Self>, letter: DeadLetter) -> Result<Settled, PortError> {
        if self.is_stale() {
            return Ok(Settled::Stale);
        }
        let properties =
            headers::of_dead(&self.properties, &letter, &self.key, SystemClock.now(), Vouched(&self.shared.user));
        self.move_to(topology::DEAD_EXCHANGE, &self.key, properties, "dead-lettering a job").await
    }

    /// By `basic.nack`, so that it comes back at once, also while others of the same channel are unsettled. A quorum
    /// queue of RabbitMQ 4 counts this as a delivery, as it counts a closed channel; a job that has used up the
    /// queue's delivery limit goes to the dead letters and is not lost.
    async fn release(self: Box<Self>) -> Result<Settled, PortError> {
        self.give_back().await
    }
}
