//! WhatsApp, and the simulator that stands in for it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::read;

/// `[whatsapp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatsappConfig {
    /// Where to connect; `None`: WhatsApp itself.
    #[serde(deserialize_with = "read::maybe_text")]
    pub endpoint: Option<String>,
    /// Version of WhatsApp Web to present; `None`: the client library's own.
    #[serde(deserialize_with = "read::maybe_name")]
    pub client_version: Option<ClientVersion>,
    /// One-time prekeys that a session keeps on WhatsApp's server.
    pub prekeys: u32,
    /// The certificate that a simulator's media server is trusted by, or the file that it is in; `None`: no files.
    #[serde(deserialize_with = "read::maybe_text")]
    pub media_ca: Option<String>,
    /// What the phone shows in its list of linked devices.
    pub device_name: String,
    /// How long connecting may take.
    #[serde(deserialize_with = "read::span")]
    pub connect_timeout: Duration,
}

/// A version of WhatsApp Web, like 2.3000.1031.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientVersion(pub u32, pub u32, pub u32);

impl std::str::FromStr for ClientVersion {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some([a, b, c]) => Ok(Self(*a, *b, *c)),
            _ => Err("three numbers with points between them, like \"2.3000.1031\", are expected"),
        }
    }
}

/// `[simulator]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatorConfig {
    /// Where clients connect.
    #[serde(deserialize_with = "read::address")]
    pub listen: SocketAddr,
    /// Where its HTTP control interface listens.
    #[serde(deserialize_with = "read::address")]
    pub control: SocketAddr,
    /// When the phones confirm the arrival of a message; `None`: never.
    #[serde(deserialize_with = "read::maybe_span")]
    pub delivered_after: Option<Duration>,
    /// When the phones confirm that it was read; `None`: never.
    #[serde(deserialize_with = "read::maybe_span")]
    pub read_after: Option<Duration>,
    /// Whether the last four digits of a number decide what happens to a message.
    pub magic_endings: bool,
    /// A file with faults and the moment of each; `None`: none.
    #[serde(deserialize_with = "read::maybe_text")]
    pub scenario: Option<String>,
    /// A folder in which accounts, phones and devices survive the end of the process; `None`: they don't.
    #[serde(deserialize_with = "read::maybe_text")]
    pub state: Option<String>,
}
