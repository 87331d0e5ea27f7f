//! The admin page, as browsers use it.

mod browser;
mod dead;
mod fleet;
mod limits;
mod messages;
mod onlooker;
mod reader;
mod send;
mod sign_in;
mod users;
mod verifications;
