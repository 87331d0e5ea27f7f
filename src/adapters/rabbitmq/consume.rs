//! A stream of one lane's jobs, on a channel of its own.
//!
//! The channel stays open as long as the stream or a delivery out of it lives, so what was handed out can be settled
//! after the stream was closed. With the last of them the client closes the channel, and the broker takes back what is
//! still unsettled.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use kurir_core::domain::{Lane, Target};
use kurir_core::port::{Delivery, JobStream, PortError};
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::headers::{self, Vouched};
use super::settle::RabbitSettle;
use super::{RabbitError, Shared, topology};

enum State {
    Open(Box<Subscription>),
    Closed,
    Failed(RabbitError),
}

struct Subscription {
    channel: Channel,
    consumer: Consumer,
}

pub(super) struct RabbitStream {
    shared: Arc<Shared>,
    target: Target,
    lane: Lane,
    state: State,
}

impl RabbitStream {
    pub(super) async fn open(
        shared: Arc<Shared>,
        target: Target,
        lane: Lane,
        window: u16,
        priority: Option<u8>,
    ) -> Result<Self, RabbitError> {
        // A prefetch of 0 means no bound at all to the broker, and the client's buffer has none either.
        let window = window.clamp(1, shared.options.max_prefetch.max(1));
        let tag = format!("{} {}", shared.options.connection_name, target.routing_key(lane));
        let queue = topology::lane_queue(&target, lane);
        let subscription = consume(&shared, &queue, tag_of(&tag), window, arguments(priority)).await?;
        Ok(Self { shared, target, lane, state: State::Open(Box::new(subscription)) })
    }

    fn deliver(&self, channel: &Channel, delivery: AmqpDelivery) -> Delivery {
        let headers = headers::read(&delivery.properties, Vouched(&self.shared.user));
        let settle = RabbitSettle {
            shared: self.shared.clone(),
            channel: channel.clone(),
            acker: delivery.acker,
            lane: self.lane,
            key: self.target.routing_key(self.lane),
            properties: delivery.properties,
            body: delivery.data.clone(),
        };
        Delivery {
            target: self.target.clone(),
            lane: self.lane,
            body: delivery.data,
            headers,
            settle: Box::new(settle),
        }
    }

    fn fail(&mut self, error: RabbitError) -> PortError {
        self.state = State::Failed(error.clone());
        error.during("waiting for jobs")
    }
}

#[async_trait]
impl JobStream for RabbitStream {
    async fn next(&mut self) -> Result<Option<Delivery>, PortError> {
        let (channel, next) = match &mut self.state {
            State::Closed => return Ok(None),
            State::Failed(error) => return Err(error.clone().during("waiting for jobs")),
            State::Open(open) => {
                let next = open.consumer.next().await;
                (open.channel.clone(), next)
            }
        };
        match next {
            Some(Ok(delivery)) => Ok(Some(self.deliver(&channel, delivery))),
            Some(Err(error)) => Err(self.fail(error.into())),
            None => Err(self.fail(RabbitError::ConsumerEnded)),
        }
    }

    async fn close(&mut self) -> Result<(), PortError> {
        let State::Open(mut open) = std::mem::replace(&mut self.state, State::Closed) else {
            return Ok(());
        };
        let (limit, channel) = (self.shared.options.publish_timeout, open.channel.clone());
        ended(limit, &channel, open.give_back(), "ending a subscription").await
    }

    /// Closes the channel. A subscription that is only cancelled keeps what it had handed out, and a quorum queue with several
    /// consumers never gets that back when the node of the channel dies then, up to the next change of its leader: of the
    /// consumers on a lost node it gives up those that are "up" (`rabbit_fifo`, `{down, Pid, noconnection}`, 3.10 as 4.0).
    async fn cut(&mut self) -> Result<(), PortError> {
        let State::Open(open) = std::mem::replace(&mut self.state, State::Closed) else {
            return Ok(());
        };
        let limit = self.shared.options.publish_timeout;
        let closing = open.channel.close(REPLY_SUCCESS, "the reader can't send".into());
        ended(limit, &open.channel, closing, "cutting a subscription").await
    }
}

/// Waits for the end of a subscription on this channel.
async fn ended(
    limit: Duration,
    channel: &Channel,
    ending: impl Future<Output = lapin::Result<()>>,
    action: &'static str,
) -> Result<(), PortError> {
    match timeout(limit, ending).await {
        Ok(Ok(())) => Ok(()),
        // The channel is gone, and with it the subscription: that is what was asked for.
        Ok(Err(_)) if !channel.status().connected() => Ok(()),
        Ok(Err(error)) => Err(RabbitError::from(error).during(action)),
        Err(_) => Err(RabbitError::Timeout(limit).during(action)),
    }
}

/// AMQP's code for an orderly end.
const REPLY_SUCCESS: u16 = 200;

impl Subscription {
    /// Ends the subscription; the broker may make another consumer active at once. What was received and not handed
    /// out is returned one by one, because others of the same channel are still being worked on.
    async fn give_back(&mut self) -> lapin::Result<()> {
        self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
        while let Some(delivery) = self.consumer.next().await {
            delivery?.nack(BasicNackOptions { requeue: true, multiple: false }).await?;
        }
        Ok(())
    }
}

/// Opens a channel and consumes a queue on it, at most `window` unacknowledged.
async fn consume(
    shared: &Shared,
    queue: &str,
    tag: ShortString,
    window: u16,
    arguments: FieldTable,
) -> Result<Subscription, RabbitError> {
    let limit = shared.options.publish_timeout;
    let link = shared.consuming();
    let open = async {
        let channel = link.connection(limit).await?.create_channel().await?;
        let consumer = start(&channel, queue, tag, window, arguments).await?;
        Ok(Subscription { channel, consumer })
    };
    timeout(limit, open).await.map_err(|_| link.timed_out(limit))?
}

/// Consumes on a channel that is used for nothing else; it is closed when this fails or is given up.
pub(super) async fn start(
    channel: &Channel,
    queue: &str,
    tag: ShortString,
    window: u16,
    arguments: FieldTable,
) -> lapin::Result<Consumer> {
    let unread = Unread::of(channel);
    channel.basic_qos(window, BasicQosOptions::default()).await?;
    let consumer = channel.basic_consume(queue.into(), tag, BasicConsumeOptions::default(), arguments).await?;
    unread.read_from_now();
    Ok(consumer)
}

/// A channel with a subscription that nobody reads yet. Given up before the broker's answer, the client would keep it: it
/// notes the consumer when the answer comes, and its note keeps the channel open (`lapin` 4.12, `on_basic_consume_ok_received`).
/// What the broker hands out there would stay there, and as the single active consumer it would be handed everything.
pub(super) struct Unread(Option<Channel>);

impl Unread {
    pub(super) fn of(channel: &Channel) -> Self {
        Self(Some(channel.clone()))
    }

    pub(super) fn read_from_now(mut self) {
        self.0 = None;
    }
}

/// How long the broker may take to answer the end of such a channel.
const END_LIMIT: Duration = Duration::from_secs(30);

impl Drop for Unread {
    fn drop(&mut self) {
        // Without a runtime the process ends, and the connection with it.
        if let Some(channel) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                let ended = timeout(END_LIMIT, channel.close(REPLY_SUCCESS, "nobody reads it".into())).await;
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a channel that was given up was gone already");
                }
            });
        }
    }
}

/// The broker serves consumers of a higher priority first, as long as they have room.
fn arguments(priority: Option<u8>) -> FieldTable {
    let mut arguments = FieldTable::default();
    if let Some(priority) = priority {
        arguments.insert("x-priority".into(), AMQPValue::LongInt(priority.into()));
    }
    arguments
}

/// A consumer's tag, for the eyes of an operator; an empty one lets the broker choose.
fn tag_of(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}
