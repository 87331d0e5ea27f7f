//! The port of the job queues.

use async_trait::async_trait;
use kurir_core::domain::{Lane, PoolId, SessionId, Target};
use kurir_core::port::{Enqueued, JobQueue, JobStream, PoolQueue, PortError, PublishJob, Share};
use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use tokio::time::{Instant, timeout_at};

use super::consume::RabbitStream;
use super::headers::{self, Vouched};
use super::publish::{Outgoing, Placed};
use super::{RabbitError, RabbitMq, Shared, topology};

impl RabbitMq {
    async fn declare_lanes(&self, target: Target) -> Result<(), RabbitError> {
        let kind = self.shared.options.queue_kind;
        let declare = async |channel: Channel| topology::declare_lanes(&channel, &target, kind).await;
        self.shared.ask(declare).await.inspect_err(|error| {
            // An exchange is missing. The publishing connection brings it back: no stream ends with that one.
            if error.lacks_topology() {
                self.shared.publishing.suspect();
            }
        })
    }

    async fn remove_lanes(&self, target: Target) -> Result<(), RabbitError> {
        let remove = async |channel: Channel| {
            for lane in Lane::ALL {
                let queue = topology::lane_queue(&target, lane);
                channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
            }
            Ok(())
        };
        self.shared.ask(remove).await
    }

    async fn count(&self, target: Target, lane: Lane) -> Result<u64, RabbitError> {
        let count = async |channel: Channel| {
            let queue = topology::lane_queue(&target, lane);
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let state = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
            Ok(u64::from(state.message_count()))
        };
        self.shared.ask(count).await
    }
}

#[async_trait]
impl JobQueue for RabbitMq {
    async fn declare(&self, session: &SessionId) -> Result<(), PortError> {
        let declared = self.declare_lanes(session.into()).await;
        declared.map_err(|error| error.during("declaring a session's queues"))
    }

    async fn remove(&self, session: &SessionId) -> Result<(), PortError> {
        self.remove_lanes(session.into()).await.map_err(|error| error.during("removing a session's queues"))
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
        let stream = RabbitStream::open(self.shared.clone(), session.into(), lane, window, None).await;
        Ok(Box::new(stream.map_err(|error| error.during("subscribing to a session's jobs"))?))
    }

    async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError> {
        self.count(session.into(), lane).await.map_err(|error| error.during("counting a session's jobs"))
    }
}

#[async_trait]
impl PoolQueue for RabbitMq {
    async fn declare_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        self.declare_lanes(pool.into()).await.map_err(|error| error.during("declaring a pool's queues"))
    }

    async fn remove_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        self.remove_lanes(pool.into()).await.map_err(|error| error.during("removing a pool's queues"))
    }

    async fn subscribe_pool(&self, pool: &PoolId, lane: Lane, share: Share) -> Result<Box<dyn JobStream>, PortError> {
        let Share { window, priority } = share;
        let stream = RabbitStream::open(self.shared.clone(), pool.into(), lane, window, Some(priority)).await;
        Ok(Box::new(stream.map_err(|error| error.during("subscribing to a pool's jobs"))?))
    }

    async fn pool_depth(&self, pool: &PoolId, lane: Lane) -> Result<u64, PortError> {
        self.count(pool.into(), lane).await.map_err(|error| error.during("counting a pool's jobs"))
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
