//! The admin page, as browsers use it.

mod browser;
mod sign_in;
mod users;
