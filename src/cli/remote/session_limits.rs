//! `kurir sessions limits`: a session's limits, and its own ones.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::send::span;
use crate::client::{Client, Method};

/// Which of a session's limits are to be its own. Without any: they are shown.
#[derive(Debug, Args)]
pub struct OwnLimitsArgs {
    /// One message per this span, in the long run; 0s: as fast as it goes.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    every: Option<Duration>,
    /// As many at once after a pause.
    #[arg(long, value_name = "COUNT")]
    burst: Option<NonZeroU32>,
    /// At most this many messages a day; 0: no such limit.
    #[arg(long, value_name = "COUNT")]
    per_day: Option<u32>,
    /// At most this many recipients a day for the first time; 0: no such limit.
    #[arg(long, value_name = "COUNT")]
    new_per_day: Option<u32>,
    /// Whether its number is old enough to need no warm-up.
    #[arg(long, value_name = "true|false")]
    warmed_up: Option<bool>,
    /// Nothing of its own any more, but for what is given beside this: all as the settings say.
    #[arg(long)]
    as_all: bool,
}

/// Shows the limits, or changes those that were given and leaves the others of its own as they are.
pub async fn run(client: &Client, session: &str, asked: &OwnLimitsArgs) -> anyhow::Result<Value> {
    let path = ["v1", "sessions", session, "limits"];
    let given = asked.given();
    if given.is_empty() && !asked.as_all {
        return Ok(client.call(Method::Get, &path, &[], None).await?.body);
    }
    let mut own = json!({});
    if !asked.as_all {
        own = client.call(Method::Get, &path, &[], None).await?.body["own"].take();
    }
    for (field, value) in given {
        own[field] = value;
    }
    Ok(client.call(Method::Put, &path, &[], Some(&own)).await?.body)
}

impl OwnLimitsArgs {
    fn given(&self) -> Vec<(&'static str, Value)> {
        let every = self.every.map(|every| json!(u64::try_from(every.as_millis()).unwrap_or(u64::MAX)));
        let fields = [
            ("every_ms", every),
            ("burst", self.burst.map(|burst| json!(burst))),
            ("per_day", self.per_day.map(|most| json!(most))),
            ("cold_per_day", self.new_per_day.map(|most| json!(most))),
            ("warmed_up", self.warmed_up.map(|warm| json!(warm))),
        ];
        fields.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
    }
}
