//! The port of the job queues.

use async_trait::async_trait;
use kurir_core::domain::{Lane, SessionId};
use kurir_core::port::{Enqueued, JobQueue, JobStream, PortError, PublishJob};
use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use tokio::time::{Instant, timeout_at};

use super::consume::RabbitStream;
use super::headers::{self, Vouched};
use super::publish::{Outgoing, Placed};
use super::{RabbitError, RabbitMq, Shared, topology};

#[async_trait]
impl JobQueue for RabbitMq {
    async fn declare(&self, session: &SessionId) -> Result<(), PortError> {
        let kind = self.shared.options.queue_kind;
        let declare = async |channel: Channel| topology::declare_session(&channel, session, kind).await;
        let declared = self.shared.ask(declare).await.inspect_err(|error| {
            // An exchange is missing. The publishing connection brings it back: no stream ends with that one.
            if error.lacks_topology() {
                self.shared.publishing.suspect();
            }
        });
        declared.map_err(|error| error.during("declaring a session's queues"))
    }

    async fn remove(&self, session: &SessionId) -> Result<(), PortError> {
        let remove = async |channel: Channel| {
            for lane in Lane::ALL {
                let queue = topology::lane_queue(session, lane);
                channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
            }
            Ok(())
        };
        self.shared.ask(remove).await.map_err(|error| error.during("removing a session's queues"))
    }

    async fn publish(&self, jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, PortError> {
        let vouched = Vouched(&self.shared.user);
        let messages = jobs.iter().map(|job| Outgoing {
            exchange: topology::JOBS,
            key: job.target.routing_key(job.lane),
            properties: headers::of_job(&job.headers, vouched),
            body: &job.body,
            mandatory: true,
        });
        let placed = self.shared.publisher.publish(messages.collect()).await;
        let placed = placed.map_err(|error| error.during("publishing jobs"))?;
        let enqueued = placed.into_iter().map(|placed| match placed {
            Placed::Stored => Enqueued::Accepted,
            Placed::Returned => Enqueued::NoSuchTarget,
        });
        Ok(enqueued.collect())
    }

    async fn subscribe(&self, session: &SessionId, lane: Lane, window: u16) -> Result<Box<dyn JobStream>, PortError> {
        let stream = RabbitStream::open(self.shared.clone(), session, lane, window).await;
        Ok(Box::new(stream.map_err(|error| error.during("subscribing to a session's jobs"))?))
    }

    async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError> {
        let count = async |channel: Channel| {
            let queue = topology::lane_queue(session, lane);
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let state = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
            Ok(u64::from(state.message_count()))
        };
        self.shared.ask(count).await.map_err(|error| error.during("counting a session's jobs"))
    }
}

impl Shared {
    /// Asks the broker something on a channel of its own, within the time limit.
    async fn ask<T>(&self, question: impl AsyncFnOnce(Channel) -> lapin::Result<T>) -> Result<T, RabbitError> {
        let limit = self.options.publish_timeout;
        let deadline = Instant::now() + limit;
        let taken = self.control.take(limit).await?;
        let answer = timeout_at(deadline, question(taken.channel().clone())).await;
        let answer = answer.map_err(|_| self.control.link().timed_out(limit))??;
        taken.put_back();
        Ok(answer)
    }
}
