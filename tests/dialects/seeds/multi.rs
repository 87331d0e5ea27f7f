//! Many sessions of one key.

use serde_json::Value;

use super::Manual;
use crate::world::World;

const SALES: &str = "6281100000093";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manual_of_multi_prints_works() {
    let Some(mut manual) = Manual::open("multi").await else { return };
    let world = World::start().await;
    manual.swap("http://localhost:3000", world.address("multi"));
    let made = manual.check("01-generate-key.http", "01-generate-key.json", &[201], &["apiKey"]).await.unwrap();
    let key = made[0]["apiKey"].as_str().unwrap();
    manual.swap("wa_abc123", key);
    let multi = world.multi(key);

    let qr = &["qr"];
    manual.check("02-qr-sales.http", "02-qr-sales.json", &[200], qr).await;
    let device = world.link_multi(&multi, "sales", SALES).await;
    manual.check("03-status-sales.http", "03-status-sales.json", &[200], &[]).await;
    manual.check("04-qr-support.http", "04-qr-support.json", &[200], qr).await;
    world.link_multi(&multi, "support", "6281100000094").await;
    manual.check("05-list.http", "05-list.json", &[200], &[]).await;
    let sent = &["messageId"];
    manual.check("06-send-sales.http", "06-send-sales.ours.json", &[200], sent).await;
    manual.check("07-send-support.http", "07-send-support.ours.json", &[200], sent).await;
    let mut arrive =
        vec!["Hi, this is Sales team. How can we help?", "Hi, this is Support team. Do you need assistance?"];

    // Each program sends what it says and lists the sessions.
    for (program, wanted, texts) in [
        ("09-send.cjs", "09-send.txt", &["Hello from Sales!", "Hello from Support!"][..]),
        ("10-send.py", "10-send.txt", &["Hello from Sales!", "Hello from Support!"]),
        ("11-send.php", "11-send.txt", &["Hello from Sales!"]),
    ] {
        if manual.check(program, wanted, &[], &[]).await.is_some() {
            arrive.extend(texts);
        }
    }

    manual.check("12-in-body.http", "12-in-body.ours.json", &[200], sent).await;
    manual.check("13-in-query.http", "13-in-query.ours.json", &[200], &[]).await;
    manual.check("14-in-header.http", "14-in-header.ours.json", &[200], &[]).await;
    world.link_multi(&multi, "default", "6281100000095").await;
    manual.check("15-default.http", "15-default.ours.json", &[200], sent).await;
    arrive.extend(["Hello", "Hello"]);
    assert_eq!(world.texts("628123456789", arrive.len()).await, arrive);

    world.log_out(SALES, device).await;
    let down = |_, body: &Value| (body["connected"] == false).then_some(());
    multi.until("end of the connection", 60, "/api/status?sessionId=sales", down).await;
    manual.check("16-monitor.cjs", "16-monitor.txt", &[], &[]).await;
    manual.check("17-disconnected.mjs", "17-disconnected.txt", &[], &[]).await;
    multi.until("QR code", 60, "/api/qr?sessionId=old-session", |status, _| (status == 200).then_some(())).await;
    manual.check("18-clean-up.http", "18-clean-up.ours.json", &[200], &[]).await;
    manual.check("08-delete-sales.http", "08-delete-sales.json", &[200], &[]).await;
    let (_, list) = multi.get("/api/sessions").await;
    let names: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|session| &session["sessionId"]).collect();
    // In the order in which they were made.
    assert_eq!(names, ["support", "default"]);
    world.stop().await;
}
