//! The control interface: HTTP with JSON, an event stream, and a page for people.

mod audit;
mod faults;
mod http;

pub(crate) use http::serve;
