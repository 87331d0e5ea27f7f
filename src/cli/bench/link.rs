//! Links sessions as their phones' owners would, at the simulator's control interface.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kurir_core::domain::{EventKind, SessionId};
use kurir_core::port::EventStream;
use kurir_core::wire::{EventV1, SessionDataV1};
use tokio::task::JoinSet;

use super::process::{Launch, Process};

/// How long one step of the linking may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running simulator.
pub struct Simulator {
    /// The process.
    pub process: Process,
    /// Where clients connect.
    pub endpoint: String,
    scanner: Scanner,
}

/// The simulator's phones, which scan codes.
#[derive(Clone)]
pub struct Scanner {
    control: String,
}

impl Scanner {
    /// The phones of the simulator whose control interface is here.
    pub const fn at(control: String) -> Self {
        Self { control }
    }

    /// Scans a code with the phone of `number`.
    pub async fn scan(&self, qr: &str, number: String) -> anyhow::Result<()> {
        let (url, body) = (format!("{}/scan", self.control), serde_json::json!({"qr": qr, "phone": number}));
        let scanned = tokio::task::spawn_blocking(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
            agent.post(&url).send_json(body).map(drop)
        });
        scanned.await?.context("the simulated phone could not scan the code")
    }
}

impl Simulator {
    /// Starts one on free ports.
    pub async fn start(launch: &Launch) -> anyhow::Result<Self> {
        let mut process = Process::start("simulator", &["sim"], launch)?;
        let line = process.line().await?;
        let (endpoint, control) = addresses(&line).with_context(|| format!("the simulator said {line:?}"))?;
        Ok(Self { process, endpoint, scanner: Scanner { control } })
    }

    /// Its phones.
    pub fn scanner(&self) -> Scanner {
        self.scanner.clone()
    }

    /// Scans the code of each of these sessions as its event comes in, and waits until all can send.
    pub async fn link(&self, events: &mut dyn EventStream, sessions: &[SessionId]) -> anyhow::Result<()> {
        let mut unscanned: HashSet<&str> = sessions.iter().map(SessionId::as_str).collect();
        let mut unconnected = unscanned.clone();
        let mut scans = JoinSet::new();
        while !unconnected.is_empty() {
            let event = tokio::select! {
                event = tokio::time::timeout(PATIENCE, events.next()) => {
                    let event = event.with_context(|| format!("{} sessions are not linked", unconnected.len()))??;
                    event.context("the events ended while sessions were being linked")?
                }
                Some(scanned) = scans.join_next() => {
                    scanned??;
                    continue;
                }
            };
            let Ok(event) = serde_json::from_slice::<EventV1<SessionDataV1>>(&event.body) else { continue };
            let session = event.session.as_deref().unwrap_or_default();
            match EventKind::parse(&event.kind) {
                Some(EventKind::SessionQr) if unscanned.remove(session) => {
                    let qr = event.data.qr.context("the event session.qr holds no code")?;
                    let at = sessions.iter().position(|id| id.as_str() == session).unwrap_or_default();
                    let scanner = self.scanner();
                    scans.spawn(async move { scanner.scan(&qr.text, super::sender(at)).await });
                }
                Some(EventKind::SessionConnected) => {
                    unconnected.remove(session);
                }
                Some(EventKind::SessionLoggedOut | EventKind::SessionBanned) => bail!("session {session} was lost"),
                _ => {}
            }
        }
        Ok(())
    }
}

fn addresses(line: &str) -> Option<(String, String)> {
    let (_, rest) = line.split_once("clients connect to ")?;
    let (endpoint, control) = rest.split_once(", control and page at ")?;
    Some((endpoint.to_owned(), control.trim().trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulators_line_is_understood() {
        let line =
            "WhatsApp simulator: clients connect to ws://127.0.0.1:1/ws/chat, control and page at http://127.0.0.1:2/";
        let (endpoint, control) = addresses(line).unwrap();
        assert_eq!((endpoint.as_str(), control.as_str()), ("ws://127.0.0.1:1/ws/chat", "http://127.0.0.1:2"));
        assert!(addresses("something else").is_none());
    }
}
