//! How a process of these tests ends.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use crate::running::Running;

/// Long enough for all that comes before the point, on two busy cores.
const PATIENCE: Duration = Duration::from_mins(1);

/// The numbers of the signals that end what can't say good-bye.
const ABORT: i32 = 6;
const KILL: i32 = 9;

/// Waits until the process has died at its point (`name`, `name:turn`, …), by abort: nothing was flushed, nobody was told.
pub async fn died(process: Running, point: &str) {
    let (status, said) = process.ended(PATIENCE).await;
    assert_eq!(status.signal(), Some(ABORT), "{status} instead of an abort\n{said}");
    let point = point.split(':').next().unwrap_or_default();
    assert!(said.contains(&format!("died at {point}:")), "it died elsewhere\n{said}");
}

/// Kills a process from outside.
pub async fn kill(process: Running) {
    process.signal("KILL").await;
    let (status, said) = process.ended(PATIENCE).await;
    assert_eq!(status.signal(), Some(KILL), "{status}\n{said}");
}

/// SIGTERM, then waits for the process' end, which must be a good one.
pub async fn stop(process: Running) {
    process.signal("TERM").await;
    let (status, said) = process.ended(PATIENCE).await;
    assert!(status.success(), "{status}\n{said}");
}
