//! The conformance suites.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kurir::adapters::sqlite::{SqliteQueue, SqliteStore};
use kurir_core::contract::{
    DeadLetterProbe, DeadPorts, EventPorts, Queues, Stores, VaultPorts, dead_letters, events, job_queue, media_store,
    session_vault, stores,
};
use kurir_core::domain::FailReason;
use kurir_core::port::{DeadFilter, DeadJob, DeadLetter, DeadLetters as _, MediaStore};

use crate::Place;

/// Opens databases and keeps their folders until the end.
#[derive(Default)]
struct Places(Mutex<Vec<Place>>);

impl Places {
    async fn open(&self) -> SqliteStore {
        let place = Place::new();
        let store = place.open().await;
        self.0.lock().unwrap().push(place);
        store
    }
}

struct Probe(SqliteQueue);

#[async_trait]
impl DeadLetterProbe for Probe {
    async fn read(&self) -> Vec<(Vec<u8>, DeadLetter)> {
        let letters = self.0.list(&DeadFilter::default(), None, 1000).await.unwrap();
        let letter = |dead: DeadJob| {
            let reason = FailReason::parse(&dead.reason).expect("a reason of ours");
            (dead.body, DeadLetter { reason, detail: dead.detail })
        };
        letters.into_iter().map(letter).collect()
    }
}

/// All ports of a store.
fn ports(store: &Arc<SqliteStore>) -> Stores {
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
        media: store.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_its_promises() {
    let places = Places::default();
    stores(async || ports(&Arc::new(places.open().await))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vault_keeps_its_promises() {
    let places = Places::default();
    session_vault(async || {
        let store = Arc::new(places.open().await);
        VaultPorts { vault: store.clone(), stores: ports(&store) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_of_files_keeps_its_promises() {
    let places = Places::default();
    media_store(async || {
        let store: Arc<dyn MediaStore> = Arc::new(places.open().await);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queues_keep_their_promises() {
    let places = Places::default();
    job_queue(async || {
        let queue = places.open().await.queue();
        Queues { jobs: Arc::new(queue.clone()), pools: Arc::new(queue.clone()), dead: Some(Arc::new(Probe(queue))) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_letters_keep_their_promises() {
    let places = Places::default();
    dead_letters(async || {
        let queue = Arc::new(places.open().await.queue());
        DeadPorts { dead: queue.clone(), jobs: queue }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_keep_their_promises() {
    let places = Places::default();
    events(async || {
        let events = Arc::new(places.open().await.events());
        EventPorts { sink: events.clone(), source: events }
    })
    .await;
}
