//! The admin page.

mod dead;
mod messages;
mod reader;
mod send;
