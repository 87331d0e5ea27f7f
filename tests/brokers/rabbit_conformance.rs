//! The suites of the job queues and of the event exchange.

use std::sync::Arc;

use kurir::adapters::rabbitmq::{QueueKind, topology};
use kurir_core::contract::{CallPorts, EventPorts, FeedPorts, Queues, calls, event_feed, events, job_queue};
use lapin::options::QueuePurgeOptions;

use crate::rabbit_dead::DeadLetters;
use crate::servers::{rabbit, raw_channel};

async fn keeps_its_promises(kind: QueueKind) {
    job_queue(async || {
        let jobs = Arc::new(rabbit(kind).await);
        Queues { pools: jobs.clone(), jobs, dead: Some(Arc::new(DeadLetters::watch().await)) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quorum_queues_keep_their_promises() {
    keeps_its_promises(QueueKind::Quorum).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_queues_keep_their_promises() {
    keeps_its_promises(QueueKind::Classic).await;
}

/// The only test of this target that publishes events: the suite wants to be alone on the exchange.
#[tokio::test(flavor = "multi_thread")]
async fn the_event_exchange_and_the_feed_of_the_log_keep_their_promises() {
    events(async || {
        let rabbit = Arc::new(rabbit(QueueKind::Classic).await);
        EventPorts { sink: rabbit.clone(), source: rabbit }
    })
    .await; // Every event is in the log's queue as well, whoever published it.
    event_feed(async || {
        let rabbit = Arc::new(rabbit(QueueKind::Classic).await);
        let purged = raw_channel().await.queue_purge(topology::LOG_QUEUE.into(), QueuePurgeOptions::default()).await;
        purged.unwrap();
        FeedPorts { sink: rabbit.clone(), feed: rabbit }
    })
    .await;
}

/// One process asks, another one owns the sessions.
#[tokio::test(flavor = "multi_thread")]
async fn calls_keep_their_promises() {
    calls(async || {
        let (caller, owner) = (rabbit(QueueKind::Classic).await, rabbit(QueueKind::Classic).await);
        CallPorts { caller: Arc::new(caller), owner: Arc::new(owner) }
    })
    .await;
}
