//! Groups: texts with sender keys in both directions.

use kurir_sim::Addressing;
use serde_json::json;

use crate::client::{Baileys, PATIENCE, simulator};
use crate::inbox::shown;

const OWN: &str = "15551230001";
const PHONES: [&str; 3] = ["15551230002", "15551230003", "15551230004"];

#[tokio::test(flavor = "multi_thread")]
async fn a_client_makes_a_group_and_all_read_its_texts() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, device)) = Baileys::linked(&sim, OWN).await else { return };
    let members = json!({ "subject": "friends", "members": PHONES });
    let group = client.ask("createGroup", members).await.expect("the group is made");
    let group = group.as_str().expect("an address").to_owned();
    for text in ["to all of you", "and again"] {
        let id = client.send(&group, text).await;
        for phone in PHONES {
            let message = shown(&sim, phone, &id).await;
            assert_eq!(message.text.as_deref(), Some(text));
            assert_eq!(message.group.map(|group| group.to_string()), Some(group.clone()));
            assert_eq!((message.from, message.from_device, message.arrivals), (device.account, device.device, 1));
        }
    }
    assert_eq!(sim.counters().unreadable, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_in_the_group_and_the_client_reads() {
    for addressing in [Addressing::Lid, Addressing::Pn] {
        let sim = simulator(|_| ()).await;
        let Some((mut client, _)) = Baileys::linked(&sim, OWN).await else { return };
        let group = sim.create_group(PHONES[0], "theirs", &[OWN, PHONES[1]], addressing).expect("made").id;
        for text in ["hello", "hello again"] {
            let id = sim.send_group_text(PHONES[0], group, text).await.expect("the phone writes");
            let message = client.text(text).await;
            assert_eq!((&message["id"], &message["chat"]), (&json!(id), &json!(group.to_string())));
            assert_eq!(message["mine"], false);
        }
        let known = client.ask("group", json!({ "group": group.to_string() })).await.expect("it may ask");
        assert_eq!(known, json!({ "subject": "theirs", "size": 3 }));
        let id = client.send(&group.to_string(), "and back").await;
        for phone in &PHONES[..2] {
            assert_eq!(shown(&sim, phone, &id).await.text.as_deref(), Some("and back"));
        }
        assert_eq!(sim.counters().unreadable, 0);
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
}
