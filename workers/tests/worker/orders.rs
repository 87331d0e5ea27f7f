//! What operators want of a session that stays: a new connection, a logout.

use kurir_core::domain::{SessionState, Wanted};
use kurir_core::port::{SessionDesk as _, SessionStore as _, StateBatch, StateKey, StatePut, StateStore as _, Written};

use crate::world::{World, in_time, next_event, options, session, until};

#[tokio::test]
async fn a_restart_makes_a_new_connection_with_the_same_credentials() {
    let (world, worker) = World::serving(options("w1")).await;
    let before = world.record().await;
    let at = StateKey::new("device", "");
    let put = StatePut { at: at.clone(), value: "credentials".into(), expires_at: None };
    let batch = StateBatch { puts: vec![put], deletes: vec![] };
    let written = world.stores.apply(vec![(world.fence().await, batch)]).await.unwrap();
    assert_eq!(written, [Written::Done]);
    world.messenger.connect_on_open(true);
    for turn in 1..=2 {
        assert!(world.stores.restart(&session()).await.unwrap());
        let record = until("another connection", async || {
            let record = world.record().await;
            (record.epoch.0 == before.epoch.0 + turn && record.status.state == SessionState::Connected)
                .then_some(record)
        })
        .await;
        assert_eq!((record.restarts, record.wanted), (turn, Wanted::Running));
    }
    assert_eq!(world.messenger.opened().len(), 3, "one connection for each restart, and no more");
    assert_eq!(world.messenger.replaced(), 0, "the old one was closed before");
    assert_eq!(world.messenger.logged_out(), []);
    assert!(world.ports.state.get(&session(), &[at]).await.unwrap()[0].is_some(), "the credentials are kept");
    worker.stop().await;
}

#[tokio::test]
async fn a_logout_tells_whatsapp_forgets_the_credentials_and_rests() {
    let (world, worker) = World::serving(options("w1")).await;
    let mut events = world.events().await;
    let at = StateKey::new("device", "");
    let put = StatePut { at: at.clone(), value: "credentials".into(), expires_at: None };
    let batch = StateBatch { puts: vec![put], deletes: vec![] };
    world.stores.apply(vec![(world.fence().await, batch)]).await.unwrap();
    world.messenger.connect_on_open(true);
    assert!(world.stores.want(&session(), Wanted::LoggedOut).await.unwrap());
    let event = next_event(&mut *events, "session.logged_out").await;
    assert_eq!(event.data["state"], "logged_out");
    until("rest", async || (world.record().await.wanted == Wanted::Stopped).then_some(())).await;
    let record = world.record().await;
    assert_eq!((record.status.state, record.status.account), (SessionState::LoggedOut, None));
    assert_eq!(world.messenger.logged_out(), [session()]);
    assert_eq!(world.ports.state.get(&session(), &[at]).await.unwrap(), [None]);
    in_time("end", world.messenger.until_open(&session(), false)).await;

    // Started again, it asks for a scan; the logout is not done twice.
    world.messenger.connect_on_open(false);
    world.stores.want(&session(), Wanted::Running).await.unwrap();
    world.link().await;
    assert_eq!(world.messenger.logged_out().len(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_session_without_a_link_is_logged_out_without_whatsapp() {
    let world = World::new();
    world.create().await;
    world.stores.want(&session(), Wanted::LoggedOut).await.unwrap();
    let worker = kurir_workers::Worker::start(options("w1"), world.ports.clone());
    let record = world.until_state(SessionState::LoggedOut).await;
    assert_eq!(record.status.account, None);
    until("rest", async || (world.record().await.wanted == Wanted::Stopped).then_some(())).await;
    assert!(world.messenger.opened().is_empty());
    worker.stop().await;
}
