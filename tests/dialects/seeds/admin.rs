//! The sessions of one administrator, on the gateway's own address.

use serde_json::{Value, json};

use super::{Manual, answers};
use crate::world::{KEY, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manual_of_admin_prints_works() {
    let Some(mut manual) = Manual::open("admin").await else { return };
    let world = World::start().await;
    manual.swap("http://localhost", &world.gateway);
    manual.swap("admin-key", KEY);
    let list = manual.run("01-list.http").await.unwrap();
    assert_eq!(list.statuses, [200], "{}", list.stdout);
    let session = |said: &str| {
        let answer: Value = serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"));
        answers::find(&answer, "sessionId").cloned().unwrap_or_else(|| panic!("no session: {answer}"))
    };
    let mut wanted: Value = serde_json::from_str(&manual.text("02-create.json")).unwrap();
    // The first one is the default, whatever was asked for.
    wanted["isDefault"] = json!(true);
    let made = manual.run("02-create.http").await.unwrap();
    assert!(made.statuses == [200] || made.statuses == [201], "{:?} {}", made.statuses, made.stdout);
    let made = session(&made.stdout);
    answers::hold(&wanted, &made, &[], "made").unwrap_or_else(|error| panic!("{error}: {made}"));

    let id = made["id"].as_str().map_or_else(|| made["id"].to_string(), str::to_owned);
    manual.swap("{id}", &id);
    manual.swap("{sessionId}", &id);
    let changed = manual.run("03-update.http").await.unwrap();
    assert_eq!(changed.statuses, [200], "{}", changed.stdout);
    answers::hold(&wanted, &session(&changed.stdout), &[], "changed").unwrap();
    let removed = manual.run("04-delete.http").await.unwrap();
    assert!(removed.statuses[0] >= 400 && removed.statuses[0] < 500, "the default session stays: {}", removed.stdout);
    world.stop().await;
}
