//! `kurir sim`, and the simulator's settings.

use std::path::Path;
use std::time::Duration;

use kurir_sim::{PhonesRule, ReceiptDelays, Scenario, SimConfig};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// How long open connections may take to close.
const STOP: Duration = Duration::from_secs(5);

/// The simulator's settings of a configuration.
pub(super) fn settings(config: &Config) -> anyhow::Result<SimConfig> {
    let simulator = &config.simulator;
    let scenario = simulator.scenario.as_deref().map(|file| Scenario::read(Path::new(file))).transpose()?;
    Ok(SimConfig {
        websocket: simulator.listen,
        control: simulator.control,
        phones: PhonesRule { magic_endings: simulator.magic_endings, ..PhonesRule::default() },
        receipts: ReceiptDelays { delivered: simulator.delivered_after, read: simulator.read_after },
        scenario,
        state: simulator.state.as_ref().map(Into::into),
        ..SimConfig::default()
    })
}

/// Runs a simulator until `stop`; `started` hears where clients connect and where its page is.
pub async fn serve(config: Config, stop: CancellationToken, started: impl FnOnce(&str, &str)) -> anyhow::Result<()> {
    let report = kurir_sim::serve(settings(&config)?, stop, STOP, |sim| {
        started(&sim.ws_url(), &sim.control_url());
    })
    .await?;
    tracing::info!(connections = report.connections, abandoned = report.abandoned, "simulator stopped");
    Ok(())
}
