//! A Baileys client and a simulator for one test.

use std::collections::HashMap;
use std::time::Duration;

use kurir_sim::{CancellationToken, DeviceView, LinkedDevice, SimConfig, SimHandle, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::Program;

/// Long enough for a busy machine; no test waits for it unless something is wrong.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub async fn simulator(change: impl FnOnce(&mut SimConfig)) -> SimHandle {
    let mut config = SimConfig { seed: Some(1), ..SimConfig::default() };
    // Node may be slow to answer.
    config.limits.handshake = PATIENCE;
    config.limits.pairing = PATIENCE;
    change(&mut config);
    Simulator::start(config, CancellationToken::new()).await.expect("the simulator starts")
}

/// A running client. It keeps all its events, because Baileys merges and reorders some: tests ask what is known, not
/// what came next.
pub struct Baileys {
    program: Program,
    /// Where its login is.
    login: TempDir,
    events: Vec<Value>,
    answers: HashMap<u64, Result<Value, String>>,
    requests: u64,
}

impl Baileys {
    /// Starts a client with the login in a folder; an empty folder makes it ask to be linked. `None` where there is no
    /// Node: the test is then to end.
    pub async fn start(sim: &SimHandle, login: TempDir) -> Option<Self> {
        Self::start_with(sim, sim.root_key(), login, &[]).await
    }

    /// A new client that checks signatures, which Baileys 7.0.0-rc14 by itself does not, and trusts this root key.
    pub async fn checking(sim: &SimHandle, root: [u8; 32]) -> Option<Self> {
        let login = tempfile::tempdir().expect("a folder");
        Self::start_with(sim, root, login, &[("CHECK_SIGNATURES", "1")]).await
    }

    async fn start_with(sim: &SimHandle, root: [u8; 32], login: TempDir, environment: &[(&str, &str)]) -> Option<Self> {
        let root = root.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let folder = login.path().to_str().expect("a plain path").to_owned();
        // Node trusts it for what is uploaded and downloaded; Baileys reads no file of this name.
        let authority = login.path().join("media-authority.pem");
        std::fs::write(&authority, sim.media_ca_pem()).expect("written");
        let mut environment = environment.to_vec();
        environment.push(("NODE_EXTRA_CA_CERTS", authority.to_str().expect("a plain path")));
        let program = Program::start("baileys/client.mjs", &[&sim.ws_url(), &root, &folder], &environment)?;
        let mut client = Self { program, login, events: Vec::new(), answers: HashMap::new(), requests: 0 };
        client.ask("connect", json!({})).await.expect("it begins");
        Some(client)
    }

    /// A new client that asks to be linked.
    pub async fn unlinked(sim: &SimHandle) -> Option<Self> {
        Self::start(sim, tempfile::tempdir().expect("a folder")).await
    }

    /// A client that the phone of `number` has linked, connected.
    pub async fn linked(sim: &SimHandle, number: &str) -> Option<(Self, LinkedDevice)> {
        let mut client = Self::unlinked(sim).await?;
        let qr = client.qr().await;
        let device = sim.scan(&qr, number).await.expect("the scan links");
        client.opened(1).await;
        Some((client, device))
    }

    /// Asks for something to be done and waits for the answer.
    pub async fn ask(&mut self, request: &str, parameters: Value) -> Result<Value, String> {
        self.requests += 1;
        let id = self.requests;
        let mut line = parameters;
        line["request"] = request.into();
        line["id"] = id.into();
        self.program.send(&line).await;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            self.read(request).await;
        }
    }

    /// Waits until `pick` makes something of the events so far.
    pub async fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&[Value]) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(&self.events) {
                return picked;
            }
            self.read(what).await;
        }
    }

    async fn read(&mut self, what: &str) {
        let line = self.program.line(what).await;
        match line["answer"].as_u64() {
            Some(id) => {
                let answer = match line["error"].as_str() {
                    Some(error) => Err(error.to_owned()),
                    None => Ok(line["value"].clone()),
                };
                self.answers.insert(id, answer);
            }
            None => self.events.push(line),
        }
    }

    /// Waits for the first event of a kind for which `fits` says yes.
    pub async fn event(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let fitting = |events: &[Value]| events.iter().find(|event| event["event"] == kind && fits(event)).cloned();
        self.wait(kind, fitting).await
    }

    /// What happened so far, of one kind.
    pub fn seen(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == kind).collect()
    }

    pub async fn qr(&mut self) -> String {
        self.event("qr", |_| true).await["qr"].as_str().expect("a text").to_owned()
    }

    /// Waits until it was connected `times` times since it was started.
    pub async fn opened(&mut self, times: usize) {
        self.wait("connection", |events| {
            (events.iter().filter(|event| event["event"] == "open").count() >= times).then_some(())
        })
        .await;
    }

    /// Waits for the end of a connection with this code; tells whether the client comes back by itself.
    pub async fn closed(&mut self, code: u16) -> bool {
        self.event("closed", |event| event["code"] == code).await["again"].as_bool().expect("a decision")
    }

    /// Sends a text and returns its id.
    pub async fn send(&mut self, to: &str, text: &str) -> String {
        self.send_content(to, json!({ "text": text })).await
    }

    /// Sends what Baileys makes of `content` and returns its id. `to` is a number or an address.
    pub async fn send_content(&mut self, to: &str, content: Value) -> String {
        let id = self.ask("send", json!({ "to": to, "content": content })).await.expect("the client sends");
        id.as_str().expect("an id").to_owned()
    }

    /// Waits until a message has this status or a later one: a later one may be told alone.
    pub async fn status(&mut self, id: &str, wanted: &str) {
        const ORDER: [&str; 3] = ["SERVER_ACK", "DELIVERY_ACK", "READ"];
        let place = |status: &str| ORDER.iter().position(|known| *known == status);
        let wanted = place(wanted).expect("a known status");
        self.event("status", |event| {
            event["id"] == id && event["status"].as_str().and_then(place).is_some_and(|status| status >= wanted)
        })
        .await;
    }

    /// Waits for a message with this text.
    pub async fn text(&mut self, text: &str) -> Value {
        self.event("message", |event| event["text"] == text).await
    }

    /// Ends the connection and the client; its login is kept in the folder.
    pub async fn stop(mut self) -> TempDir {
        self.ask("stop", json!({})).await.expect("it ends");
        self.login
    }
}

/// Waits until a linked device is as `fits` wants it.
pub async fn device(sim: &SimHandle, wanted: &LinkedDevice, fits: impl Fn(&DeviceView) -> bool) -> DeviceView {
    sim.wait_until("the state of the device", PATIENCE, |sim| {
        let account = sim.accounts().into_iter().find(|account| account.number == wanted.account)?;
        account.devices.into_iter().find(|device| device.id == wanted.device && fits(device))
    })
    .await
    .unwrap_or_else(|error| panic!("{error}: {:?}", sim.accounts()))
}
