//! Lists of devices that change while others have them.

use kurir_sim::SimHandle;
use serde_json::json;

use crate::client::{PATIENCE, TestClient, jid, simulator};
use crate::program::Program;

const ANNA: &str = "15551230001";
const BEN: &str = "15551230002";

/// How many devices the client knows of Ben, from its own list if it has one.
async fn known(client: &TestClient) -> usize {
    let devices = client.ask("devices", json!({ "of": [jid(BEN)] })).await.expect("it knows or asks");
    devices.as_array().map_or(0, Vec::len)
}

/// Asks the client until it knows that many devices of Ben.
async fn until_known(client: &TestClient, count: usize) {
    let wait = async { while known(client).await != count {} };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never {count} devices"));
}

async fn first_text(sim: &SimHandle, number: &str, count: usize) {
    sim.wait_for_messages(number, count, PATIENCE).await.expect("it arrives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_told_of_a_new_device_and_of_its_end() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (anna, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    anna.send(BEN, "hello").await;
    first_text(&sim, BEN, 1).await;
    assert_eq!(known(&anna).await, 1, "only the phone");
    let (mut ben, device) = TestClient::linked(&program, &sim, "ben", BEN).await;
    until_known(&anna, 2).await;
    let id = anna.send(BEN, "to both").await;
    assert_eq!(ben.text().await.0, id);
    sim.logout(BEN, device.device).await.expect("it is linked");
    until_known(&anna, 1).await;
    let differs = program.said(&[&jid(BEN), "hash doesn't match"]);
    assert!(!differs, "the client counts other devices than the simulator tells");
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_with_an_old_list_notices_it_by_the_answer() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (anna, _) = TestClient::linked(&program, &sim, "anna", ANNA).await;
    // Without a chat nobody tells Anna that her list of Ben's devices grows old.
    assert_eq!(known(&anna).await, 1);
    let (mut ben, _) = TestClient::linked(&program, &sim, "ben", BEN).await;
    assert_eq!(known(&anna).await, 1);
    anna.send(BEN, "to the phone only").await;
    assert!(program.said(&["different participant list hash"]));
    let id = anna.send(BEN, "to both").await;
    let (got, _, text) = ben.text().await;
    assert_eq!((got, text.as_str()), (id, "to both"));
    first_text(&sim, BEN, 2).await;
    anna.stop().await;
    ben.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn right_lists_get_no_hash_in_the_answer() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (anna, _) = TestClient::linked(&program, &sim, "anna 1", ANNA).await;
    let (second, _) = TestClient::linked(&program, &sim, "anna 2", ANNA).await;
    let (ben, _) = TestClient::linked(&program, &sim, "ben", BEN).await;
    for text in ["one", "two"] {
        second.send(BEN, text).await;
    }
    first_text(&sim, BEN, 2).await;
    assert!(!program.said(&["participant list hash"]));
    for client in [anna, second, ben] {
        client.stop().await;
    }
    sim.stop(PATIENCE).await;
}
