//! What the owner of a phone can do beside writing: forms that the page makes of the OpenAPI document.

use serde_json::json;

use crate::browser::Browser;
use crate::client::{PATIENCE, simulator};
use crate::picture::picture;

const FROM: &str = "15551230001";
const TO: &str = "15551230002";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_sent_from_a_phone_and_shown_on_another() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    browser.go(&format!("#/phones/{FROM}")).await;
    browser.act(json!({ "do": "click", "at": "summary:has-text('What else')" })).await;
    browser.act(json!({ "do": "choose", "label": "What", "value": "send_file" })).await;
    let field = |name: &str| format!("#phone details form [name={name}]");
    browser.act(json!({ "do": "fill", "at": field("to"), "value": TO })).await;
    browser.act(json!({ "do": "choose", "at": field("kind"), "value": "image" })).await;
    browser.act(json!({ "do": "fill", "at": field("mimetype"), "value": "image/png" })).await;
    browser.act(json!({ "do": "fill", "at": field("caption"), "value": "<i>look</i>" })).await;
    browser.act(json!({ "do": "picture", "at": field("data"), "png": picture("a file") })).await;
    browser.all_is_well().await;
    browser.click("button", "Do it").await;
    browser.see("#notices", "Done").await;
    browser.go(&format!("#/phones/{TO}")).await;
    browser.see("#screen", "[image]").await;
    browser.see("#screen", "<i>look</i>").await;
    browser.see("#screen", "downloaded, hashes are right").await;
    browser.shot("file").await;
    browser.all_is_well().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_and_written_in() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    browser.click("link", "Groups").await;
    browser.act(json!({ "do": "choose", "label": "What", "value": "create_group" })).await;
    let field = |name: &str| format!("#view-groups form [name={name}]");
    browser.act(json!({ "do": "fill", "at": field("creator"), "value": FROM })).await;
    browser.act(json!({ "do": "fill", "at": field("subject"), "value": "<u>friends</u>" })).await;
    browser.act(json!({ "do": "fill", "at": field("members"), "value": format!("{TO}, +15551230003") })).await;
    browser.click("button", "Do it").await;
    browser.see("#groups", "<u>friends</u>").await;
    browser.see("#groups", "3 members").await;
    browser.shot("groups").await;
    browser.all_is_well().await;
    let id = browser.act(json!({ "do": "text", "at": "#groups code" })).await;
    let group = id.as_str().expect("an id").parse().expect("a group's id");
    sim.send_group_text(FROM, group, "to all of you").await.expect("writes");
    browser.go(&format!("#/phones/{TO}")).await;
    browser.see("#screen", "to all of you").await;
    browser.see("#screen", "in group").await;
    browser.all_is_well().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_told_how_to_behave() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    browser.go(&format!("#/phones/{TO}")).await;
    browser.act(json!({ "do": "click", "at": "summary:has-text('behaves')" })).await;
    // A read receipt would tell of the delivery too.
    for label in ["Never delivered", "Never read"] {
        browser.act(json!({ "do": "click", "label": label })).await;
    }
    browser.click("button", "Behave so").await;
    browser.see("#notices", "behaves so").await;
    sim.send_text(FROM, TO, "no tick for this").await.expect("writes");
    browser.go(&format!("#/phones/{FROM}")).await;
    browser.see("#screen", "no tick for this").await;
    browser.act(json!({ "do": "find", "role": "img", "name": "sent" })).await;
    // The form shows what is in force when it is opened again.
    browser.go(&format!("#/phones/{TO}")).await;
    browser.act(json!({ "do": "click", "at": "summary:has-text('behaves')" })).await;
    browser.act(json!({ "do": "find", "at": "#phone details [name=never_delivered]:checked" })).await;
    sim.stop(PATIENCE).await;
}
