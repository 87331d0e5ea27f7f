//! One-time passwords, in Indonesian.

use serde_json::{Value, json};

use super::Manual;
use crate::world::World;

const PHONE: &str = "6281100000091";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manual_of_otp_prints_works() {
    let Some(mut manual) = Manual::open("otp").await else { return };
    let world = World::start().await;
    let otp = world.dialect("otp");
    manual.swap("http://localhost:3000", world.address("otp"));
    manual.swap("your_number", "081288880011");
    std::fs::write(
        manual.place.path().join("logo.svg"),
        "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n",
    )
    .unwrap();
    let create = async |id: &str| {
        let (status, made) = otp.post("/api/sessions/create", json!({ "sessionId": id })).await;
        assert_eq!(status, 201, "{made}");
    };

    manual.check("15-connection.sh", "15-connection.ours.json", &[200, 201], &[]).await;
    create("test-session").await;
    world.link_otp("test-session", "6281100000092").await;
    manual.check("01-restart-or-anew.sh", "01-restart-or-anew.ours.json", &[200, 200, 201], &[]).await;
    assert_eq!(world.devices("6281100000092").await, [] as [Value; 0], "deleted is logged out");

    // A session that is not linked yet.
    create("your-session").await;
    world.otp_is("your-session", "qr").await;
    manual.check("02-not-connected.sh", "02-not-connected.ours.json", &[200, 200], &["qr"]).await;
    manual.check("07-text.sh", "07-text.json", &[409], &[]).await;
    manual.check("05-no-number.sh", "05-no-number.json", &[400], &[]).await;

    world.link_otp("your-session", PHONE).await;
    let sent = &["messageId"];
    manual.check("06-otp-not-sent.sh", "06-otp-not-sent.ours.json", &[200, 200, 200], sent).await;
    manual.check("04-numbers.sh", "04-numbers.ours.json", &[200, 200, 200, 400, 400], sent).await;
    assert_eq!(world.texts("628123456789", 3).await, ["Test message"; 3]);
    manual.check("03-upload.sh", "03-upload.json", &[415], &[]).await;
    create("old-session").await;
    manual.check("08-memory.sh", "08-memory.ours.json", &[200, 200], &[]).await;
    manual.check("09-logged-out.sh", "09-logged-out.ours.json", &[201], &[]).await;
    manual.check("10-check-all-sessions.mjs", "10-check-all-sessions.txt", &[], &[]).await;

    let retry = ("11-otp-with-retry.mjs", "11-otp-with-retry.ours.json", &["messageId", "otp"]);
    manual.environment.insert("SEED_NUMBER", "081288880012".to_owned());
    if manual.check(retry.0, retry.1, &[], retry.2).await.is_none() {
        // Without Node none of the programs is run.
        return;
    }
    // A session that is down comes back by the restart that the program asks for, without a scan.
    let (status, stopped) = world.own.post("/v1/sessions/your-session/stop", json!({})).await;
    assert_eq!(status, 202, "{stopped}");
    let down = |_, body: &Value| (body["data"]["isConnected"] == false).then_some(());
    otp.until("end of the connection", 60, "/api/sessions/your-session/status", down).await;
    manual.environment.insert("SEED_NUMBER", "081288880013".to_owned());
    let again = manual.check(retry.0, retry.1, &[], retry.2).await.unwrap();
    let code = again[0]["data"]["otp"].as_str().unwrap();
    assert!(world.texts("6281288880013", 1).await[0].contains(code), "the code is another one");
    assert_eq!(world.devices(PHONE).await.len(), 1, "no second device");
    manual.environment.insert("SEED_NUMBER", "081288880014".to_owned());
    manual.check("12-rate-limit.mjs", "12-rate-limit.txt", &[], &[]).await;

    manual.check("13-monitor.mjs", "13-monitor.txt", &[], &[]).await;
    let nobody = json!({"to": "081288880000", "message": "Test message"});
    let (status, failed) = otp.post("/api/messages/your-session/text", nobody).await;
    assert_eq!((status, &failed["message"]), (422, &json!("Nomor tidak terdaftar di WhatsApp")), "{failed}");
    manual.check("13-monitor.mjs", "13-monitor-alert.txt", &[], &[]).await;
    let counts = &["totalOTPSent", "failedRequests", "activeSessions", "failureRate"];
    manual.check("14-health.sh", "14-health.ours.json", &[200, 200], counts).await;
    world.stop().await;
}
