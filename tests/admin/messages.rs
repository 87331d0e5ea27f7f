//! The pages of messages, in a browser, with a simulated phone that reads.

use std::path::Path;

use serde_json::json;

use crate::program::Program;

/// Where the program runs, and who somebody is there.
pub struct Place<'a> {
    /// The gateway's address, like `http://127.0.0.1:8080`.
    pub gateway: &'a str,
    /// The simulator's control address.
    pub phones: &'a str,
    /// A key of `/v1` with all rights.
    pub key: &'a str,
    /// An admin of the page.
    pub user: &'a str,
    pub password: &'a str,
    /// A session that is linked.
    pub session: &'a str,
    /// A number that nobody has written to: digits, the country's code in front.
    pub number: &'a str,
}

/// Sends a test message, watches it become read without a reload, finds it, cancels another one, and has every page judged in
/// both themes and at two widths. Ends without a word where there is no browser, which is told before.
pub async fn are_live_and_accessible(place: &Place<'_>, chromium: &Path) {
    let chromium = chromium.to_str().expect("the browser's path is plain");
    let Some(mut browser) = Program::start("admin/messages.mjs", &[chromium], &[]) else { return };
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
    let order = json!({
        "gateway": place.gateway, "phones": place.phones, "key": place.key, "user": place.user, "password": place.password,
        "session": place.session, "number": place.number, "shots": shots,
    });
    browser.send(&order).await;
    let mut done = Vec::new();
    loop {
        // Ends: the program says something, ends, or is silent for too long, which fails.
        let told = browser.line("the next step").await;
        if let Some(step) = told["done"].as_str() {
            done.push(step.to_owned());
        } else {
            assert_eq!(told["end"], true, "{told}");
            assert_eq!(told["wrong"], json!([]), "after {done:#?}");
            break;
        }
    }
    for step in ["watched it become read", "found it by its number and its id", "cancelled one that waited"] {
        assert!(done.iter().any(|each| each == step), "{step} is missing: {done:#?}");
    }
}
