//! Instances by their ids.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Manual;
use crate::world::{KEY, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manual_of_waziper_prints_works() {
    let Some(mut manual) = Manual::open("waziper").await else { return };
    let world = World::start().await;
    for server in ["http://localhost:8000", "http://api.example.com"] {
        manual.swap(server, world.address("waziper"));
    }
    manual.swap("access_token=token", &format!("access_token={KEY}"));
    for token in ["YOUR_TOKEN", "your-access-token"] {
        manual.swap(token, KEY);
    }
    manual.environment.insert("SEED_TOKEN", KEY.to_owned());

    let new_id = &["instance_id"][..];
    manual.check("01-generate.sh", "01-generate.json", &[200], new_id).await;
    manual.check("02-qr-code.sh", "02-qr-code.ours.json", &[200], &["qrcode"]).await;
    let workflow = manual.check("03-workflow.mjs", "03-workflow.txt", &[], &[]).await;
    // Three times the same instance: it is one session.
    manual.check("04-one-id.sh", "04-one-id.ours.json", &[200, 200, 200], &["qrcode"]).await;
    manual.check("05-made-up-ids.sh", "05-made-up-ids.ours.json", &[400, 400], &[]).await;
    let right =
        manual.check("06-right-way.sh", "06-right-way.ours.json", &[200, 200], &["qrcode", "instance_id"]).await;
    manual.check("07-reference.sh", "07-reference.json", &[200], new_id).await;
    let frontend = manual.check("08-frontend.mjs", "08-frontend.txt", &[], &[]).await;
    let three = manual.check("09-three-sessions.sh", "09-three-sessions.txt", &[200, 200, 200], &[]).await.unwrap();
    let different: BTreeSet<_> = three.iter().filter_map(Value::as_str).collect();
    assert_eq!(different.len(), 3, "{three:?}");
    let of_new = &["qrcode", "instance_id"];
    let new = manual.check("10-qr-of-new.sh", "10-qr-of-new.ours.json", &[200, 200], of_new).await;
    manual.check("11-algorithm.mjs", "11-algorithm.txt", &[], &[]).await;

    // "Test 3: Check Logs" of the manual: each new instance is told once, however often it was asked for.
    let said = world.stop().await;
    let id = |answer: &Value| answer["instance_id"].as_str().map(str::to_owned);
    let mut made: Vec<_> = right.iter().chain(&new).flatten().filter_map(id).collect();
    made.extend(["LRKZ4ABCDEF".to_owned(), "6921B60FBF7D9".to_owned()]);
    made.extend(workflow.iter().chain(&frontend).filter_map(|values| Some(values[0].as_str()?.to_owned())));
    for id in &made {
        let line = format!("Creating new WhatsApp socket for instance: {id}");
        assert_eq!(said.matches(&line).count(), 1, "{line}");
    }
    assert!(made.len() >= 4 && !said.contains("instance: 123") && !said.contains("instance: 456"));
}
