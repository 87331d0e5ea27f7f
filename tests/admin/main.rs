//! The admin page in Chromium: the whole program in one process, with the simulated WhatsApp and its phones.
#![cfg(feature = "simulator")]

#[path = "../node/chromium.rs"]
mod chromium;
#[path = "../fleet/http.rs"]
mod http;
#[path = "../node/program.rs"]
mod program;
#[path = "../process/running.rs"]
mod running;

mod browser;
mod fleet;
mod messages;
mod pages;
mod sessions;
mod world;
