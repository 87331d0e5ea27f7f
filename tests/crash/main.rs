//! The table of crashes in `docs/DELIVERY.md`, row by row: a process really dies at that point, by a fail-point of the
//! test build or by SIGKILL where the point lies outside, another one takes over, and what counts is what the simulated
//! phones show, what the ledger says and which events were told.
//!
//! Each row is shown in a fleet (RabbitMQ, Redis, PostgreSQL, every role a process) and in one process alone (SQLite),
//! unless one of them does not know the row.
#![cfg(feature = "simulator")]

mod batch;
mod deadline;
mod death;
mod http;
mod incoming;
mod job;
mod parking;
mod producer;
mod receipts;
mod result;
#[path = "../process/running.rs"]
mod running;
mod told;
mod wire;
mod world;

/// Makes each row two tests: `fleet::…` and `embedded::…`.
macro_rules! in_both_modes {
    ($($row:ident),+ $(,)?) => {
        mod fleet {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $row() {
                super::$row($crate::world::Mode::Fleet).await;
            })+
        }
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $row() {
                super::$row($crate::world::Mode::Embedded).await;
            })+
        }
    };
}
use in_both_modes;
