//! How clients reach WhatsApp and present themselves.

use std::net::IpAddr;
use std::time::Duration;

use http::Uri;
use whatsapp_rust::wacore::net::WHATSAPP_WEB_WS_URL;

/// The version told to a simulator when none is configured; it takes any. Of the real WhatsApp the library asks it.
const SIMULATOR_VERSION: (u32, u32, u32) = (2, 3000, 1_023_000_000);

/// Where WhatsApp is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The real one. Refused by a build with feature `simulator`, because that build does not check certificates.
    WhatsApp,
    /// A simulator, `ws://` and an address of this machine. Taken only by a build with feature `simulator`.
    Simulator(String),
}

/// Settings of the WhatsApp adapter.
#[derive(Clone, Debug)]
pub struct WhatsAppOptions {
    /// Where WhatsApp is.
    pub endpoint: Endpoint,
    /// The version of WhatsApp Web to claim, like `(2, 3000, N)`. `None`: the current one is looked up over HTTPS.
    pub client_version: Option<(u32, u32, u32)>,
    /// What the phone shows in its list of linked devices. Told when the session is linked.
    pub device_name: String,
    /// How many one-time pre-keys are kept at WhatsApp; each contact that writes first uses one. WhatsApp Web keeps
    /// 812; an idle session with 30 takes less than half of the memory.
    pub prekeys: usize,
    /// How long connecting may take, to the end of the WebSocket's upgrade. The library itself gives up after 20 s.
    pub connect_limit: Duration,
    /// How many events may wait for the connection's reader. Half of it full, nothing more is read from WhatsApp.
    pub event_capacity: usize,
    /// The authority, in PEM, that a simulator's media server is trusted by; `None`: no files go to or from a simulator.
    pub media_ca: Option<String>,
    /// Most bytes of one file from WhatsApp; what its sender says of its length is not trusted.
    pub largest_file: u64,
}

impl Default for WhatsAppOptions {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::WhatsApp,
            client_version: None,
            device_name: "kurir".to_owned(),
            prekeys: 100,
            connect_limit: Duration::from_secs(15),
            event_capacity: 1024,
            media_ca: None,
            largest_file: 100 << 20,
        }
    }
}

/// Settings that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// A build that does not check WhatsApp's certificate must not reach it.
    #[error(
        "this build has feature `simulator`, which switches the check of WhatsApp's certificate off, so it does not \
         connect to the real WhatsApp; build without that feature, or give a simulator's ws:// address"
    )]
    RealEndpoint,
    /// What is to be trusted is no certificate.
    #[error("the authority of the simulator's media server is no certificate in PEM")]
    BadAuthority,
    /// Only a build with feature `simulator` can talk to one.
    #[error(
        "the endpoint is a simulator, and this build talks to the real WhatsApp only; build with `--features simulator`"
    )]
    NoSimulator,
    /// Not `ws://` and an address of this machine.
    #[error(
        "a simulator's endpoint is ws:// and a loopback address with a port, like ws://127.0.0.1:8080/ws/chat; {url:?} is not"
    )]
    NotLoopback {
        /// What was given.
        url: String,
    },
    /// A number that is out of range.
    #[error("{name} is {value}, it must be {wanted}")]
    Range {
        /// The setting's name.
        name: &'static str,
        /// What was given.
        value: usize,
        /// What would be right.
        wanted: &'static str,
    },
}

/// Where a checked endpoint leads.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub uri: Uri,
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

impl WhatsAppOptions {
    /// Checks the settings; gives where to connect.
    pub(super) fn check(&self) -> Result<Target, OptionsError> {
        // The protocol refuses an upload of fewer keys than 5 and of more than 812.
        if !(5..=812).contains(&self.prekeys) {
            return Err(OptionsError::Range { name: "prekeys", value: self.prekeys, wanted: "5 to 812" });
        }
        if self.event_capacity < 16 {
            let value = self.event_capacity;
            return Err(OptionsError::Range { name: "event_capacity", value, wanted: "16 or more" });
        }
        self.endpoint.check(cfg!(feature = "simulator"))
    }

    /// The version to claim; `None` has the library look it up.
    pub(super) fn version(&self) -> Option<(u32, u32, u32)> {
        self.client_version.or(matches!(self.endpoint, Endpoint::Simulator(_)).then_some(SIMULATOR_VERSION))
    }
}

impl Endpoint {
    fn check(&self, simulator_build: bool) -> Result<Target, OptionsError> {
        let url = match self {
            Self::WhatsApp if simulator_build => return Err(OptionsError::RealEndpoint),
            Self::Simulator(_) if !simulator_build => return Err(OptionsError::NoSimulator),
            Self::WhatsApp => WHATSAPP_WEB_WS_URL,
            Self::Simulator(url) => url,
        };
        let not_loopback = || OptionsError::NotLoopback { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| not_loopback())?;
        let tls = *self == Self::WhatsApp;
        let host = uri.host().ok_or_else(not_loopback)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !tls {
            let is_loopback = host.parse::<IpAddr>().map_or(host == "localhost", |ip| ip.is_loopback());
            if uri.scheme_str() != Some("ws") || uri.port().is_none() || !is_loopback {
                return Err(not_loopback());
            }
        }
        let port = uri.port_u16().unwrap_or(443);
        Ok(Target { uri, host, port, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulator(url: &str) -> Endpoint {
        Endpoint::Simulator(url.to_owned())
    }

    #[test]
    fn a_build_reaches_either_whatsapp_or_a_simulator() {
        assert_eq!(Endpoint::WhatsApp.check(true).unwrap_err(), OptionsError::RealEndpoint);
        assert_eq!(simulator("ws://127.0.0.1:1/").check(false).unwrap_err(), OptionsError::NoSimulator);
        let real = Endpoint::WhatsApp.check(false).unwrap();
        assert!(real.tls && real.host == "web.whatsapp.com" && real.port == 443);
        let local = simulator("ws://[::1]:81/ws/chat").check(true).unwrap();
        assert!(!local.tls && local.host == "::1" && local.port == 81);
    }

    #[test]
    fn a_simulator_is_on_this_machine() {
        for url in [
            "ws://10.0.0.1:80/ws",
            "wss://127.0.0.1:80/",
            "http://127.0.0.1:80/",
            "ws://web.whatsapp.com:80/",
            "ws://localhost.example.com:80/",
            "ws://127.0.0.1@example.com:80/",
            "ws://127.0.0.1/",
            "127.0.0.1:80",
            "",
        ] {
            let error = simulator(url).check(true).unwrap_err();
            assert_eq!(error, OptionsError::NotLoopback { url: url.to_owned() });
        }
        for url in ["ws://127.0.0.1:80/ws", "ws://127.8.9.1:80", "ws://localhost:80/"] {
            simulator(url).check(true).unwrap();
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let options = WhatsAppOptions { prekeys: 3, ..WhatsAppOptions::default() };
        assert_eq!(options.check().unwrap_err().to_string(), "prekeys is 3, it must be 5 to 812");
    }
}
