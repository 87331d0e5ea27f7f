//! Requests to addresses that callers name: webhooks, files to send. Whoever implements this keeps such requests away from
//! places that are none of the callers' business.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::Secret;

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebMethod {
    /// For something to read.
    Get,
    /// With something to say.
    Post,
}

/// A request. Nothing of it is logged: addresses and headers may hold keys.
#[derive(Clone)]
pub struct WebRequest {
    /// How.
    pub method: WebMethod,
    /// Where to: `http` or `https`, with a host, without a user or password in it.
    pub url: Secret<String>,
    /// Names and values of headers.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// The body; empty for none.
    pub body: Bytes,
    /// How long it may take, from the look-up of the name to the last byte of the answer.
    pub patience: Duration,
    /// Most bytes of the answer's body.
    pub body_limit: u64,
}

impl fmt::Debug for WebRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebRequest({:?}, {} bytes)", self.method, self.body.len())
    }
}

/// The answer's head, and its body as it comes. Dropping it ends the connection.
pub struct WebResponse {
    /// The status. Redirects are answers like others: they are not followed.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Content-Length`, where there is one; never more than the request's limit.
    pub length: Option<u64>,
    /// The `Retry-After` in seconds, where it is a number.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Box<dyn WebBody>,
}

/// A body on its way in.
#[async_trait]
pub trait WebBody: Send {
    /// The next piece; `None` at the end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, WebError>;
}

impl WebResponse {
    /// All of the body.
    pub async fn bytes(mut self) -> Result<Bytes, WebError> {
        let mut all = Vec::new();
        while let Some(piece) = self.body.chunk().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }
}

/// Why there is no answer. None of these tells more of the address than its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// The address is no `http` or `https` address, or holds a user or password.
    #[error("this is no http or https address: {0}")]
    BadAddress(&'static str),
    /// The name is one of a private, loopback, link-local or otherwise inner address. Nothing was sent.
    #[error("the address is not one of the public internet; the operator can allow it (web.allow)")]
    Forbidden(Option<IpAddr>),
    /// The name is not known.
    #[error("the name of the host can't be resolved")]
    NoSuchHost,
    /// There was no connection. Nothing was sent.
    #[error("no connection could be made")]
    NotConnected,
    /// The time was over.
    #[error("there was no answer within {0:?}")]
    TimedOut(Duration),
    /// The answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// The connection ended before the answer did, or the answer is no HTTP.
    #[error("the connection failed")]
    Broken,
}

/// The web beyond our own servers.
#[async_trait]
pub trait Web: Send + Sync {
    /// Whether an address could be asked, as far as can be told without asking: its form, and an IP address in it.
    fn check(&self, url: &str) -> Result<(), WebError>;

    /// Asks and returns once the head of the answer is there. Names are resolved once, every address found is looked at,
    /// and only those that were looked at are dialled, so that a name can't lead elsewhere afterwards.
    async fn ask(&self, request: WebRequest) -> Result<WebResponse, WebError>;
}
