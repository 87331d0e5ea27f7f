//! Logins that are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kurir_sim::{Clock, Effect, Fault, FaultRule, JournalEvent, SimHandle, SystemClock};
use whatsapp_rust::types::events::Event;

use crate::client::{PATIENCE, TestClient, simulator};

/// Puts failures in the way of the next logins and cuts the connection, so that they come.
async fn refuse(sim: &SimHandle, code: u16, times: u32) {
    let effect = Effect::LoginFailure { code, expire_secs: Some(60) };
    let rule = FaultRule { times: Some(times), ..FaultRule::new(effect) };
    sim.fault(Fault::Rule(rule)).await.expect("a good fault");
    sim.drop_connection("15551230001", 1).await.expect("it is connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_session_is_told_and_the_client_stays_away() {
    for (code, name) in [(401, "logged out"), (403, "logged out"), (402, "banned"), (405, "outdated")] {
        let sim = simulator(|_| ()).await;
        let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
        refuse(&sim, code, 1).await;
        let seen = client
            .wait(name, |event| match event {
                Event::LoggedOut(logout) if logout.on_connect => Some("logged out"),
                Event::TemporaryBan(ban) if ban.expire.num_seconds() == 60 => Some("banned"),
                Event::ClientOutdated(_) => Some("outdated"),
                _ => None,
            })
            .await;
        assert_eq!(seen, name, "{code}");
        let refused = sim
            .journal(0, 1000)
            .iter()
            .any(|entry| matches!(entry.event, JournalEvent::LoginRefused { code: refused, .. } if refused == code));
        assert!(refused, "{code}");
        // The device is still linked: a new client object with its credentials comes in.
        let store = client.stop().await;
        let mut client = TestClient::start(&sim, store).await;
        client.connected().await;
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_tried_again_until_it_works() {
    for code in [503, 500] {
        let sim = simulator(|_| ()).await;
        let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
        refuse(&sim, code, 2).await;
        for _ in 0..2 {
            client.wait("connect failure", |event| matches!(event, Event::ConnectFailure(_)).then_some(())).await;
        }
        client.connected().await;
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
}

/// The computer's clock, which can be set forward.
#[derive(Debug, Default)]
struct Ahead(AtomicU64);

impl Clock for Ahead {
    fn now_millis(&self) -> u64 {
        SystemClock.now_millis() + self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_lifts_itself_when_its_time_is_over() {
    let clock = Arc::new(Ahead::default());
    let sim = simulator(|config| config.clock = clock.clone()).await;
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    sim.fault(Fault::Ban { account: device.account, expire_secs: Some(3600) }).await.expect("a good fault");
    client.wait("ban", |event| matches!(event, Event::TemporaryBan(_)).then_some(())).await;
    let store = client.stop().await;
    clock.0.store(1_800_000, Ordering::Relaxed);
    let mut client = TestClient::start(&sim, store).await;
    let left = client
        .wait("ban", |event| match event {
            Event::TemporaryBan(ban) => Some(ban.expire.num_seconds()),
            _ => None,
        })
        .await;
    assert!((1700..=1800).contains(&left), "{left}");
    assert!(sim.accounts()[0].banned);
    let store = client.stop().await;
    clock.0.store(3_600_000, Ordering::Relaxed);
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    assert!(!sim.accounts()[0].banned);
    client.stop().await;
    sim.stop(PATIENCE).await;
}
