//! The admin page.

mod linking;
mod reader;
mod sessions;
