//! The simulator's page in Chromium, with a client that we did not write beside it.

#[path = "../../../tests/node/chromium.rs"]
mod chromium;
#[path = "../whatsapp_rust/client.rs"]
mod client;
#[path = "../whatsapp_rust/picture.rs"]
mod picture;
#[path = "../../../tests/node/program.rs"]
mod program;

mod browser;
mod crowd;
mod owner;
mod person;
