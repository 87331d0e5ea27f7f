//! The admin page, as browsers use it.

mod browser;
mod dead;
mod messages;
mod reader;
mod send;
mod sign_in;
mod users;
