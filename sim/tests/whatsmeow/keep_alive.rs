//! Connections from which nothing comes.

use std::time::Duration;

use kurir_sim::{JournalEvent, SimHandle};

use crate::client::{PATIENCE, TestClient, simulator};
use crate::program::{Folder, Program};

/// How often a device was given up.
fn given_up(sim: &SimHandle, device: u16) -> usize {
    let journal = sim.journal(0, 10_000);
    let quiet = |event: &JournalEvent| {
        matches!(event, JournalEvent::Disconnected { device: of, reason }
            if of.device == device && reason.starts_with("nothing came from the client"))
    };
    journal.iter().filter(|entry| quiet(&entry.event)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_client_is_given_up_and_one_that_gives_signs_of_life_is_not() {
    let sim = simulator(|config| config.limits.silence = Duration::from_secs(3)).await;
    let Some(quiet) = Program::start(&sim) else { return };
    let lively = Program::start_in(&sim, &Folder::new(), &["-keep-alive", "100ms"]).expect("it runs");
    let (mut lively, first) = TestClient::linked(&lively, &sim, "lively", "15551230001").await;
    let (mut quiet, second) = TestClient::linked(&quiet, &sim, "quiet", "15551230001").await;
    quiet.event("disconnected", |_| Some(())).await;
    // By itself it comes back, is quiet again, and is given up again.
    quiet.connected().await;
    sim.wait_until("being given up again", PATIENCE, |sim| (given_up(sim, second.device) >= 2).then_some(()))
        .await
        .expect("it is quiet");
    assert_eq!(given_up(&sim, first.device), 0);
    let id = lively.send("15551230002", "still here").await;
    lively.receipts(&id, &["", "read"]).await;
    lively.stop().await;
    quiet.stop().await;
    sim.stop(PATIENCE).await;
}
