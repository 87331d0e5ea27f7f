//! The dialects from end to end: the program alone with the simulator, each dialect on an address of its own, sessions linked by
//! the pictures that it shows.
#![cfg(feature = "simulator")]

#[path = "../node/chromium.rs"]
mod chromium;
#[path = "../fleet/http.rs"]
mod http;
#[path = "../node/program.rs"]
mod program;
#[path = "../process/running.rs"]
mod running;

mod browser;
mod incoming;
mod links;
mod qr_page;
mod seeds;
mod socketio;
mod socketio_page;
mod world;

use http::Client;
use serde_json::{Value, json};

use world::{KEY, World};

#[tokio::test(flavor = "multi_thread")]
async fn otp_links_sends_and_forgets() {
    let world = World::start().await;
    let otp = world.dialect("otp");
    let (status, made) = otp.post("/api/sessions/create", json!({"sessionId": "test-session"})).await;
    assert_eq!(status, 201, "{made}");
    world.link_otp("test-session", "6281100000081").await;

    let text = json!({"to": "081288880001", "message": "Test message"});
    let (status, sent) = otp.post("/api/messages/test-session/text", text).await;
    assert_eq!((status, &sent["success"], &sent["data"]["status"]), (200, &json!(true), &json!("sent")), "{sent}");
    let (_, sent) = otp.post("/api/messages/test-session/otp", json!({"to": "81288880001", "otp": "778899"})).await;
    assert_eq!(sent["data"]["otp"], "778899", "{sent}");
    let texts = world.texts("6281288880001", 2).await;
    assert_eq!(texts[0], "Test message");
    assert!(texts[1].contains("778899"), "{texts:?}");
    let (status, late) = otp.post("/api/messages/test-session/otp", json!({"to": "081288880001"})).await;
    assert_eq!(status, 429, "{late}");
    let (_, stats) = otp.get("/api/webhook/stats").await;
    assert_eq!((&stats["data"]["totalOTPSent"], &stats["data"]["activeSessions"]), (&json!(2), &json!(1)), "{stats}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waziper_makes_an_instance_and_sends() {
    let mut world = World::start().await;
    let waziper = world.dialect("waziper");
    let (_, made) = waziper.get("/generate-instance-id").await;
    let id = made["instance_id"].as_str().unwrap().to_owned();
    let call = format!("access_token={KEY}&instance_id={id}");
    let code = |status, body: &Value| (status == 200).then(|| body["qrcode"].clone());
    let picture = waziper.until("QR code", 30, &format!("/get_qrcode?{call}"), code).await;
    let line = format!("Creating new WhatsApp socket for instance: {id}");
    world.up.line("word in the log", |said| said.contains(&line).then_some(())).await;
    world.scan(&picture, "6281100000082").await;
    let sent = |status, body: &Value| (status == 200 && body["status"] == "success").then(|| body.clone());
    let path = format!("/send?{call}&number=6281288880002&type=text&message=halo");
    let answer = waziper.until("a message sent", 30, &path, sent).await;
    assert!(answer["message_id"].as_str().is_some_and(|id| id.starts_with("3EB0")), "{answer}");
    assert_eq!(world.texts("6281288880002", 1).await[0], "halo");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_keeps_keys_apart_and_sends_from_the_named_session() {
    let world = World::start().await;
    let multi = world.multi(&world.multi_key("My Company"));
    for (name, phone) in [("sales", "6281100000083"), ("support", "6281100000084")] {
        world.link_multi(&multi, name, phone).await;
    }
    for (name, text) in [("sales", "Hello from Sales!"), ("support", "Hello from Support!")] {
        let body = json!({"sessionId": name, "number": "6281288880003", "message": text});
        let (status, sent) = multi.post("/api/send-message", body).await;
        assert_eq!((status, &sent["status"]), (200, &json!("sent")), "{sent}");
    }
    assert_eq!(world.texts("6281288880003", 2).await, ["Hello from Sales!", "Hello from Support!"]);
    let (status, refused) = Client::new(world.address("multi"), None).get("/api/sessions").await;
    assert_eq!((status, &refused["code"]), (401, &json!("API_KEY_REQUIRED")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_links_a_session_sends_through_it_and_has_it_again_after_a_restart() {
    let world = World::start().await;
    let sessions = "/api/admin/whatsapp-sessions";
    let new = json!({
        "name": "DUDULURUN WhatsApp",
        "sessionId": "dudulurun_main",
        "phoneNumber": "6281100000085",
        "description": "Pendaftaran"
    });
    let (status, made) = world.own.post(sessions, new).await;
    assert_eq!((status, &made["data"]["isDefault"]), (201, &json!(true)), "{made}");
    let code = |status, body: &Value| (status == 200).then(|| body["data"]["qr"].clone());
    let picture = world.own.until("QR code", 30, &format!("{sessions}/dudulurun_main/qr"), code).await;
    world.scan(&picture, "6281100000085").await;
    let connected = |_, body: &Value| (body["data"]["isConnected"] == true).then(|| body["data"].clone());
    let path = format!("{sessions}/dudulurun_main");
    world.own.until("connection", 30, &path, connected).await;
    let send = json!({"to": "+6281288880004", "message": "Hello from default session!"});
    let (status, sent) = world.own.post(&format!("{sessions}/send"), send).await;
    assert_eq!((status, &sent["data"]["status"]), (200, &json!("sent")), "{sent}");
    assert_eq!(world.texts("6281288880004", 1).await, ["Hello from default session!"]);

    // Started again with what is on the disk, it is connected without another scan, and what was said of it is still known.
    let (_, data) = world.stop_keeping().await;
    let world = World::start_in(data).await;
    let again = world.own.until("connection after a restart", 60, &path, connected).await;
    for (field, value) in
        [("name", "DUDULURUN WhatsApp"), ("phoneNumber", "6281100000085"), ("description", "Pendaftaran")]
    {
        assert_eq!(again[field], value, "{again}");
    }
    let named = json!({"to": "+6281288880004", "message": "once more", "sessionName": "DUDULURUN WhatsApp"});
    let (status, sent) = world.own.post(&format!("{sessions}/send"), named).await;
    assert_eq!((status, &sent["data"]["status"]), (200, &json!("sent")), "{sent}");
    world.stop().await;
}
