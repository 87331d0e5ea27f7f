//! Where a process of the test build dies on purpose. Read once at its start from the environment; in a build without
//! the simulator there is nothing to read and nothing to die of.

use std::sync::Arc;

use kurir_core::port::JobQueue;
use kurir_workers::Crash;

use crate::adapters::rabbitmq::RabbitOptions;

/// Names the point, like `intent-persisted` or `intent-persisted:2`.
#[cfg(feature = "simulator")]
const VARIABLE: &str = "KURIR_CRASH_AT";

/// The point that this process was given.
#[cfg_attr(not(feature = "simulator"), allow(clippy::unnecessary_wraps, reason = "one signature for both builds"))]
pub(super) fn of_process() -> anyhow::Result<Crash> {
    #[cfg(feature = "simulator")]
    if let Ok(point) = std::env::var(VARIABLE) {
        return point.parse().map_err(|error| anyhow::Error::new(error).context(VARIABLE));
    }
    Ok(Crash::default())
}

/// Puts the point between a parked copy and its original into the broker's adapter.
#[cfg_attr(not(feature = "simulator"), allow(unused_variables, unused_mut, reason = "there are no points"))]
pub(super) fn between_copies(mut options: RabbitOptions, crash: &Crash) -> RabbitOptions {
    #[cfg(feature = "simulator")]
    {
        let crash = crash.clone();
        options.copy_confirmed = Some(Arc::new(move || crash.pass(kurir_workers::CrashPoint::CopyConfirmed)));
    }
    options
}

/// Puts the points of a producer around the queues.
#[cfg_attr(not(feature = "simulator"), allow(unused_variables, reason = "there are no points"))]
pub(super) fn around(jobs: Arc<dyn JobQueue>, crash: &Crash) -> Arc<dyn JobQueue> {
    #[cfg(feature = "simulator")]
    if crash.is_armed() {
        return Arc::new(deadly::Queues { jobs, crash: crash.clone() });
    }
    jobs
}

#[cfg(feature = "simulator")]
mod deadly {
    use std::sync::Arc;

    use async_trait::async_trait;
    use kurir_core::domain::{Lane, SessionId};
    use kurir_core::port::{Enqueued, JobQueue, JobStream, PortError, PublishJob};
    use kurir_workers::{Crash, CrashPoint};

    /// Queues at which whoever publishes may die.
    pub(super) struct Queues {
        pub(super) jobs: Arc<dyn JobQueue>,
        pub(super) crash: Crash,
    }

    #[async_trait]
    impl JobQueue for Queues {
        async fn declare(&self, session: &SessionId) -> Result<(), PortError> {
            self.jobs.declare(session).await
        }

        async fn remove(&self, session: &SessionId) -> Result<(), PortError> {
            self.jobs.remove(session).await
        }

        async fn publish(&self, jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, PortError> {
            self.crash.pass(CrashPoint::EntryWritten);
            let enqueued = self.jobs.publish(jobs).await?;
            self.crash.pass(CrashPoint::JobPublished);
            Ok(enqueued)
        }

        async fn subscribe(
            &self,
            session: &SessionId,
            lane: Lane,
            window: u16,
        ) -> Result<Box<dyn JobStream>, PortError> {
            self.jobs.subscribe(session, lane, window).await
        }

        async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError> {
            self.jobs.depth(session, lane).await
        }
    }
}
