//! The suites of the job queues, the event exchange and the calls, by users who have the rights that the manual asks for.

use std::sync::Arc;

use kurir::adapters::rabbitmq::{QueueKind, topology};
use kurir_core::contract::{CallPorts, EventPorts, FeedPorts, Queues, calls, event_feed, events, job_queue};
use lapin::options::QueuePurgeOptions;

use crate::rabbit_dead::DeadLetters;
use crate::servers::{rabbit_at, raw_channel, url_with_rights_of_the_manual};

async fn keeps_its_promises(kind: QueueKind) {
    let url = url_with_rights_of_the_manual().await;
    job_queue(async || {
        let jobs = Arc::new(rabbit_at(&url, kind).await);
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
    let url = url_with_rights_of_the_manual().await;
    events(async || {
        let rabbit = Arc::new(rabbit_at(&url, QueueKind::Classic).await);
        EventPorts { sink: rabbit.clone(), source: rabbit }
    })
    .await; // Every event is in the log's queue as well, whoever published it.
    event_feed(async || {
        let rabbit = Arc::new(rabbit_at(&url, QueueKind::Classic).await);
        let purged = raw_channel().await.queue_purge(topology::LOG_QUEUE.into(), QueuePurgeOptions::default()).await;
        purged.unwrap();
        FeedPorts { sink: rabbit.clone(), feed: rabbit }
    })
    .await;
}

/// One process asks, another one owns the sessions.
#[tokio::test(flavor = "multi_thread")]
async fn calls_keep_their_promises() {
    let url = url_with_rights_of_the_manual().await;
    calls(async || {
        let (caller, owner) = (rabbit_at(&url, QueueKind::Classic).await, rabbit_at(&url, QueueKind::Classic).await);
        CallPorts { caller: Arc::new(caller), owner: Arc::new(owner) }
    })
    .await;
}
