//! The tools over the HTTP API, as their users run them: the built program against a kurir in one process, judged by what
//! it prints, by its status, and by what the simulated phones show.

#[cfg(feature = "simulator")]
mod blast;
#[cfg(feature = "simulator")]
mod events;
#[cfg(feature = "simulator")]
mod messages;
#[cfg(feature = "simulator")]
mod orders;
#[cfg(feature = "simulator")]
#[path = "../process/running.rs"]
mod running;
mod servers;
#[cfg(feature = "simulator")]
mod sessions;
#[path = "../process/tool.rs"]
mod tool;
mod words;
#[cfg(feature = "simulator")]
mod world;
