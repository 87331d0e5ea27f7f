//! The page of the dialect socketio in Chromium: a session is made, its code appears and is scanned from the screen, and the
//! page follows, all without being loaded again.

use serde_json::json;

use crate::browser::Browser;
use crate::world::World;

const CARD: &str = "#sessions li:first-child";

#[tokio::test(flavor = "multi_thread")]
async fn socketio_page_shows_a_code_and_turns_connected_without_a_reload() {
    let world = World::start().await;
    let Some(mut browser) = Browser::start() else { return };
    browser.open(world.address("socketio"), (1280, 860), "light").await;
    browser.see("#line", "Terhubung ke server").await;
    let window = browser.act(json!({"do": "window"})).await;
    browser.shot("empty").await;
    browser.all_is_well().await;

    let name = "Toko <b>Satu</b>";
    browser.act(json!({"do": "fill", "label": "Nama session baru", "value": name})).await;
    browser.click("button", "Buat dan mulai").await;
    browser.see(CARD, name).await;
    browser.see(CARD, "Pindai QR code").await;
    browser.act(json!({"do": "find", "at": format!("{CARD} canvas")})).await;
    browser.shot("code").await;
    browser.all_is_well().await;
    let picture = browser.act(json!({"do": "picture_of", "at": format!("{CARD} canvas")})).await;
    let (status, scanned) = world.phones.post("/scan", json!({"image": picture, "phone": "6281100000096"})).await;
    assert_eq!(status, 200, "{scanned}");
    browser.see(CARD, "Terhubung").await;
    browser.see(CARD, "+6281100000096").await;
    browser.act(json!({"do": "miss", "in": CARD, "text": "Perangkat tertaut"})).await;
    browser.shot("connected").await;
    browser.all_is_well().await;

    let device = format!("/accounts/6281100000096/devices/{}/logout", scanned["device"]);
    assert!(world.phones.post(&device, json!({})).await.0 < 300);
    browser.see(CARD, "Keluar dari WhatsApp").await;
    browser.click("button", &format!("Mulai {name}")).await;
    browser.see(CARD, "Pindai QR code").await;
    browser.click("button", &format!("Hentikan {name}")).await;
    browser.see("#sure", "Hentikan session?").await;
    browser.shot("question").await;
    browser.click("button", "Ya, hentikan").await;
    browser.see(CARD, "Dihentikan").await;
    browser.click("button", &format!("Hapus {name}")).await;
    browser.click("button", "Batal").await;
    browser.click("button", &format!("Hapus {name}")).await;
    browser.click("button", "Ya, hapus").await;
    browser.see("main", "Belum ada session.").await;
    assert_eq!(browser.act(json!({"do": "window"})).await, window, "the page was loaded again");
    browser.all_is_well().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn socketio_page_fits_a_phone_in_the_dark_and_asks_for_a_key_where_one_is_needed() {
    let world = World::start().await;
    let Some(mut browser) = Browser::start() else { return };
    let name = "Nama session yang panjang sekali supaya terlihat apakah semuanya muat di layar yang sempit";
    let (status, made) = world.dialect("socketio").post("/api/sessions", json!({"name": name})).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api/sessions/{}/start", made["sessionId"].as_str().unwrap());
    assert_eq!(world.dialect("socketio").post(&path, json!({})).await.0, 200);
    browser.open(world.address("socketio"), (360, 740), "dark").await;
    browser.see(CARD, "Pindai QR code").await;
    browser.shot("narrow-dark").await;
    browser.all_is_well().await;

    browser.open(&format!("{}/dialects/socketio", world.gateway), (360, 740), "dark").await;
    browser.see("#line", "API key diperlukan").await;
    browser.act(json!({"do": "axe"})).await;
    browser.act(json!({"do": "fill", "label": "API key", "value": crate::KEY})).await;
    browser.click("button", "Masuk").await;
    browser.see(CARD, "Pindai QR code").await;
    world.stop().await;
}
