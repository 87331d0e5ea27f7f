//! A session's life in its owner's hands.

use std::time::Duration;

use bytes::Bytes;
use kurir_core::domain::{MessageState, PhoneNumber, SessionState, Wanted, WorkerName};
use kurir_core::memory::SystemClock;
use kurir_core::port::{
    Clock as _, Incoming, MessengerEvent, SessionStore as _, StateBatch, StateKey, StatePut, StateStore as _, Stored,
};
use kurir_workers::{Worker, WorkerOptions};

use crate::world::{World, in_time, job_events, next_event, options, otp, session, until};

async fn store_credentials(world: &World) {
    let at = StateKey::new("device", "x");
    let put = StatePut { at, value: Bytes::from_static(b"credentials"), expires_at: None };
    let batch = StateBatch { puts: vec![put], deletes: Vec::new() };
    world.stores.apply(vec![(world.fence().await, batch)]).await.unwrap();
}

async fn credentials(world: &World) -> bool {
    let keys = [StateKey::new("device", "x")];
    kurir_core::port::StateStore::get(&*world.stores, &session(), &keys).await.unwrap()[0].is_some()
}

#[tokio::test]
async fn each_code_is_an_event_and_can_be_asked_for() {
    let world = World::new();
    world.create().await;
    let mut events = world.events().await;
    let worker = Worker::start(options("w"), world.ports.clone());
    in_time("connection", world.messenger.until_open(&session(), true)).await;
    for code in ["2@first", "2@second"] {
        let valid_for = Duration::from_secs(20);
        world.emit(MessengerEvent::Qr { text: code.to_owned().into(), valid_for }).await;
        let event = next_event(&mut *events, "session.qr").await;
        assert_eq!(event.data["qr"]["text"], code);
        assert!(event.data["qr"]["png"].as_str().unwrap().starts_with("data:image/png;base64,"));
        assert!(event.data["qr"]["terminal"].as_str().unwrap().contains('█'));
        let record = world.until_state(SessionState::AwaitingScan).await;
        assert_eq!(record.status.qr.unwrap().text.expose(), code);
    }
    // Nobody came: the session rests until somebody wants it again.
    world.emit(MessengerEvent::QrExhausted).await;
    world.until_state(SessionState::ScanTimedOut).await;
    until("rest", async || (world.record().await.wanted == Wanted::Stopped).then_some(())).await;
    in_time("end", world.messenger.until_open(&session(), false)).await;
    assert!(world.stores.want(&session(), Wanted::Running).await.unwrap());
    in_time("next round", world.messenger.until_open(&session(), true)).await;
    worker.stop().await;
}

#[tokio::test]
async fn logged_out_on_the_phone_removes_the_credentials_and_says_so() {
    let (world, worker) = World::serving(options("w")).await;
    store_credentials(&world).await;
    let mut events = world.events().await;
    world.emit(MessengerEvent::LoggedOut).await;
    let event = next_event(&mut *events, "session.logged_out").await;
    assert_eq!(event.data["reason"], "sender_logged_out");
    until("rest", async || (world.record().await.wanted == Wanted::Stopped).then_some(())).await;
    let record = world.record().await;
    assert_eq!((record.status.state, record.status.account), (SessionState::LoggedOut, None));
    assert!(!credentials(&world).await);
    worker.stop().await;
}

#[tokio::test]
async fn a_cut_is_told_and_jobs_wait_for_the_connection() {
    let (world, worker) = World::serving(options("w")).await;
    world.emit(MessengerEvent::Disconnected).await;
    world.until_state(SessionState::Disconnected).await;
    let job = otp(1);
    world.publish(&job).await;
    world.until_entry(&job, "delayed job", |entry| entry.state == MessageState::Delayed).await;
    assert!(world.messenger.sent().is_empty());
    world.emit(MessengerEvent::Connected).await;
    world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    worker.stop().await;
}

#[tokio::test]
async fn replaced_means_lost_and_the_worker_does_not_come_back_at_once() {
    let (world, worker) = World::serving(options("w")).await;
    let epoch = world.record().await.epoch;
    world.emit(MessengerEvent::Replaced).await;
    in_time("end", world.messenger.until_open(&session(), false)).await;
    until("release", async || (!world.ports.leases.held(&[session()]).await.unwrap()[0]).then_some(())).await;
    // Several scans later it is still nobody's.
    let beats = world.ports.members.clone();
    until("scans", async || (!beats.members().await.unwrap().is_empty()).then_some(())).await;
    assert_eq!(world.record().await.epoch, epoch);
    assert_eq!(world.messenger.replaced(), 0);
    worker.stop().await;
}

#[tokio::test]
async fn replaced_by_one_of_the_fleet_it_does_not_rest() {
    // A rest is longer than anything is waited for here.
    let options = WorkerOptions { lease_ttl: Duration::from_mins(5), ..options("w") };
    let (world, worker) = World::serving(options).await;
    let other = WorkerName::new("other").unwrap();
    let taken = world.stores.claim(&session(), &other).await.unwrap().unwrap();
    world.emit(MessengerEvent::Replaced).await;
    // The other one is gone as soon as it came.
    until("its next owner", async || (world.record().await.epoch > taken.epoch).then_some(())).await;
    in_time("connection", world.messenger.until_open(&session(), true)).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_stopped_worker_hands_over_and_finishes_what_is_on_the_wire() {
    let (world, first) = World::serving(options("w1")).await;
    let (answer, held) = tokio::sync::oneshot::channel();
    let mut held = Some(held);
    world.messenger.script(move |_| match held.take() {
        Some(held) => kurir_core::memory::Reply::Held(held),
        None => kurir_core::memory::Reply::Answer(kurir_core::domain::SendAnswer::Accepted),
    });
    let job = otp(1);
    world.publish(&job).await;
    in_time("send", world.messenger.sent_at_least(1)).await;
    let mut settings = options("w2");
    settings.stop_deadline = Duration::from_secs(1);
    let second = Worker::start(settings, world.ports.clone());
    let stopping = tokio::spawn(first.stop());
    answer.send(kurir_core::domain::SendAnswer::Accepted).unwrap();
    let report = in_time("stop", stopping).await.unwrap();
    assert_eq!(report.abandoned, 0);
    assert_eq!(world.entry(&job).await.unwrap().state, MessageState::Sent);
    in_time("take-over", world.messenger.until_open(&session(), true)).await;
    world.emit(MessengerEvent::Connected).await;
    let mut events = world.events().await;
    let next = otp(2);
    world.publish(&next).await;
    assert_eq!(job_events(&mut *events, &next, 1).await[0].0, "message.sent");
    let sent = world.messenger.sent();
    assert!(sent[1].fence.epoch > sent[0].fence.epoch);
    assert_eq!(world.messenger.replaced(), 0, "two owners at a time");
    second.stop().await;
}

#[tokio::test]
async fn an_incoming_message_is_stored_before_whatsapp_hears_of_it() {
    let (world, worker) = World::serving(options("w")).await;
    let mut events = world.events().await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let stored = Stored::new(|durable| tell.send(durable).unwrap());
    let id = kurir_core::domain::MessageId::from_wire("3A77");
    let message = Incoming::text(id, PhoneNumber::parse("6281234567890", None).unwrap(), "Halo", SystemClock.now());
    world.emit(MessengerEvent::Incoming { messages: vec![message], stored }).await;
    assert!(in_time("confirmation", told).await.unwrap());
    let event = next_event(&mut *events, "message.received").await;
    assert_eq!((event.data["from"].as_str(), event.data["text"].as_str()), (Some("6281234567890"), Some("Halo")));
    worker.stop().await;
}

#[tokio::test]
async fn a_deleted_session_is_logged_out_and_gone() {
    let (world, worker) = World::serving(options("w")).await;
    store_credentials(&world).await;
    world.stores.want(&session(), Wanted::Deleted).await.unwrap();
    in_time("end of serving", world.messenger.until_open(&session(), false)).await;
    in_time("opening for the logout", world.messenger.until_open(&session(), true)).await;
    world.emit(MessengerEvent::Connected).await;
    until("deletion", async || world.ports.sessions.get(&session()).await.unwrap().is_none().then_some(())).await;
    assert_eq!(world.messenger.logged_out(), [session()]);
    assert!(!credentials(&world).await);
    worker.stop().await;
}

#[tokio::test]
async fn a_write_under_an_old_epoch_is_refused_and_counted() {
    let (world, worker) = World::serving(options("w")).await;
    // Somebody takes the session while its owner believes that it holds it: it wakes after a long sleep, say.
    world.stores.claim(&session(), &WorkerName::new("other").unwrap()).await.unwrap().unwrap();
    world.emit(MessengerEvent::Disconnected).await;
    until("refusal", async || (world.ports.refused.count() > 0).then_some(())).await;
    let record = world.record().await;
    assert_eq!(record.status.state, SessionState::Connected, "the late write changed nothing");
    assert_eq!(worker.stop().await.refused, world.ports.refused.count());
}
