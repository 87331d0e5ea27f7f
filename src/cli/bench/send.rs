//! `kurir bench send`: the client alone, then kurir around it with more and more sessions, then the table.

use super::{Given, SendArgs, alone, fleet, launch, report};
use crate::cli::signal;
use crate::config::{Config, Role, StoreKind};

/// Runs all steps one after another and prints what they gave.
pub async fn run(args: SendArgs, mut config: Config, given: Given) -> anyhow::Result<()> {
    config.store.kind = StoreKind::Postgres;
    // State of a run is worth nothing after it, so a key that nobody knows is as good as a given one.
    let keys = config.store.encryption_keys.get_or_insert_with(launch::fresh_keys).clone();
    config.require_for(Role::Worker)?;
    let stop = signal::stop()?;
    let launch = launch::of(given, keys);

    println!("{} messages per line, all to different numbers; a release build is what counts", args.jobs);
    let mut figures = alone::measure(&launch, args.jobs, &stop).await?;
    for line in &figures {
        println!("{}: {:.0} messages/s", line.name, line.rate());
    }
    // The second of the three ways.
    let base = figures[1].clone();
    for sessions in args.sessions {
        let plan = fleet::Plan { sessions, jobs: args.jobs, lane: args.lane.into(), singles: args.singles };
        let line = Box::pin(fleet::measure(&config, &launch, plan, &stop)).await?;
        println!("{}: {:.0} messages/s", line.name, line.rate());
        figures.push(line);
    }
    println!("\n{}", report::table(&figures, &base));
    Ok(())
}
