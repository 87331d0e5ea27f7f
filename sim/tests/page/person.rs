//! A person uses the page while a client runs.

use std::sync::Arc;

use serde_json::json;

use crate::browser::Browser;
use crate::client::{PATIENCE, TestClient, simulator};
use crate::picture::picture;

const ACCOUNT: &str = "15551230001";
const FRIEND: &str = "15551230002";

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_pasted_and_messages_appear_by_themselves() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let qr = client.qr().await;
    // The client that waits is announced.
    browser.see("#waiting-count", "1").await;
    browser.click("link", "Link a client 1 waiting").await;
    browser.fill("Text of the code", &qr).await;
    browser.see("#code-state", "Now choose the phone").await;
    browser.shot("link").await;
    browser.all_is_well().await;
    browser.fill("Number", "+1 555 123-0001").await;
    browser.click("button", "Scan and link").await;
    client.connected().await;
    // The page goes to the phone, where its new device shows up.
    browser.see("#devices", "Device 1").await;
    browser.see("#devices", "connected").await;

    let markup = "<img src=x onerror=alert(1)><b>bold</b>";
    let id = client.send(FRIEND, markup).await;
    client.ack_and_receipts(&id).await;
    browser.see("#screen", markup).await;
    browser.go("#/phones").await;
    browser.see("#rows", "+15551230002").await;
    browser.act(json!({ "do": "click", "at": "#rows a[href='#/phones/15551230002']" })).await;
    browser.see("#screen", markup).await;
    assert_eq!(browser.act(json!({ "do": "count", "at": "#screen img, #screen b, #rows img, #rows b" })).await, 0);

    browser.fill("Write to", ACCOUNT).await;
    browser.fill("Text", "you too").await;
    browser.click("button", "Send").await;
    assert_eq!(client.text().await.2, "you too");
    browser.see("#screen", "you too").await;
    // The client's receipt turns up as the second tick.
    browser.act(json!({ "do": "find", "role": "img", "name": "delivered" })).await;
    for text in ["one more", "and another\nin two lines", "the last one"] {
        client.send(FRIEND, text).await;
    }
    browser.see("#screen", "the last one").await;
    browser.shot("phone").await;
    browser.all_is_well().await;
    browser.reopen("#/phones/15551230002", (1280, 860), "dark").await;
    browser.see("#screen", "the last one").await;
    browser.shot("phone-dark").await;
    browser.all_is_well().await;
    browser.reopen("#/phones/15551230002", (390, 844), "light").await;
    browser.see("#screen", "the last one").await;
    browser.shot("phone-small").await;
    assert_eq!(browser.act(json!({ "do": "overflow" })).await, 0, "wider than a phone's screen");
    browser.all_is_well().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_read_from_a_picture() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    browser.go("#/link").await;
    for (number, pasted) in [(ACCOUNT, false), (FRIEND, true)] {
        let mut client = TestClient::start(&sim, Arc::default()).await;
        let png = picture(&client.qr().await);
        if pasted {
            browser.act(json!({ "do": "paste", "png": png })).await;
        } else {
            let label = "Or a picture with the code";
            browser.act(json!({ "do": "picture", "label": label, "png": png })).await;
        }
        browser.see("#code-state", "Now choose the phone").await;
        browser.fill("Number", number).await;
        browser.click("button", "Scan and link").await;
        client.connected().await;
        browser.see("#devices", "connected").await;
        browser.go("#/link").await;
        browser.see("#none-waiting", "None.").await;
        client.stop().await;
    }
    browser.all_is_well().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_ordered_seen_and_taken_back() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    let (mut client, _) = TestClient::linked(&sim, ACCOUNT).await;
    browser.go("#/faults").await;
    browser.act(json!({ "do": "choose", "label": "What goes wrong", "value": "ack_error" })).await;
    browser.act(json!({ "do": "fill", "in": "#fault-form", "at": "#fault-form [name=code]", "value": "463" })).await;
    browser.act(json!({ "do": "fill", "at": "#fault-form [name=to]", "value": FRIEND })).await;
    browser.click("button", "Let it happen").await;
    browser.see("#in-force", "ack error").await;
    browser.see("#fault-count", "1").await;
    let id = client.send(FRIEND, "refused").await;
    assert_eq!(client.server_ack(&id).await.error.as_deref(), Some("463"));
    browser.see("#counters", "refused").await;
    browser.shot("faults").await;
    browser.all_is_well().await;
    browser.click("button", "Clear fault 1").await;
    browser.see("#no-faults", "everything works").await;
    let id = client.send(FRIEND, "taken").await;
    client.ack_and_receipts(&id).await;
    browser.go("#/journal").await;
    browser.see("#entries", "refused").await;
    browser.fill("Filter the journal", &id).await;
    browser.see("#entries", "arrived").await;
    browser.miss("#entries", "refused").await;
    browser.shot("journal").await;
    browser.all_is_well().await;

    browser.go("#/audit").await;
    browser.see("#audit-result", "arrived").await;
    browser.shot("audit").await;
    browser.all_is_well().await;

    // Cut: the client comes back, which is a second login.
    browser.go(&format!("#/phones/{ACCOUNT}")).await;
    browser.click("button", "Cut the connection of device 1 of +15551230001").await;
    client.connected().await;
    browser.see("#devices", "connected").await;
    browser.click("button", "Log out device 1 of +15551230001").await;
    browser.see("#no-devices", "None.").await;
    assert!(sim.accounts().is_empty());
    browser.all_is_well().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_a_stanza_cuts_a_connection_and_the_service_restarts() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    let (mut client, _) = TestClient::linked(&sim, ACCOUNT).await;
    browser.go("#/faults").await;
    browser.act(json!({ "do": "choose", "label": "What goes wrong", "value": "rule" })).await;
    let field = |name: &str| format!("#fault-form [name={name}]");
    browser.act(json!({ "do": "fill", "at": field("account"), "value": ACCOUNT })).await;
    browser.act(json!({ "do": "fill", "at": field("times"), "value": "1" })).await;
    browser.act(json!({ "do": "fill", "at": field("tag"), "value": "message" })).await;
    browser.act(json!({ "do": "choose", "at": field("direction"), "value": "from_client" })).await;
    browser.act(json!({ "do": "choose", "at": field("effect"), "value": "cut" })).await;
    browser.act(json!({ "do": "choose", "at": field("moment"), "value": "before" })).await;
    browser.click("button", "Let it happen").await;
    browser.see("#in-force", "cut").await;
    browser.shot("rule").await;
    browser.all_is_well().await;
    client.send(FRIEND, "cut off").await;
    client.connected().await;
    browser.see("#no-faults", "everything works").await;

    browser.act(json!({ "do": "choose", "label": "What", "value": "restart" })).await;
    browser.act(json!({ "do": "fill", "label": "Down for (ms) optional", "value": "20" })).await;
    browser.click("button", "Do it").await;
    browser.see("#notices", "Done").await;
    client.connected().await;
    browser.all_is_well().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_is_enough() {
    let sim = simulator(|_| ()).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    browser.press("Tab").await;
    assert_eq!(browser.act(json!({ "do": "focus" })).await, "Skip to the content");
    browser.tab_to("Search by number").await;
    browser.act(json!({ "do": "type", "text": FRIEND })).await;
    browser.tab_to("open +15551230002").await;
    browser.press("Enter").await;
    browser.tab_to("Write to").await;
    browser.act(json!({ "do": "type", "text": ACCOUNT })).await;
    browser.tab_to("Text").await;
    browser.act(json!({ "do": "type", "text": "by keyboard" })).await;
    browser.press("Control+Enter").await;
    browser.see("#screen", "by keyboard").await;
    let inbox = sim.wait_for_messages(ACCOUNT, 1, PATIENCE).await.expect("it arrives");
    assert_eq!(inbox[0].text.as_deref(), Some("by keyboard"));

    browser.tab_to("How this phone behaves").await;
    browser.press("Enter").await;
    browser.see("#phone", "Behave so").await;
    browser.all_is_well().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_where_it_was_asked() {
    let sim = simulator(|config| config.phones.magic_endings = true).await;
    let Some(mut browser) = Browser::open(&sim).await else { return };
    browser.go("#/link").await;
    browser.fill("Text of the code", "hello").await;
    browser.see("#code-state", "not a linking code").await;
    browser.go(&format!("#/phones/{FRIEND}")).await;
    browser.fill("Write to", "15551230000").await;
    browser.fill("Text", "to nobody").await;
    browser.click("button", "Send").await;
    browser.see(".compose .error", "not on WhatsApp").await;
    // A browser notes each refused request in its console; nothing else may be there.
    let said = browser.act(json!({ "do": "problems" })).await;
    let said = said.as_array().expect("a list");
    assert!(said.iter().all(|line| line.as_str().is_some_and(|line| line.contains("status of 40"))), "{said:?}");
    sim.stop(PATIENCE).await;
}
