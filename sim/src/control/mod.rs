//! The control interface: HTTP with JSON, an event stream, and a page for people.
//!
//! Each theme has a file with its routes. A route is registered together with its description, so
//! that the OpenAPI document at `/openapi.json` can't tell of another interface than the one that
//! is served.

mod accounts;
mod audit;
mod contacts;
mod events;
mod faults;
mod group;
mod guard;
mod http;
mod input;
mod journal;
mod media;
mod openapi;
mod page;
mod pair_code;
mod phones;
mod problem;
mod qr_image;
mod scan;
mod status;
mod timeline;

pub(crate) use http::serve;
pub use openapi::document as openapi_document;
