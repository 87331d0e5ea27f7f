//! The gateway over real HTTP on a loopback port, its ports in process.

mod fixture;
mod input;
mod messages;
mod pools;
mod queue;
mod ready;
mod sessions;
mod stop;
mod withdraw;
