//! A kept state: the simulator ends, another one goes on where it was.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use kurir_sim::{CancellationToken, Fault, PhoneBehaviour, PhoneNumber, SimConfig, SimHandle, Simulator};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use whatsapp_rust::http::UreqHttpClient;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::ReceiptType;

use crate::client::{PATIENCE, TestClient};
use crate::http::ask_at;

/// A folder of one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kurir-sim-{}-{name}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn config(folder: &Folder) -> SimConfig {
    SimConfig { state: Some(folder.0.clone()), ..SimConfig::default() }
}

async fn simulator_in(folder: &Folder) -> SimHandle {
    Simulator::start(config(folder), CancellationToken::new()).await.expect("the simulator starts")
}

fn number(text: &str) -> PhoneNumber {
    text.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_log_in_again_and_go_on_with_their_sessions() {
    let folder = Folder::new("sessions");
    let sim = simulator_in(&folder).await;
    let key = sim.root_key();
    let (mut client, device) = TestClient::linked(&sim, "15551230001").await;
    let first = client.send("15551230002", "before").await;
    client.ack_and_receipts(&first).await;
    let answer = sim.send_text("15551230002", "15551230001", "an answer").await.expect("sends");
    assert_eq!(client.text().await.0, answer);
    let store = client.stop().await;
    let queued = sim.send_text("15551230002", "15551230001", "while it is away").await.expect("sends");
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);

    let sim = simulator_in(&folder).await;
    assert_eq!(sim.root_key(), key);
    let kept = &sim.accounts()[0];
    assert_eq!((kept.number, kept.devices[0].id), (device.account, device.device));
    // What it had not acknowledged when it was stopped waits beside the text.
    assert!(kept.devices[0].waiting >= 1);
    let mut client = TestClient::start(&sim, store).await;
    // It comes with the login, and may be told before it.
    assert_eq!(client.text().await.0, queued);
    assert_eq!(sim.counters().resumed, 1, "it logs in by IK, with the key it remembers");
    // Both directions go on in the sessions there were.
    let second = client.send("15551230002", "after").await;
    client.ack_and_receipts(&second).await;
    let answer = sim.send_text("15551230002", "15551230001", "another answer").await.expect("sends");
    assert_eq!(client.text().await.0, answer);
    assert_eq!((sim.counters().unreadable, sim.counters().counter_replays), (0, 0));
    let inbox = sim.inbox("15551230002").expect("a number");
    assert_eq!(inbox.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(sim.phone("15551230001").expect("a number").copies.len(), 2);
    // A new device gets a number that was not used before.
    let (other, linked) = TestClient::linked(&sim, "15551230001").await;
    assert_eq!(linked.device, device.device + 1);
    other.stop().await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_their_keys_stay() {
    let folder = Folder::new("groups");
    let sim = simulator_in(&folder).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let group = sim.create_group("15551230002", "friends", &["15551230001"], kurir_sim::Addressing::default());
    let group = group.expect("a good name").id;
    let before = sim.send_group_text("15551230002", group, "before").await.expect("a member");
    assert_eq!(client.text().await.0, before);
    let described = sim.group(group).expect("there");
    let store = client.stop().await;
    sim.stop(PATIENCE).await;

    let sim = simulator_in(&folder).await;
    assert_eq!(sim.group(group), Some(described));
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    let after = sim.send_group_text("15551230002", group, "after").await.expect("a member");
    assert_eq!(client.text().await.0, after);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_resent_after_a_restart_is_still_a_duplicate() {
    let folder = Folder::new("duplicate");
    let sim = simulator_in(&folder).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    let id = client.send("15551230002", "once").await;
    client.ack_and_receipts(&id).await;
    let store = client.stop().await;
    sim.stop(PATIENCE).await;

    let sim = simulator_in(&folder).await;
    let mut client = TestClient::start(&sim, store).await;
    client.connected().await;
    let options = whatsapp_rust::send::SendOptions::default().with_message_id(id.as_str());
    let message = whatsapp_rust::waproto::whatsapp::Message { conversation: Some("once".into()), ..Default::default() };
    let to = whatsapp_rust::Jid::pn("15551230002");
    client.client.send_message_with_options(to, message, options).await.expect("sends");
    client.server_ack(&id).await;
    sim.wait_until("the second arrival", PATIENCE, |sim| (sim.counters().duplicates == 1).then_some(()))
        .await
        .expect("it is told");
    let inbox = sim.inbox("15551230002").expect("a number");
    assert_eq!((inbox.len(), inbox[0].arrivals, inbox[0].shown), (1, 2, 1));
    assert_eq!(sim.audit(0).twice_on_wire.len(), 1);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_timelocks_settings_and_logouts_stay() {
    let folder = Folder::new("bans");
    let sim = simulator_in(&folder).await;
    let (banned, _) = TestClient::linked(&sim, "15551230001").await;
    let (mut gone, device) = TestClient::linked(&sim, "15551230003").await;
    let hello = gone.send("15551230007", "hello").await;
    gone.ack_and_receipts(&hello).await;
    sim.fault(Fault::Ban { account: number("15551230001"), expire_secs: None }).await.expect("a good fault");
    let lock = Fault::ReachoutTimelock { account: number("15551230003"), for_secs: None, enforcement_type: None };
    sim.fault(lock).await.expect("a good fault");
    let quiet = PhoneBehaviour { never_read: true, ..PhoneBehaviour::default() };
    sim.set_phone("15551230002", quiet).expect("a number");
    let blocked = whatsapp_rust::Jid::pn("15551230007");
    gone.client.blocking().block(&blocked).await.expect("it blocks");
    let store = gone.stop().await;
    sim.logout("15551230003", device.device).await.expect("it is linked");
    banned.stop().await;
    sim.stop(PATIENCE).await;

    let sim = simulator_in(&folder).await;
    assert!(sim.accounts()[0].banned);
    let mut gone = TestClient::start(&sim, store).await;
    gone.wait("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    gone.stop().await;
    let (mut client, _) = TestClient::linked(&sim, "15551230003").await;
    assert_eq!(client.client.blocking().get_blocklist().await.expect("an answer").len(), 1);
    let refused = client.send("15551230002", "a new chat").await;
    assert_eq!(client.server_ack(&refused).await.error.as_deref(), Some("463"));
    sim.fault(Fault::LiftTimelock { account: number("15551230003") }).await.expect("a good fault");
    let unread = client.send("15551230002", "never read").await;
    sim.wait_for_messages("15551230002", 1, PATIENCE).await.expect("it arrives");
    sim.set_phone("15551230002", PhoneBehaviour::default()).expect("a number");
    let read = client.send("15551230002", "read").await;
    client
        .wait("read receipt", |event| match event {
            Event::Receipt(receipt) if receipt.r#type == ReceiptType::Read => {
                assert!(!receipt.message_ids.contains(&unread), "the phone's setting was kept");
                receipt.message_ids.contains(&read).then_some(())
            }
            _ => None,
        })
        .await;
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_in_use_or_damaged_is_refused() {
    let folder = Folder::new("damaged");
    let sim = simulator_in(&folder).await;
    let error = Simulator::start(config(&folder), CancellationToken::new()).await.expect_err("in use").to_string();
    assert!(error.contains("another simulator uses it"), "{error}");
    sim.stop(PATIENCE).await;
    std::fs::write(folder.0.join("state.redb"), vec![7; 8192]).expect("writes");
    let error = Simulator::start(config(&folder), CancellationToken::new()).await.expect_err("damaged").to_string();
    assert!(error.contains("state.redb") && error.contains("damaged"), "{error}");
}

/// The variables that make a process of this test binary serve.
const STATE: &str = "KURIR_SIM_TEST_STATE";
const LISTEN: &str = "KURIR_SIM_TEST_LISTEN";

/// Not a test of its own: the process that the test below kills. Without its variable it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn serve_until_killed() {
    let Some(folder) = std::env::var_os(STATE) else {
        return;
    };
    let websocket = std::env::var(LISTEN).expect("an address").parse().expect("an address");
    let config = SimConfig { state: Some(folder.into()), websocket, ..SimConfig::default() };
    let sim = Simulator::start(config, CancellationToken::new()).await.expect("the simulator starts");
    println!("\nserving {} {}", sim.ws_url(), sim.control_url());
    sim.stopped().await;
}

/// A simulator in a process of its own.
struct Process {
    child: Child,
    websocket: String,
    control: String,
}

impl Process {
    async fn start(folder: &Folder, listen: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "state::serve_until_killed", "--nocapture"])
            .env(STATE, &folder.0)
            .env(LISTEN, listen)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let serving = async {
            loop {
                let line = lines.next_line().await.expect("text").expect("it serves before it ends");
                if let Some(serving) = line.strip_prefix("serving ") {
                    let (websocket, control) = serving.split_once(' ').expect("two addresses");
                    return (websocket.to_owned(), control.trim_start_matches("http://").to_owned());
                }
            }
        };
        let (websocket, control) = tokio::time::timeout(PATIENCE, serving).await.expect("it serves");
        Self { child, websocket, control }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_simulator_comes_back_with_all_but_the_last_second() {
    let folder = Folder::new("killed");
    let mut process = Process::start(&folder, "127.0.0.1:0").await;
    let mut client = TestClient::dial(&process.websocket, std::sync::Arc::default(), UreqHttpClient::new()).await;
    let scan = json!({ "qr": client.qr().await, "phone": "15551230001" });
    assert_eq!(ask_at(&process.control, "POST", "/scan", Some(scan)).await.status, 200);
    client.connected().await;
    let before = client.send("15551230002", "before").await;
    client.ack_and_receipts(&before).await;
    tokio::time::sleep(Duration::from_secs(2)).await; // tidy: what is older than a second is the promise
    process.child.kill().await.expect("it is killed");

    let listen = process.websocket.trim_start_matches("ws://").trim_end_matches("/ws/chat").to_owned();
    let process = Process::start(&folder, &listen).await;
    client.connected().await;
    let inbox = ask_at(&process.control, "GET", "/phones/15551230002/inbox", None).await.json();
    assert_eq!(inbox[0]["id"], json!(before));
    let after = client.send("15551230002", "after").await;
    client.ack_and_receipts(&after).await;
    let text = json!({ "to": "15551230001", "text": "an answer" });
    let sent = ask_at(&process.control, "POST", "/phones/15551230002/send", Some(text)).await.json();
    assert_eq!(json!(client.text().await.0), sent["id"]);
    let counters = ask_at(&process.control, "GET", "/counters", None).await.json();
    assert_eq!((&counters["resumed"], &counters["unreadable"]), (&json!(1), &json!(0)), "{counters}");
    client.stop().await;
}
