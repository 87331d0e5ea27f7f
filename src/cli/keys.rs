//! `kurir keys`: API keys, of any tenant, in the store. Where a gateway is named, `remote` does the same for its caller's
//! tenant.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use kurir_core::domain::{ApiKeyRecord, KeyId, Scope, SessionId, TenantId, Timestamp};
use serde_json::{Value, json};

use super::remote::Output;
use crate::compose::{KeyDesk, MadeKey, NewKey, OpenStore};
use crate::config::Config;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Makes a key and prints it, this once.
    Create {
        /// As whom its bearer acts, in the store only; `fleet.tenant` without it. Over the API it is the caller's tenant.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// What people call it.
        #[arg(long, default_value = "")]
        label: String,
        /// What it allows: send (messages, codes, files, number checks, read marks, typing), read, control (sessions and their QR
        /// codes, pools, templates, the suppression list) or admin (all of it, and keys, webhooks, limits, metrics). May be given
        /// more than once.
        #[arg(long = "scope", required = true, value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// A session that it is good for; may be given more than once. Without it all of the tenant's.
        #[arg(long = "session", value_name = "SESSION")]
        sessions: Vec<SessionId>,
        /// After how many days it ends.
        #[arg(long)]
        days: Option<u32>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists keys; never the keys themselves.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ends a key. Gateways follow within seconds.
    Revoke {
        /// The key's id, as `list` shows it.
        id: KeyId,
    },
    /// Makes a key that may do the same and prints it, this once; the old one ends later.
    Rotate {
        /// The old key's id.
        id: KeyId,
        /// For how many hours the old key is still taken.
        #[arg(long, default_value_t = 24)]
        overlap_hours: u32,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Does it, in the store of this configuration.
pub async fn run(asked: Keys, config: &Config, output: Output) -> anyhow::Result<()> {
    let store = OpenStore::open(config).await?;
    let done = serve(asked, config, &store.key_desk(), output).await;
    store.close().await;
    done
}

async fn serve(asked: Keys, config: &Config, desk: &KeyDesk, output: Output) -> anyhow::Result<()> {
    let now = desk.clock.now();
    match asked {
        Keys::Create { tenant, label, scopes, sessions, days, json } => {
            let new = NewKey {
                tenant: tenant.unwrap_or_else(|| config.fleet.tenant.clone()),
                label,
                scopes: scopes.into_iter().collect(),
                sessions: (!sessions.is_empty()).then(|| sessions.into_iter().collect::<BTreeSet<_>>()),
                until: days.map(|days| now.plus(Duration::from_hours(24).saturating_mul(days))),
            };
            show_made(&desk.create(new).await?, now, output.json(json))
        }
        Keys::List { tenant, json } => {
            let keys = desk.list(tenant.as_ref()).await?;
            if output.json(json) {
                let keys: Vec<Value> = keys.iter().map(|key| described(key, now)).collect();
                println!("{}", serde_json::to_string_pretty(&keys)?);
            } else {
                println!("{}", table(&keys, now));
            }
            Ok(())
        }
        Keys::Revoke { id } => {
            desk.revoke(None, &id).await?;
            println!("{id} has ended");
            Ok(())
        }
        Keys::Rotate { id, overlap_hours, json } => {
            let overlap = Duration::from_hours(u64::from(overlap_hours));
            let (made, old) = desk.rotate(None, &id, overlap).await?;
            show_made(&made, now, output.json(json))?;
            if let Some(until) = old.until {
                eprintln!("{id} is taken until {}", until.to_rfc3339());
            }
            Ok(())
        }
    }
}

fn show_made(MadeKey { record, key }: &MadeKey, now: Timestamp, json: bool) -> anyhow::Result<()> {
    if json {
        let mut told = described(record, now);
        told["key"] = key.expose().as_str().into();
        println!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        println!("{}", key.expose());
        eprintln!("key {} of tenant {}; it is shown this once", record.id, record.tenant);
    }
    Ok(())
}

fn described(key: &ApiKeyRecord, now: Timestamp) -> Value {
    json!({
        "id": key.id, "tenant": key.tenant, "label": key.label, "scopes": key.scopes, "sessions": key.sessions,
        "created_at": key.created_at.to_rfc3339(), "expires_at": key.until.map(Timestamp::to_rfc3339),
        "active": is_active(key, now),
    })
}

fn is_active(key: &ApiKeyRecord, now: Timestamp) -> bool {
    key.until.is_none_or(|until| now < until)
}

fn table(keys: &[ApiKeyRecord], now: Timestamp) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["key", "tenant", "label", "scopes", "sessions", "made", "until"]);
    for key in keys {
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let sessions = key.sessions.as_ref().map_or_else(
            || "all".to_owned(),
            |sessions| sessions.iter().map(SessionId::as_str).collect::<Vec<_>>().join(" "),
        );
        let until = match key.until {
            Some(until) if is_active(key, now) => until.to_rfc3339(),
            Some(until) => format!("ended {}", until.to_rfc3339()),
            None => String::new(),
        };
        table.add_row([
            key.id.to_string(),
            key.tenant.to_string(),
            key.label.clone(),
            scopes.join(" "),
            sessions,
            key.created_at.to_rfc3339(),
            until,
        ]);
    }
    table
}
