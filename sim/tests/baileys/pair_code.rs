//! Linking by a code that is typed on the phone.

use kurir_sim::{SimError, SimHandle};
use serde_json::json;

use crate::client::{Baileys, PATIENCE, device, simulator};

const NUMBER: &str = "15551230001";

/// A client that shows a code for the number.
async fn showing(sim: &SimHandle) -> Option<(Baileys, String)> {
    let mut client = Baileys::unlinked(sim).await?;
    // The first QR code shows that the connection is there.
    client.qr().await;
    let code = client.ask("pairCode", json!({ "number": NUMBER })).await.expect("a code");
    // It is given out as soon as the request for it is on its way.
    sim.wait_until("the request for a code", PATIENCE, |sim| (!sim.pair_codes().is_empty()).then_some(()))
        .await
        .expect("it arrives");
    Some((client, code.as_str().expect("a text").to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_code_links_like_a_scan() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, code)) = showing(&sim).await else { return };
    let linked = sim.enter_pair_code(NUMBER, &code).await.expect("the code links");
    assert!(client.closed(515).await, "the restart after a link");
    let open = client.event("open", |_| true).await;
    assert_eq!(open["me"]["id"], linked.jid);
    let id = client.send("15551230002", "by code").await;
    client.status(&id, "READ").await;
    let login = client.stop().await;
    device(&sim, &linked, |device| !device.connected).await;
    let Some(mut again) = Baileys::start(&sim, login).await else { return };
    again.opened(1).await;
    again.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_links_nobody_and_may_be_corrected() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, code)) = showing(&sim).await else { return };
    let wrong = format!("{}{}", &code[..7], if code.ends_with('A') { 'B' } else { 'A' });
    let refused = sim.enter_pair_code(NUMBER, &wrong).await.expect_err("a wrong code");
    assert!(matches!(refused, SimError::WrongPairCode { left: 2 }), "{refused}");
    assert!(sim.accounts().is_empty());
    sim.enter_pair_code(NUMBER, &code).await.expect("the right one links");
    client.opened(1).await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}
