//! The admin page, as browsers use it.

mod browser;
mod dead;
mod fleet;
mod limits;
mod linking;
mod messages;
mod reader;
mod send;
mod sessions;
mod settings;
mod sign_in;
mod users;
mod verifications;
