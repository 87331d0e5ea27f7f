//! One whatsmeow client, as a test drives it.

use std::time::Duration;

use kurir_sim::{CancellationToken, LinkedDevice, SimConfig, SimHandle, Simulator};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::program::Program;

/// Long enough for a busy machine; no test waits for it unless something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub async fn simulator(change: impl FnOnce(&mut SimConfig)) -> SimHandle {
    let mut config = SimConfig { seed: Some(1), ..SimConfig::default() };
    change(&mut config);
    Simulator::start(config, CancellationToken::new()).await.expect("the simulator starts")
}

/// `N@s.whatsapp.net`.
pub fn jid(number: &str) -> String {
    format!("{number}@s.whatsapp.net")
}

/// A running client. All its events come in order.
pub struct TestClient {
    program: Program,
    name: String,
    events: mpsc::Receiver<Value>,
}

impl TestClient {
    pub fn new(program: Program, name: &str, events: mpsc::Receiver<Value>) -> Self {
        Self { program, name: name.to_owned(), events }
    }

    /// A client that the phone of `number` has linked, connected.
    pub async fn linked(program: &Program, sim: &SimHandle, name: &str, number: &str) -> (Self, LinkedDevice) {
        let mut client = program.client(name).await;
        let codes = client.event("qr", |event| event["codes"].as_array().cloned()).await;
        let code = codes[0].as_str().expect("a text");
        let device = sim.scan(code, number).await.expect("the scan links");
        // Its account's name comes with the synchronised state, before or after the connection.
        let (mut connected, mut named) = (false, false);
        client
            .until("connection", |event| {
                connected |= event["event"] == "connected";
                named |= event["event"] == "state_synced" && event["name"] == "critical_block";
                (connected && named).then_some(())
            })
            .await;
        (client, device)
    }

    /// Has the client do something, and waits for the outcome.
    pub async fn ask(&self, what: &str, arguments: Value) -> Result<Value, String> {
        self.program.ask(&self.name, what, arguments).await
    }

    /// The next event of this kind for which `pick` gives something.
    pub async fn event<T>(&mut self, kind: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        self.until(kind, |event| if event["event"] == kind { pick(event) } else { None }).await
    }

    /// The next event for which `pick` gives something; `what` names it when it does not come.
    pub async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the program runs");
                if let Some(picked) = pick(&event) {
                    return picked;
                }
                seen.push(event["event"].to_string());
            }
        };
        let picked = tokio::time::timeout(PATIENCE, wait).await;
        picked.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}, but {seen:?}"))
    }

    pub async fn connected(&mut self) {
        self.event("connected", |_| Some(())).await;
    }

    /// Sends a text to a number and waits for the server's answer. Returns the message id.
    pub async fn send(&self, to: &str, text: &str) -> String {
        let sent = self.ask("send", json!({ "to": jid(to), "text": text })).await.expect("the server takes it");
        sent["id"].as_str().expect("an id").to_owned()
    }

    /// The next text that comes in: id, sender, text.
    pub async fn text(&mut self) -> (String, String, String) {
        self.event("message", |event| {
            let field = |name: &str| event[name].as_str().map(str::to_owned);
            Some((field("id")?, field("sender")?, field("text").filter(|text| !text.is_empty())?))
        })
        .await
    }

    /// Waits for receipts of a message: the kinds that are wanted, in whatever order.
    pub async fn receipts(&mut self, id: &str, kinds: &[&str]) {
        let mut missing: Vec<&str> = kinds.to_vec();
        self.event("receipt", |event| {
            if event["ids"].as_array().is_some_and(|ids| ids.iter().any(|known| known == id)) {
                missing.retain(|kind| event["kind"] != *kind);
            }
            missing.is_empty().then_some(())
        })
        .await;
    }

    /// Ends the client, keeping its credentials.
    pub async fn stop(self) {
        self.ask("stop", json!({})).await.expect("it was running");
    }
}
