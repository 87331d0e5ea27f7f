//! The admin page.

mod fleet;
mod limits;
mod reader;
mod verifications;
