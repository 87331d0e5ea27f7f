//! `kurir keys` over the API: the keys of the caller's own tenant.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use kurir_core::memory::SystemClock;
use kurir_core::port::Clock as _;
use serde_json::{Value, json};

use super::status::Usage;
use super::{Gateway, show};
use crate::cli::keys::Keys;
use crate::client::{Client, Method};

/// Does it.
pub async fn run(asked: Keys, gateway: &Gateway) -> anyhow::Result<ExitCode> {
    let (client, output) = (gateway.client()?, gateway.output);
    match asked {
        Keys::Create { tenant, label, scopes, sessions, days, json } => {
            own_only(tenant.is_some())?;
            let mut body = json!({ "label": label, "scopes": scopes });
            if !sessions.is_empty() {
                body["sessions"] = json!(sessions);
            }
            if let Some(days) = days {
                let until = SystemClock.now().plus(Duration::from_hours(24).saturating_mul(days));
                body["expires_at"] = until.to_rfc3339().into();
            }
            let made = client.call(Method::Post, &["v1", "keys"], &[], Some(&body)).await?.body;
            show_made(&made, output.json(json));
        }
        Keys::List { tenant, json } => {
            own_only(tenant.is_some())?;
            list(&client, output.json(json)).await?;
        }
        Keys::Revoke { id } => {
            let ended = client.call(Method::Delete, &["v1", "keys", id.as_str()], &[], None).await?.body;
            if output.json(false) {
                println!("{ended:#}");
            } else {
                println!("{id} has ended");
            }
        }
        Keys::Rotate { id, overlap_hours, json } => {
            let body = json!({ "overlap": u64::from(overlap_hours) * 3600 });
            let path = ["v1", "keys", id.as_str(), "rotate"];
            let made = client.call(Method::Post, &path, &[], Some(&body)).await?.body;
            show_made(&made, output.json(json));
            eprintln!("{id} is taken for {overlap_hours} hours more");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn own_only(given: bool) -> anyhow::Result<()> {
    if given {
        let text = "over the API keys are those of the caller's own tenant; --tenant needs the store: add --store";
        bail!(Usage(text.to_owned()));
    }
    Ok(())
}

fn show_made(made: &Value, json: bool) {
    if json {
        println!("{made:#}");
    } else {
        println!("{}", show::text(made, "key"));
        eprintln!("key {} is shown this once", show::text(made, "id"));
    }
}

async fn list(client: &Client, json: bool) -> anyhow::Result<()> {
    let told = client.get(&["v1", "keys"], &[]).await?;
    let keys = &told["keys"];
    if json {
        println!("{keys:#}");
        return Ok(());
    }
    let mut table = show::table(["key", "label", "scopes", "sessions", "made", "until"]);
    for key in keys.as_array().into_iter().flatten() {
        let sessions = if key["sessions"].is_null() { "all".to_owned() } else { show::text(key, "sessions") };
        let mut until = show::text(key, "expires_at");
        if key["active"] == json!(false) {
            until = format!("ended {until}");
        }
        let [id, label, scopes, made] = ["id", "label", "scopes", "created_at"].map(|field| show::text(key, field));
        table.add_row([id, label, scopes, sessions, made, until]);
    }
    println!("{table}");
    Ok(())
}
