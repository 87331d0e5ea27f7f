//! The control interface: HTTP with JSON, an event stream, and a page for people.

mod http;
mod pair_code;

pub(crate) use http::serve;
