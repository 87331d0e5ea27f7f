//! The interfaces of older systems.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use kurir_core::domain::{Secret, TenantId};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected};

use super::read;

/// The older systems that can have an address of their own, as the settings name them.
pub const DIALECTS: [&str; 4] = ["waziper", "otp", "multi", "socketio"];

/// `[dialects]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialectsConfig {
    /// Those that have an address of their own beside their path on the gateway's.
    #[serde(deserialize_with = "dialects")]
    pub own_ports: BTreeSet<String>,
    /// Whether callers without a key are let in on the gateway's address as well.
    pub open: bool,
    /// How long a send waits for WhatsApp's server before it answers that the message is accepted.
    #[serde(deserialize_with = "read::span")]
    pub send_wait: Duration,
    /// How long a request for a code to scan waits for one.
    #[serde(deserialize_with = "read::span")]
    pub qr_wait: Duration,
    /// `[dialects.waziper]`
    pub waziper: WaziperConfig,
    /// `[dialects.otp]`
    pub otp: OtpConfig,
    /// `[dialects.multi]`
    pub multi: MultiConfig,
    /// `[dialects.socketio]`
    pub socketio: SocketioConfig,
    /// `[dialects.admin]`
    pub admin: AdminDialectConfig,
}

/// The dialect `waziper`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaziperConfig {
    /// Its own address.
    #[serde(deserialize_with = "read::address")]
    pub listen: SocketAddr,
}

/// The dialect `otp`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtpConfig {
    /// Its own address.
    #[serde(deserialize_with = "read::address")]
    pub listen: SocketAddr,
    /// Whose the callers without a key are; `None`: the fleet's.
    #[serde(deserialize_with = "read::maybe_name")]
    pub tenant: Option<TenantId>,
}

/// The dialect `multi`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiConfig {
    /// Its own address.
    #[serde(deserialize_with = "read::address")]
    pub listen: SocketAddr,
    /// Who gives this may make keys; `None`: a key of the register with the scope `admin` is needed.
    #[serde(deserialize_with = "read::maybe_secret")]
    pub admin_key: Option<Secret<String>>,
}

/// The dialect `socketio`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketioConfig {
    /// Its own address.
    #[serde(deserialize_with = "read::address")]
    pub listen: SocketAddr,
    /// Whose the callers without a key are; `None`: the fleet's.
    #[serde(deserialize_with = "read::maybe_name")]
    pub tenant: Option<TenantId>,
    /// How long a session that was started may be without a code to scan before its users are told.
    #[serde(deserialize_with = "read::span")]
    pub qr_timeout: Duration,
}

/// The dialect `admin`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminDialectConfig {
    /// Most sessions that a tenant may come to have through it; 0: as many as it likes.
    pub max_sessions: u32,
}

fn dialects<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeSet<String>, D::Error> {
    let text = String::deserialize(input)?;
    if text.trim() == "all" {
        return Ok(DIALECTS.map(str::to_owned).into());
    }
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let known = |word: &str| DIALECTS.contains(&word).then(|| word.to_owned());
    let found: Option<BTreeSet<String>> = words.map(known).collect();
    found.ok_or_else(|| D::Error::invalid_value(Unexpected::Other("text"), &"names of dialects, or \"all\""))
}
