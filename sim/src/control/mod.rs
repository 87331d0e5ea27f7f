//! The control interface: HTTP with JSON, an event stream, and a page for people.

mod http;
mod phones;

pub(crate) use http::serve;
