//! The control interface: HTTP with JSON, an event stream, and a page for people.

mod group;
mod http;
mod media;

pub(crate) use http::serve;
