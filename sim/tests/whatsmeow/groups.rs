//! Groups: made by the client or by a phone, texts with sender keys in both directions, members that come and go.

use kurir_sim::{Addressing, SimHandle};
use serde_json::json;

use crate::client::{PATIENCE, TestClient, jid, simulator};
use crate::inbox::shown;
use crate::program::Program;

const OWN: &str = "15551230001";
const PHONES: [&str; 3] = ["15551230002", "15551230003", "15551230004"];

async fn send(client: &TestClient, group: &str, text: &str) -> String {
    let sent = client.ask("send", json!({ "to": group, "text": text })).await.expect("the server takes it");
    sent["id"].as_str().expect("an id").to_owned()
}

/// All these phones show the text.
async fn all_show(sim: &SimHandle, phones: &[&str], group: &str, id: &str, text: &str) {
    for phone in phones {
        let message = shown(sim, phone, id).await;
        assert_eq!((message.text.as_deref(), message.arrivals), (Some(text), 1));
        assert_eq!(message.group.map(|group| group.to_string()).as_deref(), Some(group));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_makes_a_group_and_all_read_its_texts() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", OWN).await;
    let members: Vec<String> = PHONES[..2].iter().map(|phone| jid(phone)).collect();
    let group = client.ask("create_group", json!({ "text": "friends", "of": members })).await.expect("it is made");
    let group = group.as_str().expect("an address").to_owned();
    for text in ["to all of you", "and again"] {
        let id = send(&client, &group, text).await;
        all_show(&sim, &PHONES[..2], &group, &id, text).await;
        client.receipts(&id, &["", "read"]).await;
    }
    let more = json!({ "to": group, "of": [jid(PHONES[2])], "state": "add" });
    client.ask("member", more).await.expect("its maker may");
    let id = send(&client, &group, "with one more").await;
    all_show(&sim, &PHONES, &group, &id, "with one more").await;
    let fewer = json!({ "to": group, "of": [jid(PHONES[0])], "state": "remove" });
    client.ask("member", fewer).await.expect("its maker may");
    let id = send(&client, &group, "with one less").await;
    all_show(&sim, &PHONES[1..], &group, &id, "with one less").await;
    assert!(sim.inbox(PHONES[0]).expect("it exists").iter().all(|message| message.id != id));
    assert_eq!(sim.counters().unreadable, 0);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_writes_in_the_group_and_the_client_reads_and_answers() {
    for addressing in [Addressing::Lid, Addressing::Pn] {
        let sim = simulator(|_| ()).await;
        let Some(program) = Program::start(&sim) else { return };
        let (mut client, _) = TestClient::linked(&program, &sim, "anna", OWN).await;
        let group = sim.create_group(PHONES[0], "theirs", &[OWN, PHONES[1]], addressing).expect("made").id;
        for text in ["hello", "hello again"] {
            let id = sim.send_group_text(PHONES[0], group, text).await.expect("the phone writes");
            // whatsmeow tells of the sender's key, which comes with the first text, as of a message of its own.
            let (chat, read) = client
                .event("message", |event| {
                    (event["id"] == id.as_str() && event["text"] != "")
                        .then(|| (event["chat"].clone(), event["text"].clone()))
                })
                .await;
            assert_eq!((chat, read), (json!(group.to_string()), json!(text)));
        }
        let known = client.ask("group", json!({ "to": group.to_string() })).await.expect("it may ask");
        assert_eq!(known, json!({ "subject": "theirs", "size": 3 }));
        let id = send(&client, &group.to_string(), "and back").await;
        all_show(&sim, &PHONES[..2], &group.to_string(), &id, "and back").await;
        assert_eq!(sim.counters().unreadable, 0);
        client.stop().await;
        sim.stop(PATIENCE).await;
    }
}
