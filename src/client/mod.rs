//! kurir's HTTP API as its own tools use it. Whoever has an address and a key can do the same: nothing here knows what
//! stands behind the gateway.

mod error;
mod event_stream;
mod http;

pub use error::{ApiProblem, ClientError, RefusedRow};
pub use event_stream::{EventLine, EventWish, Events};
pub use http::{Answer, Client, ClientOptions, Method};
