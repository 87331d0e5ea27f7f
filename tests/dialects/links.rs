//! What becomes of a session's link: made by one scan, kept by a restart, ended by the phone, gone with the session.

use serde_json::{Value, json};

use crate::world::{World, events};

const PHONE: &str = "6281100000097";

/// The simulator's devices that were linked and that logged in, as often as they did.
async fn journal(world: &World) -> (usize, usize) {
    let (_, entries) = world.phones.get("/journal?limit=1000").await;
    let count = |kind: &str| entries.as_array().unwrap().iter().filter(|entry| entry["event"] == kind).count();
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
    assert_eq!(journal(&world).await, (1, 1), "one scan, one device");

    let restart = ureq::put(format!("{}/api/sessions/s1/restart", world.address("otp"))).send_empty().unwrap();
    assert_eq!(restart.status(), 200);
    let twice = |_, entries: &Value| {
        let logins = entries.as_array()?.iter().filter(|entry| entry["event"] == "connected").count();
        (logins >= 2).then_some(())
    };
    world.phones.until("second login", 60, "/journal?limit=1000", twice).await;
    world.otp_is("s1", "connected").await;
    let devices = world.devices(PHONE).await;
    assert_eq!((devices.len(), &devices[0]["id"]), (1, &json!(device)), "the same device");
    assert_eq!(journal(&world).await.0, 1, "no second scan");

    world.log_out(PHONE, device).await;
    world.otp_is("s1", "logged_out").await;
    let told = world.own.get("/v1/events?follow=false&since=2020-01-01T00:00:00Z&types=session.logged_out").await;
    let told = events(&told.1);
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
