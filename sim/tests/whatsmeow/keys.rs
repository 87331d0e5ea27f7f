//! One-time keys: how they are used up, and what happens when none is left.

use kurir_sim::{JournalEvent, SimHandle};

use crate::client::{PATIENCE, TestClient, simulator};
use crate::program::Program;

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

fn left(sim: &SimHandle) -> usize {
    let accounts = sim.accounts();
    let anna = accounts.iter().find(|account| account.number.to_string() == ANNA).expect("linked");
    anna.devices[0].one_time_keys
}

#[tokio::test(flavor = "multi_thread")]
async fn each_new_session_uses_one_key_up() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut anna, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    let (ben, _) = TestClient::linked(&program, &sim, "ben", BEN).await;
    assert_eq!(left(&sim), 812);
    for text in ["one", "two"] {
        sim.send_text("15551230003", ANNA, text).await.expect("the phone writes");
        assert_eq!(anna.text().await.2, text);
    }
    assert_eq!(left(&sim), 811, "two texts of one phone are one session");
    ben.send(ANNA, "three").await;
    assert_eq!(anna.text().await.2, "three");
    assert_eq!(left(&sim), 810);
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_told_of_few_keys_uploads_more() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (anna, device) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    sim.drain_keys(ANNA, device.device, 3).expect("it is linked");
    sim.wait_until("an upload", PATIENCE, |sim| (left(sim) == 53).then_some(())).await.expect("the client uploads");
    let low = |event: &JournalEvent| matches!(event, JournalEvent::KeysLow { left: 3, .. });
    assert!(sim.journal(0, 1000).iter().any(|entry| low(&entry.event)));
    anna.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_opened_without_a_one_time_key() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (anna, device) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    let (ben, _) = TestClient::linked(&program, &sim, "ben", BEN).await;
    // Away, so that it uploads no more.
    anna.stop().await;
    sim.drain_keys(ANNA, device.device, 0).expect("it is linked");
    sim.send_text("15551230003", ANNA, "from a phone").await.expect("the phone writes");
    ben.send(ANNA, "from a client").await;
    assert_eq!(left(&sim), 0);
    let mut anna = program.client("anna").await;
    let mut texts = [anna.text().await.2, anna.text().await.2];
    texts.sort_unstable();
    assert_eq!(texts, ["from a client", "from a phone"]);
    sim.wait_until("an upload", PATIENCE, |sim| (left(sim) >= 50).then_some(())).await.expect("the client uploads");
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}
