//! What becomes of a session's link: made by one scan, kept by a restart, ended by the phone, gone with the session.

use serde_json::{Value, json};

use crate::world::{World, events};

const PHONE: &str = "6281100000097";

/// The simulator's record of what it saw.
const JOURNAL: &str = "/journal?limit=1000";

/// In the simulator's journal: devices that were linked and that logged in, as often as they did.
fn counted(journal: &Value) -> (usize, usize) {
    let count = |kind: &str| journal.as_array().unwrap().iter().filter(|entry| entry["event"] == kind).count();
    (count("linked"), count("connected"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_scan_links_and_only_the_phone_or_a_deletion_ends_it() {
    let world = World::start().await;
    let otp = world.dialect("otp");
    let (status, made) = otp.post("/api/sessions/create", json!({"sessionId": "s1"})).await;
    assert_eq!(status, 201, "{made}");
    // WhatsApp ends the connection after the scan (stream error 515, as the simulator does) and wants a new one with the same link.
    let device = world.link_otp("s1", PHONE).await;
    let (_, journal) = world.phones.get(JOURNAL).await;
    let (linked, logins) = counted(&journal);
    assert_eq!(linked, 1, "one scan, one device: {journal:#}");
    // The client handles the 515 beside its reading: done late, it ends the connection that has come after it (whatsapp-rust 0.7,
    // `handle_stream_error`), milliseconds old, and makes another one.
    assert!((1..=2).contains(&logins), "{journal:#}");

    let restart = ureq::put(format!("{}/api/sessions/s1/restart", world.address("otp"))).send_empty().unwrap();
    assert_eq!(restart.status(), 200);
    let again = |_, journal: &Value| (counted(journal).1 > logins).then_some(());
    world.phones.until("another login", 60, JOURNAL, again).await;
    world.otp_is("s1", "connected").await;
    let devices = world.devices(PHONE).await;
    assert_eq!((devices.len(), &devices[0]["id"]), (1, &json!(device)), "the same device");
    let (_, journal) = world.phones.get(JOURNAL).await;
    assert_eq!(counted(&journal).0, 1, "no second scan: {journal:#}");

    world.log_out(PHONE, device).await;
    world.otp_is("s1", "logged_out").await;
    // It is told a moment after it is written.
    let log = "/v1/events?follow=false&since=2020-01-01T00:00:00Z&types=session.logged_out";
    let told = |_, body: &Value| Some(events(body)).filter(|told| !told.is_empty());
    let told = world.own.until("the logout is told", 60, log, told).await;
    assert_eq!((told.len(), &told[0]["session"]), (1, &json!("s1")), "{told:?}");
    let text = json!({"to": "081288880001", "message": "Test message"});
    let (status, refused) = otp.post("/api/messages/s1/text", text).await;
    assert_eq!((status, &refused["message"]), (409, &json!("Session tidak terhubung")));

    // Its credentials are gone: there is a code to scan again, and what scans it gets another device.
    let again = world.link_otp("s1", PHONE).await;
    assert_ne!(again, device);
    let removed = ureq::delete(format!("{}/api/sessions/s1", world.address("otp"))).call().unwrap();
    assert_eq!(removed.status(), 200);
    assert_eq!(world.devices(PHONE).await, [] as [Value; 0], "deleted is logged out");
    world.stop().await;
}
