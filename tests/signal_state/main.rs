//! The state of a WhatsApp client in kurir's state store, against the client's own in-memory backend.

mod calls;
mod databases;
mod store;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kurir::adapters::whatsapp::{SessionFenced, StateBackend};
use kurir_core::domain::{Fence, SessionId, TenantId, Timestamp, WorkerName};
use kurir_core::memory::{ManualClock, MemoryStores};
use kurir_core::port::{Clock, NewSession, SessionStore as _, StateStore};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use whatsapp_rust::wacore::store::error::StoreError;
use whatsapp_rust::wacore::store::traits::{Backend, ProtocolStore as _, SignalStore as _};
use whatsapp_rust::wacore::store::{Device, InMemoryBackend};

use calls::{Call, Method};
use store::MapStore;

/// The in-memory backend reads the machine's clock, so this one does too.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        Timestamp::from_millis(i64::try_from(since.as_millis()).expect("fits"))
    }

    fn boot(&self) -> Duration {
        Duration::ZERO
    }
}

fn session() -> SessionId {
    SessionId::new("s1").expect("a name")
}

fn backend(store: &Arc<MapStore>, fence: &Fence) -> StateBackend {
    StateBackend::new(Arc::clone(store) as Arc<dyn StateStore>, fence.clone(), Arc::new(SystemClock))
}

/// Makes the calls on both and compares each answer; then a second owner of the same store must answer every reading
/// call as the in-memory backend does.
async fn same_answers(store: Arc<dyn StateStore>, fence: Fence, calls: &[Call]) -> Result<(), TestCaseError> {
    let reference = InMemoryBackend::new();
    let ours = StateBackend::new(Arc::clone(&store), fence.clone(), Arc::new(SystemClock));
    let device = Device::new();
    let now = SystemClock.now().as_millis() / 1000;
    for (at, call) in calls.iter().enumerate() {
        let expected = calls::make(&reference, *call, now, &device).await;
        let given = calls::make(&ours, *call, now, &device).await;
        prop_assert_eq!(given, expected, "call {}: {:?}", at, call);
    }
    let next = StateBackend::new(store, fence, Arc::new(SystemClock));
    for method in Method::ALL.iter().copied().filter(|method| reads(*method)) {
        for (a, b) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
            let call = Call { method, a, b, v: 3 };
            let expected = calls::make(&reference, call, now, &device).await;
            prop_assert_eq!(calls::make(&next, call, now, &device).await, expected, "afterwards: {:?}", call);
        }
    }
    Ok(())
}

/// The in-process store that kurir ships, with one session claimed.
async fn memory_stores() -> (Arc<dyn StateStore>, Fence) {
    let stores = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
    let tenant = TenantId::new("t1").expect("a name");
    let new = NewSession::new(session(), tenant, Timestamp::from_millis(0));
    stores.create(new).await.expect("the session");
    let worker = WorkerName::new("w1").expect("a name");
    let record = stores.claim(&session(), &worker).await.expect("the store").expect("the session");
    (stores, Fence { session: record.id, epoch: record.epoch })
}

fn reads(method: Method) -> bool {
    let name = format!("{method:?}");
    ["Get", "Load", "Has", "All", "Max", "Same", "Latest", "TokenJids", "SenderKeyDevices", "DeviceExists"]
        .iter()
        .any(|start| name.starts_with(start))
}

#[test]
fn the_same_calls_give_the_same_answers_as_the_clients_own_backend() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let sequences = prop::collection::vec(calls::call(), 1..120);
    let outcome = runner.run(&sequences, |calls| {
        let store = Arc::new(MapStore::default());
        let fence = store.claim(&session());
        runtime.block_on(same_answers(store, fence, &calls))?;
        let (store, fence) = runtime.block_on(memory_stores());
        runtime.block_on(same_answers(store, fence, &calls))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[tokio::test]
async fn a_saved_device_comes_back_whole() {
    let store = Arc::new(MapStore::default());
    let backend = backend(&store, &store.claim(&session()));
    let device = Device::new();
    let on: &dyn Backend = &backend;
    on.save(&device).await.unwrap();
    let found = on.load().await.unwrap().expect("the device");
    assert_eq!(serde_json::to_value(&found).unwrap(), serde_json::to_value(&device).unwrap());
}

#[tokio::test]
async fn a_former_owner_writes_nothing_and_is_told() {
    let store = Arc::new(MapStore::default());
    let first = backend(&store, &store.claim(&session()));
    first.put_session("1@lid", b"old").await.unwrap();
    let second = backend(&store, &store.claim(&session()));
    assert!(!first.fenced().is_cancelled());

    let error = first.put_session("1@lid", b"late").await.expect_err("the epoch is over");
    let StoreError::Database(source) = error else { panic!("{error:?}") };
    assert!(source.downcast_ref::<SessionFenced>().is_some(), "{source:?}");
    assert!(first.fenced().is_cancelled());
    assert_eq!(first.failed_writes(), 1);
    assert_eq!(second.get_session("1@lid").await.unwrap().as_deref(), Some(&b"old"[..]));
    second.put_session("1@lid", b"new").await.unwrap();
    assert!(!second.fenced().is_cancelled());
}

#[tokio::test]
async fn nothing_comes_back_after_a_wipe() {
    let store = Arc::new(MapStore::default());
    let fence = store.claim(&session());
    let backend = backend(&store, &fence);
    backend.put_session("1@lid", b"x").await.unwrap();
    backend.wipe().await.unwrap();
    let error = backend.put_session("1@lid", b"y").await.expect_err("it is gone");
    assert!(error.source().is_some_and(|source| source.to_string().contains("removed")), "{error:?}");
    assert_eq!(store.len(), 0);
    assert!(!backend.fenced().is_cancelled(), "the session still has this owner");
}

#[tokio::test]
async fn a_batch_is_one_write() {
    let store = Arc::new(MapStore::default());
    let backend = backend(&store, &store.claim(&session()));
    let sessions: Vec<(Arc<str>, Bytes)> =
        (0..50).map(|n| (Arc::from(format!("{n}@lid")), Bytes::from_static(b"x"))).collect();
    backend.put_sessions_batch(&sessions).await.unwrap();
    assert_eq!((store.applies(), store.len()), (1, 50));
    backend.put_sessions_batch(&[]).await.unwrap();
    assert_eq!(store.applies(), 1, "an empty batch is no write");
}

#[tokio::test]
async fn of_many_takers_one_gets_a_sent_message() {
    let store = Arc::new(MapStore::default());
    let backend = Arc::new(backend(&store, &store.claim(&session())));
    backend.store_sent_message("c", "m", b"payload").await.unwrap();
    let mut takers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let backend = Arc::clone(&backend);
        takers.spawn(async move { backend.take_sent_message("c", "m").await.unwrap() });
    }
    let taken: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken, [b"payload".to_vec()]);
}

#[tokio::test]
async fn both_writers_of_a_token_keep_what_is_theirs() {
    let store = Arc::new(MapStore::default());
    let backend = backend(&store, &store.claim(&session()));
    let (touched, received) = tokio::join!(
        backend.touch_tc_token_sender_timestamp("1@lid", 50),
        backend.store_received_tc_token("1@lid", b"token", 40),
    );
    touched.unwrap();
    received.unwrap();
    let entry = backend.get_tc_token("1@lid").await.unwrap().expect("the entry");
    assert_eq!((entry.token, entry.token_timestamp, entry.sender_timestamp), (b"token".to_vec(), 40, Some(50)));
}

/// An OTP that a phone could not read must not be sent again when its time is over, by a later owner either.
#[tokio::test]
async fn a_message_is_given_out_again_until_its_time_is_over() {
    let store = Arc::new(MapStore::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1000)));
    let fence = store.claim(&session());
    let open = || StateBackend::new(store.clone() as Arc<dyn StateStore>, fence.clone(), clock.clone());
    let (backend, next) = (open(), open());
    backend.limit_repetition("M", Timestamp::from_millis(3000));
    backend.store_sent_message("chat", "M", b"code").await.unwrap();
    backend.store_sent_message("chat", "N", b"other").await.unwrap();
    // As the library does: taken, and put back for the other devices.
    clock.advance(Duration::from_millis(1999));
    assert_eq!(next.take_sent_message("chat", "M").await.unwrap().as_deref(), Some(&b"code"[..]));
    next.store_sent_message("chat", "M", b"code").await.unwrap();
    clock.advance(Duration::from_millis(1));
    for backend in [next, open()] {
        assert_eq!(backend.take_sent_message("chat", "M").await.unwrap(), None);
    }
    assert_eq!(backend.take_sent_message("chat", "N").await.unwrap().as_deref(), Some(&b"other"[..]));
}
