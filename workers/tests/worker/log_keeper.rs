//! Events on their way from their queue into the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{EventId, EventKind, LogFilter, LogPosition, LoggedEvent, OutboxEvent, TenantId, Timestamp};
use kurir_core::memory::{MemoryFeed, MemoryStores, SeededEntropy, SystemClock};
use kurir_core::port::{EventLog, EventSink as _, LogPage, LogSpan, PortError};
use kurir_workers::{LogKeeper, LogKeeperPorts};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(15);

/// A log that does not answer at first.
struct Shaky {
    log: MemoryStores,
    failures: AtomicU32,
}

#[async_trait]
impl EventLog for Shaky {
    async fn append(&self, events: &[OutboxEvent]) -> Result<(), PortError> {
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(PortError::Closed("the log"));
        }
        self.log.append(events).await
    }

    async fn read(&self, after: LogPosition, filter: &LogFilter, limit: u32) -> Result<LogPage, PortError> {
        self.log.read(after, filter, limit).await
    }

    async fn at(&self, positions: &[LogPosition]) -> Result<Vec<Option<LoggedEvent>>, PortError> {
        self.log.at(positions).await
    }

    async fn before(&self, moment: Timestamp) -> Result<LogPosition, PortError> {
        self.log.before(moment).await
    }

    async fn span(&self) -> Result<Option<LogSpan>, PortError> {
        self.log.span().await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        EventLog::forget(&self.log, before, limit).await
    }
}

fn event(n: u128) -> OutboxEvent {
    OutboxEvent {
        id: EventId(Uuid::from_u128(n)),
        tenant: TenantId::new("acme").unwrap(),
        session: None,
        kind: EventKind::MessageSent,
        at: Timestamp::from_millis(0),
        body: n.to_string().into_bytes(),
    }
}

#[tokio::test]
async fn every_event_is_carried_though_the_log_does_not_answer_at_first() {
    let feed = Arc::new(MemoryFeed::default());
    let log = Arc::new(Shaky { log: MemoryStores::new(Arc::new(SystemClock)), failures: AtomicU32::new(2) });
    let ports = LogKeeperPorts { feed: feed.clone(), log: log.clone(), entropy: Arc::new(SeededEntropy::new(1)) };
    let keepers = [LogKeeper::start(ports.clone()), LogKeeper::start(ports)];
    let events: Vec<_> = (0..50).map(event).collect();
    for event in &events {
        feed.publish(std::slice::from_ref(event)).await.unwrap();
    }
    let all = async {
        loop {
            let page = log.read(LogPosition::default(), &LogFilter::default(), 100).await.unwrap();
            if page.events.len() == events.len() {
                return page.events;
            }
            tokio::task::yield_now().await;
        }
    };
    let mut logged = tokio::time::timeout(SOON, all).await.expect("all of them come into the log");
    logged.sort_by_key(|entry| entry.event.id);
    assert_eq!(logged.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), events);
    let mut carried = 0;
    for keeper in keepers {
        carried += keeper.stop(SOON).await.expect("it stops in time");
    }
    assert!(carried >= 50, "{carried}");
    assert_eq!(feed.waiting(), 0);
}
