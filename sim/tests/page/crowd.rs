//! The page with many phones and many messages.

use kurir_sim::SimHandle;
use serde_json::json;

use crate::browser::Browser;
use crate::client::{PATIENCE, simulator};

const PHONES: usize = 400;
const MESSAGES: usize = 150;

fn number(at: usize) -> String {
    format!("1555200{at:04}")
}

async fn write(sim: &SimHandle, from: usize, to: usize, text: &str) {
    sim.send_text(&number(from), &number(to), text).await.expect("the phone writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_are_shown_in_parts_and_stay_live() {
    let sim = simulator(|_| ()).await;
    for at in (1..PHONES).step_by(2) {
        write(&sim, at, at + 1, "hello").await;
    }
    for at in 0..MESSAGES {
        write(&sim, 1, 2, &format!("number {at} of many")).await;
    }
    let Some(mut browser) = Browser::open(&sim).await else { return };
    browser.see("#shown", &format!("{PHONES} phones")).await;
    let rows = browser.act(json!({ "do": "count", "at": "#rows li" })).await;
    assert!(rows.as_u64().is_some_and(|rows| rows > 5 && rows < 60), "{rows} rows exist");
    browser.act(json!({ "do": "choose", "label": "Which phones", "value": "number" })).await;
    browser.see("#rows", &number(1)).await;
    browser.act(json!({ "do": "scroll", "at": "#rows", "to": 1_000_000 })).await;
    browser.see("#rows", &number(PHONES)).await;
    browser.fill("Search by number", "2000123").await;
    browser.see("#shown", "1 phone with messages for 2000123").await;
    browser.see("#rows", &number(123)).await;
    browser.fill("Search by number", "").await;

    browser.go(&format!("#/phones/{}", number(2))).await;
    browser.see("#screen", &format!("number {} of many", MESSAGES - 1)).await;
    browser.miss("#screen", "number 3 of many").await;
    for least in [100, 150] {
        browser.click("button", "Show earlier messages").await;
        browser.act(json!({ "do": "least", "at": "#screen .bubble", "least": least })).await;
    }
    browser.see("#screen", "number 3 of many").await;
    write(&sim, 7, 2, "and one while you look").await;
    browser.act(json!({ "do": "least", "at": "#screen .bubble", "least": MESSAGES + 2 })).await;
    browser.shot("crowd").await;
    browser.all_is_well().await;
    sim.stop(PATIENCE).await;
}
