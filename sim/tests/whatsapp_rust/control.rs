//! The HTTP control interface, driven as a person or a script would.

use std::sync::Arc;

use serde_json::json;
use whatsapp_rust::pair_code::PairCodeOptions;

use crate::client::{PATIENCE, TestClient, simulator};
use crate::http::{EventStream, parse, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_driven_over_http_alone() {
    let sim = simulator(|_| ()).await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    let scan = json!({ "qr": client.qr().await, "phone": "15551230001" });
    let (status, linked) = request(&sim, "POST", "/scan", Some(scan)).await;
    assert_eq!(status, 200, "{linked}");
    assert_eq!(parse(&linked)["device"], 1);
    client.connected().await;

    let text = json!({ "to": "15551230001", "text": "by HTTP" });
    let (status, _) = request(&sim, "POST", "/phones/15551230002/send", Some(text)).await;
    assert_eq!(status, 200);
    assert_eq!(client.text().await.2, "by HTTP");

    let fault = json!({ "kind": "ack_error", "code": 463, "to": "15551230002", "times": 1 });
    let (status, _) = request(&sim, "POST", "/faults", Some(fault)).await;
    assert_eq!(status, 200);
    let id = client.send("15551230002", "refused").await;
    assert_eq!(client.server_ack(&id).await.error.as_deref(), Some("463"));
    let id = client.send("15551230002", "taken").await;
    client.ack_and_receipts(&id).await;
    let (_, inbox) = request(&sim, "GET", "/phones/15551230002/inbox", None).await;
    assert_eq!(parse(&inbox)[0]["text"], "taken");
    let (_, page) = request(&sim, "GET", "/inboxes?limit=1", None).await;
    assert_eq!(parse(&page)["next"], "15551230001");
    let (_, page) = request(&sim, "GET", "/inboxes?after=15551230001", None).await;
    assert_eq!(parse(&page)["phones"][0]["number"], "15551230002");

    let drop = json!({ "account": "15551230001", "device": 1 });
    let (status, _) = request(&sim, "POST", "/connections/drop", Some(drop)).await;
    assert_eq!(status, 204);
    client.connected().await;
    let (status, _) = request(&sim, "POST", "/accounts/15551230001/devices/1/logout", None).await;
    assert_eq!(status, 204);
    let (_, accounts) = request(&sim, "GET", "/accounts", None).await;
    assert_eq!(parse(&accounts), json!([]));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_can_be_typed_over_http() {
    let sim = simulator(|_| ()).await;
    let mut client = TestClient::start(&sim, Arc::default()).await;
    client.qr().await;
    let path = "/phones/15551230001/pair-code";
    let (status, _) = request(&sim, "POST", path, Some(json!({ "code": "ABCD-1234" }))).await;
    assert_eq!(status, 404, "nobody shows a code");
    let options = PairCodeOptions { phone_number: "15551230001".into(), ..PairCodeOptions::default() };
    let code = client.client.pair_with_code(options).await.expect("a code");
    assert_eq!(request(&sim, "GET", "/pair-codes", None).await, (200, r#"["15551230001"]"#.into()));
    let (status, _) = request(&sim, "POST", path, Some(json!({ "code": "nonsense!" }))).await;
    assert_eq!(status, 400);
    let wrong = format!("{}{}", &code[..7], if code.ends_with('A') { 'B' } else { 'A' });
    let (status, body) = request(&sim, "POST", path, Some(json!({ "code": wrong }))).await;
    assert_eq!(status, 403, "{body}");
    let (status, linked) = request(&sim, "POST", path, Some(json!({ "code": code }))).await;
    assert_eq!((status, &parse(&linked)["device"]), (200, &json!(1)), "{linked}");
    client.connected().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_told_what_is_wrong() {
    let sim = simulator(|_| ()).await;
    let scan = json!({ "qr": "nonsense", "phone": "15551230001" });
    let (status, body) = request(&sim, "POST", "/scan", Some(scan)).await;
    assert_eq!(status, 400);
    assert!(parse(&body)["detail"].as_str().is_some_and(|error| error.contains("linking code")), "{body}");
    let (status, _) = request(&sim, "POST", "/scan", Some(json!({ "qr": "x", "phone": "12" }))).await;
    assert_eq!(status, 422);
    let (status, _) = request(&sim, "POST", "/accounts/15551230001/devices/1/logout", None).await;
    assert_eq!(status, 404);
    let (status, _) = request(&sim, "POST", "/faults", Some(json!({ "kind": "rain" }))).await;
    assert_eq!(status, 422);
    let (status, _) = request(&sim, "DELETE", "/faults/7", None).await;
    assert_eq!(status, 404);
    let (status, _) = request(&sim, "GET", "/nothing", None).await;
    assert_eq!(status, 404);
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_the_root_key_and_the_event_stream_are_served() {
    let sim = simulator(|_| ()).await;
    let (status, page) = request(&sim, "GET", "/", None).await;
    assert_eq!(status, 200);
    assert!(page.contains("<title>kurir simulator</title>"));
    assert!(!page.contains("https://"), "the page loads nothing from elsewhere");
    assert_eq!(request(&sim, "GET", "/healthz", None).await, (200, "ok".into()));
    let (_, key) = request(&sim, "GET", "/root-key", None).await;
    let hex = sim.root_key().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(parse(&key)["hex"], hex);
    assert_eq!(parse(&key)["websocket"], sim.ws_url());

    let mut events = EventStream::open(&sim, "/events", None).await;
    sim.send_text("15551230002", "15551230001", "seen live").await.expect("the phone writes");
    let event = events.told().await.data;
    assert_eq!(event["event"], "written");
    assert_eq!(event["seq"], 1);
    // An open event stream does not hold up the stop.
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_sends_a_file_over_http() {
    let sim = simulator(|_| ()).await;
    let (_, pem) = request(&sim, "GET", "/media-ca.pem", None).await;
    assert_eq!(pem, sim.media_ca_pem());
    let file = json!({ "to": "15551230001", "kind": "document", "mimetype": "text/plain", "data": "aGVsbG8=", "file_name": "a.txt" });
    let (status, sent) = request(&sim, "POST", "/phones/15551230002/send-media", Some(file)).await;
    assert_eq!(status, 200, "{sent}");
    let inbox = sim
        .wait_until("the download", PATIENCE, |sim| {
            let inbox = serde_json::to_value(sim.inbox("15551230001").ok()?).ok()?;
            (inbox[0]["content"]["download"]["state"] == "good").then_some(inbox)
        })
        .await
        .expect("the other phone downloads");
    let content = &inbox[0]["content"];
    assert_eq!((content["kind"].as_str(), content["media"].as_str()), (Some("media"), Some("document")));
    assert_eq!((content["file_name"].as_str(), content["length"].as_u64()), (Some("a.txt"), Some(5)));
    let bad = json!({ "to": "15551230001", "kind": "image", "mimetype": "image/png", "data": "%" });
    assert_eq!(request(&sim, "POST", "/phones/15551230002/send-media", Some(bad)).await.0, 400);
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_made_changed_and_written_in_over_http() {
    let sim = simulator(|_| ()).await;
    let make =
        json!({ "creator": "15551230001", "subject": "friends", "members": ["15551230002"], "addressing": "pn" });
    let (status, made) = request(&sim, "POST", "/groups", Some(make)).await;
    assert_eq!(status, 200, "{made}");
    let path = format!("/groups/{}", parse(&made)["id"].as_str().expect("an address"));
    let add = json!({ "by": "15551230001", "change": "add", "members": ["15551230003", "15551230002"] });
    let (status, outcomes) = request(&sim, "POST", &format!("{path}/change"), Some(add)).await;
    assert_eq!((status, parse(&outcomes)[1]["code"].as_u64()), (200, Some(409)), "{outcomes}");
    let text = json!({ "from": "15551230003", "text": "hello" });
    assert_eq!(request(&sim, "POST", &format!("{path}/send"), Some(text)).await.0, 200);
    let inbox = sim.wait_for_messages("15551230002", 1, PATIENCE).await.expect("it arrives");
    assert_eq!(inbox[0].group.map(|group| format!("/groups/{group}")), Some(path.clone()));

    let rename = json!({ "by": "15551230004", "change": "subject", "subject": "foes" });
    assert_eq!(request(&sim, "POST", &format!("{path}/change"), Some(rename)).await.0, 409);
    let leave = json!({ "by": "15551230003", "change": "leave" });
    assert_eq!(request(&sim, "POST", &format!("{path}/change"), Some(leave)).await.0, 200);
    let (_, groups) = request(&sim, "GET", "/groups", None).await;
    assert_eq!(parse(&groups)[0]["members"], json!({ "15551230001": "super_admin", "15551230002": "member" }));
    assert_eq!(request(&sim, "GET", &path, None).await.0, 200);
    assert_eq!(request(&sim, "GET", "/groups/120363000000000000@g.us", None).await.0, 404);
    assert_eq!(request(&sim, "GET", "/groups/nonsense", None).await.0, 400);
    sim.stop(PATIENCE).await;
}
