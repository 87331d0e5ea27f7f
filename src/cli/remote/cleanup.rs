//! `kurir sessions cleanup`: the oldest session stays, all others go. For who comes from a system that had several and wants one.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::show;
use super::status::Usage;
use super::{Output, sessions};
use crate::client::{Client, Method};

/// Does it, once it is confirmed: by `yes`, or by somebody at the terminal.
pub async fn run(client: &Client, output: Output, yes: bool) -> anyhow::Result<()> {
    let mut found = Vec::new();
    sessions::each(client, &[], |session| found.push(session.clone())).await?;
    let (kept, others) = sorted(found);
    let Some(kept) = kept else {
        tell(output, None, &[], "there is no session");
        return Ok(());
    };
    if !others.is_empty() && !yes && !confirmed(&kept, &others).await? {
        bail!(Usage("nothing was changed".to_owned()));
    }
    let id = id_of(&kept)?;
    // First of all the one that stays can send: no message is without a sender on the way.
    client.call(Method::Put, &["v1", "sessions", "default"], &[], Some(&json!({"session": id}))).await?;
    let kept = client.call(Method::Post, &["v1", "sessions", id, "start"], &[], None).await?.body;
    let mut removed = Vec::new();
    for other in &others {
        let gone = client.call(Method::Delete, &["v1", "sessions", id_of(other)?], &[], None).await;
        // What went before is told even if the next one stays.
        match gone {
            Ok(gone) => removed.push(gone.body),
            Err(error) => {
                tell(output, Some(&kept), &removed, "");
                return Err(error).with_context(|| format!("session {} stays", show::text(other, "id")));
            }
        }
    }
    tell(output, Some(&kept), &removed, "");
    Ok(())
}

/// The oldest session and the others, the older ones first; those apart that are on their way out already.
fn sorted(found: Vec<Value>) -> (Option<Value>, Vec<Value>) {
    let mut found: Vec<Value> = found.into_iter().filter(|session| session["wanted"] != "deleted").collect();
    // Moments of one form, so that they are ordered as texts.
    found.sort_by_cached_key(|session| (show::text(session, "created_at"), show::text(session, "id")));
    let mut found = found.into_iter();
    (found.next(), found.collect())
}

fn id_of(session: &Value) -> anyhow::Result<&str> {
    session["id"].as_str().context("the gateway tells of a session without an id")
}

fn line(session: &Value) -> String {
    format!("{} {} ({})", show::text(session, "id"), show::text(session, "name"), show::text(session, "state"))
}

async fn confirmed(kept: &Value, others: &[Value]) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let (count, id) = (others.len(), show::text(kept, "id"));
        bail!(Usage(format!(
            "this keeps {id}, logs {count} other sessions out and removes them: give --yes to have it done"
        )));
    }
    eprintln!("kept:    {}", line(kept));
    for other in others {
        eprintln!("removed: {}", line(other));
    }
    eprint!("Those that are removed are logged out and have to be scanned anew. Type yes to go on: ");
    std::io::stderr().flush()?;
    let read = || {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    };
    Ok(tokio::task::spawn_blocking(read).await??.trim() == "yes")
}

/// Says what was kept and what was removed.
fn tell(output: Output, kept: Option<&Value>, removed: &[Value], none: &str) {
    if output == Output::Json {
        println!("{:#}", json!({"kept": kept, "removed": removed}));
        return;
    }
    let Some(kept) = kept else {
        println!("{none}");
        return;
    };
    let mut table = show::table(["session", "name", "created", "what was done"]);
    let kept = std::iter::once((kept, "kept, started, the default"));
    for (session, done) in kept.chain(removed.iter().map(|session| (session, "removed"))) {
        let [id, name, created] = ["id", "name", "created_at"].map(|field| show::text(session, field));
        table.add_row([id, name, created, done.to_owned()]);
    }
    println!("{table}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_is_not_on_its_way_out_stays() {
        let session =
            |id: &str, created: &str, wanted: &str| json!({"id": id, "created_at": created, "wanted": wanted});
        let (kept, others) = sorted(vec![
            session("b", "2026-01-02T00:00:00.000Z", "running"),
            session("c", "2026-01-01T00:00:00.000Z", "deleted"),
            session("d", "2026-01-03T00:00:00.000Z", "stopped"),
            session("a", "2026-01-02T00:00:00.000Z", "running"),
        ]);
        assert_eq!(kept.unwrap()["id"], "a");
        assert_eq!(others.iter().map(|other| other["id"].as_str().unwrap()).collect::<Vec<_>>(), ["b", "d"]);
        assert_eq!(sorted(Vec::new()), (None, Vec::new()));
    }
}
