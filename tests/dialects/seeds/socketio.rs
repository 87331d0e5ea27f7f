//! Sessions whose codes come as events, told to the official client from npm.

use serde_json::{Value, json};

use super::{Manual, answers};
use crate::program::Program;
use crate::world::World;

const PHONE: &str = "6281100000096";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manual_of_socketio_prints_works() {
    let Some(mut manual) = Manual::open("socketio").await else { return };
    let Some(packages) = manual.tools.node_packages().and_then(|path| path.to_str().map(str::to_owned)) else { return };
    let world = World::start().await;
    manual.swap("http://localhost:3002", world.address("socketio"));
    let said = manual.run("01-create.http").await.unwrap();
    let made: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stdout));
    assert!(said.statuses == [200] || said.statuses == [201], "{:?} {made}", said.statuses);
    let id = ["id", "sessionId"].into_iter().find_map(|field| answers::find(&made, field)?[field].as_str());
    let id = id.unwrap_or_else(|| panic!("no id: {made}")).to_owned();
    assert_eq!(answers::find(&made, "name").map(|session| &session["name"]), Some(&json!("Nama Session")), "{made}");

    let program = manual.ready("03-events.mjs");
    let mut events = Program::start(program.to_str().unwrap(), &[], &[("NODE_PATH", &packages)]).unwrap();
    assert_eq!(events.line("connection").await["event"], "connect");
    manual.swap("{sessionId}", &id);
    let started = manual.run("02-start.http").await.unwrap();
    assert!(started.statuses.iter().all(|status| *status < 300), "{}", started.stdout);
    let qr = told(&mut events, "qr", &id).await;
    let (status, device) = world.phones.post("/scan", json!({"qr": qr["qr"], "phone": PHONE})).await;
    assert_eq!(status, 200, "{device}");
    told(&mut events, "ready", &id).await;
    world.log_out(PHONE, device["device"].as_u64().unwrap()).await;
    told(&mut events, "disconnected", &id).await;
    world.stop().await;
}

/// Waits for an event of this name, which is of this session.
async fn told(events: &mut Program, name: &str, session: &str) -> Value {
    loop {
        let event = events.line(name).await;
        if event["event"] == name {
            assert_eq!(event["sessionId"], session, "{name}");
            return event;
        }
    }
}
