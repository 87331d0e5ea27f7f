//! The tools that speak to a gateway over its HTTP API, as anybody could.

mod cleanup;
mod events;
mod keys;
mod otp;
mod qr;
mod send;
mod session_limits;
mod sessions;
mod show;
mod status;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use kurir_core::domain::Secret;

use crate::client::{Client, ClientOptions};

pub use events::{EventsArgs, run as events};
pub use keys::run as keys;
pub use otp::{OtpArgs, run as otp};
pub use send::{SendArgs, run as send};
pub use sessions::{Sessions, run as sessions};
pub use show::{Output, table};
pub use status::{Status, status_of};

pub(super) use send::{Until, has_arrived, is_over, span};

/// The variable that has the key.
const KEY: &str = "KURIR_API_KEY";

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which gateway, and how answers are shown.
#[derive(Clone, Debug, Args)]
pub struct Gateway {
    /// The address of a gateway, like http://127.0.0.1:8080. The key comes from the environment (KURIR_API_KEY).
    #[arg(long, env = "KURIR_URL", value_name = "URL", global = true)]
    pub url: Option<String>,
    /// A file with the API key, instead of KURIR_API_KEY.
    #[arg(long, value_name = "FILE", global = true)]
    pub key_file: Option<PathBuf>,
    /// Work on the store of this configuration, also when an address of a gateway is set (`sessions list|move`, `keys`; `sessions export|import|change-id` always do).
    #[arg(long, global = true)]
    pub store: bool,
    /// How answers are shown.
    #[arg(long, value_name = "FORM", value_enum, default_value_t, global = true)]
    pub output: Output,
}

impl Gateway {
    /// Whether the tools that can do either are to ask a gateway.
    pub const fn is_asked(&self) -> bool {
        self.url.is_some() && !self.store
    }

    /// The gateway.
    pub fn client(&self) -> anyhow::Result<Client> {
        let Some(url) = self.url.clone().filter(|url| !url.trim().is_empty()) else {
            bail!(status::Usage(
                "which gateway? Give its address with --url or as KURIR_URL, like http://127.0.0.1:8080".to_owned()
            ));
        };
        let client = Client::new(&ClientOptions { url, key: self.key()?, timeout: TIMEOUT })?;
        if client.is_in_the_open() {
            eprintln!("warning: {} is not encrypted: everybody on the way can read the API key", client.url());
        }
        Ok(client)
    }

    fn key(&self) -> anyhow::Result<Option<Secret<String>>> {
        let given = match &self.key_file {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                Some(text.with_context(|| format!("the key file {} can't be read", file.display()))?)
            }
            None => std::env::var(KEY).ok(),
        };
        Ok(given.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).map(Secret::new))
    }
}

impl ValueEnum for Output {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Table, Self::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(match self {
            Self::Table => clap::builder::PossibleValue::new("table").help("For people"),
            Self::Json => clap::builder::PossibleValue::new("json").help("For programs: what the gateway answered"),
        })
    }
}
