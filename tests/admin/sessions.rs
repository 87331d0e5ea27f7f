//! An operator adds a session, links it with a phone and sees it come and go.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::world::{PASSWORD, USER, World};

const PHONE: &str = "6281100000091";
const FRIEND: &str = "6281288880091";

/// The link that opens the dialog, as it is read out.
const CONNECT: &str = "Connect WhatsApp Toko <b>Sari</b>";

/// What a card says of the connection.
const BADGE: &str = ".card:has(#session-toko-1) .badges";

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_linked_from_the_screen_used_and_logged_out_on_the_phone() {
    let world = World::start().await;
    let Some(mut browser) = Browser::open(&world.base, "/admin/sessions").await else { return };
    browser.sign_in(USER, PASSWORD).await;

    browser.see("h1", "Sessions").await;
    browser.click("link", "Add a session").await;
    browser.looks_well("add-session").await;
    browser.fill("Name", "Toko <b>Sari</b>").await;
    browser.fill("ID", "toko-1").await;
    browser.click("button", "Add a session").await;
    browser.see("main", "The session was created.").await;
    browser.see("h1", "Toko <b>Sari</b>").await;

    by_keyboard_alone(&mut browser).await;

    // From here on nothing is loaded anew: what changes, changes by itself.
    browser.act(json!({ "do": "mark" })).await;
    browser.click("link", CONNECT).await;
    browser.find("dialog img.qr").await;
    browser.looks_well("link").await;
    let picture = browser.act(json!({ "do": "photo" })).await;
    world.scan(&picture, PHONE).await;
    browser.miss("dialog", "Open WhatsApp on the phone.").await;
    browser.see(BADGE, "connected").await;
    browser.see(".card", "6281…91").await;
    assert_eq!(browser.act(json!({ "do": "count", "at": "dialog" })).await, 0);
    browser.looks_well("sessions").await;

    let text = json!({"session": "toko-1", "to": FRIEND, "content": {"type": "text", "text": "halo dari toko"}});
    let (status, sent) = world.gateway.post("/v1/messages", text).await;
    assert_eq!(status, 202, "{sent}");
    let shown = |_, body: &Value| (body[0]["text"] == "halo dari toko").then_some(());
    world.phones.until("text on the phone", 30, &format!("/phones/{FRIEND}/inbox"), shown).await;
    browser.see(".card", "1 (OTP 0, bulk 1)").await;

    world.log_out(PHONE).await;
    browser.see(BADGE, "logged out").await;
    browser.see(".card", "Connect it again so that it can send.").await;
    by_phone_number(&world, &mut browser).await;
    assert_eq!(browser.act(json!({ "do": "marked" })).await, true, "the page was loaded anew");

    for (path, name) in
        [("", "session"), ("/logout", "log-out"), ("/delete", "delete"), ("/link/phone", "link-by-phone-alone")]
    {
        browser.visit(&format!("/admin/sessions/toko-1{path}")).await;
        browser.find("main h1").await;
        browser.looks_well(name).await;
    }
    world.stop(&["halo dari toko", PHONE, FRIEND]).await;
}

/// Reaches the dialog without a mouse, and comes back to where it was opened from.
async fn by_keyboard_alone(browser: &mut Browser) {
    browser.visit("/admin/sessions").await;
    browser.find("#connect-toko-1").await;
    browser.tab_to(CONNECT).await;
    browser.press("Enter").await;
    browser.see("dialog", "Open WhatsApp on the phone.").await;
    browser.focused("Close").await;
    browser.press("Escape").await;
    browser.miss("dialog", "Open WhatsApp on the phone.").await;
    browser.focused(CONNECT).await;
}

/// Links the session again, by a code that is typed on the phone.
async fn by_phone_number(world: &World, browser: &mut Browser) {
    browser.click("link", CONNECT).await;
    browser.see("dialog", "The session was logged out of WhatsApp.").await;
    browser.looks_well("link-rests").await;
    browser.click("button", "Ask for a new code").await;
    browser.find("dialog img.qr").await;
    browser.click("link", "Connect by phone number instead").await;
    browser.focused("The phone's WhatsApp number").await;
    browser.fill("The phone's WhatsApp number", "12").await;
    browser.click("button", "Get a code").await;
    browser.see("dialog", "This is no phone number.").await;
    // What the browser says of an answer that is no success.
    browser.act(json!({ "do": "problems" })).await;
    browser.fill("The phone's WhatsApp number", "0811 0000 0091").await;
    browser.click("button", "Get a code").await;
    browser.find("dialog .pairing").await;
    browser.looks_well("link-by-phone").await;
    let code = browser.text("dialog .pairing").await;
    let (status, linked) = world.phones.post(&format!("/phones/{PHONE}/pair-code"), json!({ "code": code })).await;
    assert_eq!(status, 200, "{linked}");
    browser.miss("dialog", "Type this code.").await;
    browser.see(BADGE, "connected").await;
}
