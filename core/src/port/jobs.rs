//! The job queues: producers put jobs in, sessions take them out.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;
use crate::domain::{FailReason, Lane, SessionId, Target, Timestamp};

/// What travels beside a job's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobHeaders {
    /// The version of the body: the AMQP `type` property.
    pub kind: String,
    /// The job's id as the producer put it beside the body: the AMQP `message-id` property.
    pub message_id: Option<String>,
    /// How often an attempt was spent: kept in a header of ours, since the broker's own counts differ by version.
    pub attempt: u32,
    /// How often it was parked.
    pub hop: u32,
    /// Not before this moment; a delay is made of several steps when no single step is long enough.
    pub not_before: Option<Timestamp>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The user that the broker vouches for: the AMQP `user-id` property.
    pub user: Option<String>,
    /// When the queue took the job, if the queue knows.
    pub enqueued_at: Option<Timestamp>,
}

/// A job on its way into a queue.
#[derive(Clone)]
pub struct PublishJob {
    /// Which queue.
    pub target: Target,
    /// Which lane of it.
    pub lane: Lane,
    /// The body as the contract has it; never logged.
    pub body: Vec<u8>,
    /// What travels beside it.
    pub headers: JobHeaders,
}

/// What became of a published job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the queue, durably.
    Accepted,
    /// There is no such queue: the session or pool is unknown. Nothing was enqueued.
    NoSuchTarget,
}

/// A job that can't be processed, on its way to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why.
    pub reason: FailReason,
    /// Which field or what detail; never a value.
    pub detail: String,
}

impl DeadLetter {
    /// Of a job that was passed to a target whose queues are gone.
    pub fn target_gone() -> Self {
        Self { reason: FailReason::WrongTarget, detail: "the target is gone".to_owned() }
    }
}

/// Whether a settlement reached the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It did.
    Yes,
    /// The channel or claim behind the delivery is gone: the job will be delivered again.
    Stale,
}

/// The way to settle one delivery. Dropping it unsettled leaves the job with the queue: it is delivered again once
/// the stream it came from has ended.
#[async_trait]
pub trait Settle: Send + Sync {
    /// The job is done with.
    async fn ack(self: Box<Self>) -> Result<Settled, PortError>;

    /// The job comes back to the same queue after about `delay` (never earlier), with these headers.
    async fn park(self: Box<Self>, delay: Duration, headers: JobHeaders) -> Result<Settled, PortError>;

    /// The job goes to the queue of the same lane of another target after about `delay` (never earlier), with these
    /// headers. Where that has none, it goes to the dead letters. [`Settled::Stale`]: a copy may be there all the same.
    async fn pass(self: Box<Self>, to: &Target, delay: Duration, headers: JobHeaders) -> Result<Settled, PortError>;

    /// The job goes to the dead letters.
    async fn dead(self: Box<Self>, letter: DeadLetter) -> Result<Settled, PortError>;

    /// The job goes back to its queue at once, unchanged, for the next owner.
    async fn release(self: Box<Self>) -> Result<Settled, PortError>;
}

/// A job handed out by a queue.
pub struct Delivery {
    /// The queue it stood in.
    pub target: Target,
    /// Its lane.
    pub lane: Lane,
    /// The body as it came; not decoded, so that a malformed one can be dead-lettered as it is.
    pub body: Vec<u8>,
    /// What came beside it.
    pub headers: JobHeaders,
    /// The way to settle it.
    pub settle: Box<dyn Settle>,
}

/// The jobs of one session's lane, in order of arrival.
#[async_trait]
pub trait JobStream: Send {
    /// The next job. Waits for one; `Ok(None)` once the stream was closed; an error when the connection behind it is
    /// lost: subscribe again. Cancel-safe: a call that is dropped loses no job.
    async fn next(&mut self) -> Result<Option<Delivery>, PortError>;

    /// Takes no more jobs. Those handed out may still be settled; those that were not handed out go back.
    async fn close(&mut self) -> Result<(), PortError>;

    /// Takes no more jobs, of a reader that can't do any more with those that it has: what was handed out and is not settled may
    /// go back at once, as when a connection is lost, and settling it is then in vain ([`Settled::Stale`]). Where nobody gains
    /// by that it is [`JobStream::close`].
    async fn cut(&mut self) -> Result<(), PortError> {
        self.close().await
    }
}

/// The queues.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Makes sure that a session's queues exist. Called at its registration and at every start of a worker; doing it
    /// again changes nothing.
    async fn declare(&self, session: &SessionId) -> Result<(), PortError>;

    /// Removes a session's queues and what stands in them.
    async fn remove(&self, session: &SessionId) -> Result<(), PortError>;

    /// Puts jobs into their queues and waits until each is durable or refused; the answers are in the order of the
    /// jobs.
    async fn publish(&self, jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, PortError>;

    /// Takes jobs of one lane, at most `window` unsettled at a time. A session's queue has one active consumer: a
    /// second subscription gets nothing until the first has ended.
    async fn subscribe(&self, session: &SessionId, lane: Lane, window: u16) -> Result<Box<dyn JobStream>, PortError>;

    /// How many jobs wait in a lane, about.
    async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError>;
}
