//! Asking.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::port::{Web, WebBody, WebError, WebMethod, WebRequest, WebResponse};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::resolve::GuardedResolver;
use kurir_core::policy::Reach;

/// How long a connection may take to come about, within the patience of a request.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Connections to one host that are kept for the next request.
const IDLE_PER_HOST: usize = 4;

/// The web, but for what is out of reach. Redirects are not followed, proxies of the environment not used: each would lead
/// to an address that nobody looked at.
#[derive(Clone)]
pub struct GuardedWeb {
    client: Client,
    reach: Arc<Reach>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum GuardedWebError {
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The client could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[from] reqwest::Error),
}

impl GuardedWeb {
    /// Sets a client up; asks nothing yet.
    pub fn new(reach: Reach) -> Result<Self, GuardedWebError> {
        let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let reach = Arc::new(reach);
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(GuardedResolver { reach: Arc::clone(&reach) }))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .http1_only()
            .user_agent(concat!("kurir/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build()?;
        Ok(Self { client, reach })
    }

    fn address(&self, url: &str) -> Result<Url, WebError> {
        let url = Url::parse(url).map_err(|_| WebError::BadAddress("it can't be read"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebError::BadAddress("another scheme"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebError::BadAddress("a user or password in it"));
        }
        // A host that is an address never comes to the resolver.
        let host = url.host_str().ok_or(WebError::BadAddress("no host"))?;
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
        match literal {
            Ok(ip) if !self.reach.may_ask(ip) => Err(WebError::Forbidden(Some(ip))),
            _ => Ok(url),
        }
    }
}

#[async_trait]
impl Web for GuardedWeb {
    fn check(&self, url: &str) -> Result<(), WebError> {
        self.address(url).map(|_| ())
    }

    async fn ask(&self, request: WebRequest) -> Result<WebResponse, WebError> {
        let url = self.address(request.url.expose())?;
        let method = match request.method {
            WebMethod::Get => Method::GET,
            WebMethod::Post => Method::POST,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| WebError::BadAddress("a header's value that can't be sent"))?;
            value.set_sensitive(true);
            headers.insert(*name, value);
        }
        let deadline = Deadline { at: Instant::now() + request.patience, patience: request.patience };
        let asking = self.client.request(method, url).headers(headers).body(request.body).send();
        let response = deadline.within(asking).await?;
        let length = response.content_length();
        if length.is_some_and(|length| length > request.body_limit) {
            return Err(WebError::TooLarge(request.body_limit));
        }
        let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Ok(WebResponse {
            status: response.status().as_u16(),
            content_type: text(CONTENT_TYPE).map(str::to_owned),
            length,
            retry_after: text(RETRY_AFTER).and_then(|seconds| seconds.trim().parse().ok()),
            body: Box::new(Body { response, deadline, left: request.body_limit, limit: request.body_limit }),
        })
    }
}

#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    patience: Duration,
}

impl Deadline {
    async fn within<T>(self, work: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, WebError> {
        match timeout_at(self.at, work).await {
            Ok(done) => done.map_err(|error| self.kind_of(&error)),
            Err(_) => Err(WebError::TimedOut(self.patience)),
        }
    }

    /// The library's error without its words, which repeat the address.
    fn kind_of(self, error: &reqwest::Error) -> WebError {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(ours) = cause.downcast_ref::<WebError>() {
                return ours.clone();
            }
            source = cause.source();
        }
        if error.is_timeout() {
            WebError::TimedOut(self.patience)
        } else if error.is_connect() {
            WebError::NotConnected
        } else {
            WebError::Broken
        }
    }
}

struct Body {
    response: Response,
    deadline: Deadline,
    left: u64,
    limit: u64,
}

#[async_trait]
impl WebBody for Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, WebError> {
        let Some(piece) = self.deadline.within(self.response.chunk()).await? else { return Ok(None) };
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(WebError::TooLarge(self.limit))?;
        Ok(Some(piece))
    }
}
