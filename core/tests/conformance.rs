//! The in-process implementations keep what the ports promise.

use std::sync::Arc;

use async_trait::async_trait;
use kurir_core::contract::{
    self, CallPorts, DeadLetterProbe, DeadPorts, EventPorts, FeedPorts, Queues, Stores, WebPlaces,
};
use kurir_core::memory::{
    MemoryCalls, MemoryEvents, MemoryFeed, MemoryJobQueue, MemoryLeases, MemoryMembership, MemoryRecipientLimits,
    MemoryStores, MemoryVigil, MemoryWeb, MemoryWishes, SystemClock, WebReply,
};
use kurir_core::port::{DeadLetter, LeaseStore, MediaStore, Membership, RecipientLimits, Vigil, WebError, Wishes};

#[tokio::test(flavor = "multi_thread")]
async fn stores() {
    contract::stores(async || {
        let store = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
        Stores {
            sessions: store.clone(),
            state: store.clone(),
            ledger: store.clone(),
            outbox: store.clone(),
            keys: store.clone(),
            index: store.clone(),
            requests: store.clone(),
            verifications: store.clone(),
            log: store.clone(),
            webhooks: store.clone(),
            templates: store.clone(),
            suppressions: store.clone(),
            users: store.clone(),
            alerts: store.clone(),
            media: store,
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_store() {
    contract::media_store(async || {
        let store: Arc<dyn MediaStore> = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
        store
    })
    .await;
}

struct Dead(MemoryJobQueue);

#[async_trait]
impl DeadLetterProbe for Dead {
    async fn read(&self) -> Vec<(Vec<u8>, DeadLetter)> {
        self.0.dead_letters()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn job_queue() {
    contract::job_queue(async || {
        let queue = MemoryJobQueue::new(Arc::new(SystemClock));
        Queues { jobs: Arc::new(queue.clone()), pools: Arc::new(queue.clone()), dead: Some(Arc::new(Dead(queue))) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters() {
    contract::dead_letters(async || {
        let queue = Arc::new(MemoryJobQueue::new(Arc::new(SystemClock)));
        DeadPorts { dead: queue.clone(), jobs: queue }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events() {
    contract::events(async || {
        let events = Arc::new(MemoryEvents::new(1024));
        EventPorts { sink: events.clone(), source: events }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn event_feed() {
    contract::event_feed(async || {
        let feed = Arc::new(MemoryFeed::default());
        FeedPorts { sink: feed.clone(), feed }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_store() {
    contract::lease_store(async || {
        let leases: Arc<dyn LeaseStore> = Arc::new(MemoryLeases::new(Arc::new(SystemClock)));
        leases
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn membership() {
    contract::membership(async || {
        let members: Arc<dyn Membership> = Arc::new(MemoryMembership::new(Arc::new(SystemClock)));
        members
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recipient_limits() {
    contract::recipient_limits(async || {
        let limits: Arc<dyn RecipientLimits> = Arc::new(MemoryRecipientLimits::new());
        limits
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vigil() {
    contract::vigil(async || {
        let vigil: Arc<dyn Vigil> = Arc::new(MemoryVigil::default());
        vigil
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes() {
    contract::wishes(async || {
        let wishes: Arc<dyn Wishes> = Arc::new(MemoryWishes::default());
        wishes
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls() {
    contract::calls(async || {
        let calls = Arc::new(MemoryCalls::default());
        CallPorts { caller: calls.clone(), owner: calls }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn web() {
    contract::web(async || {
        let web = MemoryWeb::default();
        let places = ["greets", "busy", "redirects", "talks", "forbidden", "deserted"]
            .map(|name| format!("http://{name}.test/"));
        let [greets, busy, redirects, talks, forbidden, deserted] = places;
        let text = |body| WebReply { content_type: Some("text/plain".to_owned()), body, ..WebReply::of(200) };
        web.put(&greets, Ok(text(vec!["hel".into(), "lo".into()])));
        web.put(&busy, Ok(WebReply { retry_after: Some(7), ..WebReply::of(429) }));
        web.put(&redirects, Ok(WebReply::of(302)));
        web.put(&talks, Ok(text(vec!["x".repeat(900).into(), "x".repeat(900).into()])));
        web.put(&forbidden, Err(WebError::Forbidden(None)));
        WebPlaces { web: Arc::new(web), greets, busy, redirects, talks, forbidden, deserted }
    })
    .await;
}
