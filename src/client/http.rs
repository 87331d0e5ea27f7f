//! One request and its answer.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};
use serde_json::Value;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::error::{ApiProblem, ClientError};

/// Tries of a request that may be repeated.
const TRIES: u32 = 4;

/// The first pause between them; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// Whoever asks us to come back later than this is told to the user instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How to reach a gateway.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Its address, like `https://kurir.example.com`; it may have a path.
    pub url: String,
    /// The API key.
    pub key: Option<Secret<String>>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// The methods that the API has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Look.
    Get,
    /// Make or do.
    Post,
    /// Put in place.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    const fn as_reqwest(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Patch => reqwest::Method::PATCH,
            Self::Delete => reqwest::Method::DELETE,
        }
    }
}

/// A good answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200, 201, 202 or 204.
    pub status: u16,
    /// The body; null where there is none.
    pub body: Value,
}

/// A gateway. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    base: Url,
    timeout: Duration,
}

impl Client {
    /// Connects to nothing yet.
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let bad = || ClientError::BadUrl(options.url.clone());
        let base = Url::parse(options.url.trim()).map_err(|_| bad())?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() || base.cannot_be_a_base() {
            return Err(bad());
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = &options.key {
            let value = format!("Bearer {}", key.expose().trim());
            let mut value = HeaderValue::from_str(&value).map_err(|_| ClientError::BadKey)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("kurir/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // A redirect would carry the key to somebody else.
            .redirect(Policy::none())
            .connect_timeout(options.timeout)
            .tls_backend_preconfigured(tls()?)
            .build()
            .map_err(|error| ClientError::Tls(innermost(&error)))?;
        Ok(Self { http, base, timeout: options.timeout })
    }

    /// The gateway's address.
    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Whether the key would go over the network for everybody to read.
    pub fn is_in_the_open(&self) -> bool {
        let local = match self.base.host_str().unwrap_or_default().trim_matches(['[', ']']) {
            "localhost" => true,
            host => host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
        };
        self.base.scheme() == "http" && !local
    }

    pub(super) fn place(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// One request. `path` are the parts between the slashes; whatever stands in them stays one part.
    pub async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        self.send(self.http.request(method.as_reqwest(), self.place(path, query)), path, body).await
    }

    /// A POST that is carried out once under this name, however often it is made.
    pub async fn post_once(&self, path: &[&str], body: &Value, name: &str) -> Result<Answer, ClientError> {
        let request = self.http.post(self.place(path, &[])).header("idempotency-key", name);
        self.send(request, path, Some(body)).await
    }

    async fn send(&self, request: RequestBuilder, path: &[&str], body: Option<&Value>) -> Result<Answer, ClientError> {
        let mut request = request.timeout(self.timeout);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            return Err(self.refusal(response, path).await);
        }
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        let body = if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes) };
        let body = body.map_err(|_| ClientError::NotKurir { url: self.url().to_owned(), status })?;
        Ok(Answer { status, body })
    }

    /// A request that does no harm when it is made twice: it is repeated while the gateway can't be reached or asks
    /// for a little patience.
    pub async fn call_patiently(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            let error = match self.call(method, path, query, body).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or(pause);
            if !error.is_transient() || wait > LONGEST_PAUSE {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        self.call(method, path, query, body).await
    }

    /// Looks at something.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, ClientError> {
        Ok(self.call_patiently(Method::Get, path, query, None).await?.body)
    }

    pub(super) fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let reason = if error.is_timeout() {
            format!("no answer within {} s", self.timeout.as_secs())
        } else {
            innermost(error)
        };
        ClientError::Unreachable { url: self.url().to_owned(), reason }
    }

    /// What an answer means that is none of the good ones.
    pub(super) async fn refusal(&self, response: Response, path: &[&str]) -> ClientError {
        let status = response.status().as_u16();
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(error) => return self.unreachable(&error),
        };
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match ApiProblem::read(status, &body) {
            Some(problem) if matches!(problem.code.as_str(), "no_such_path" | "wrong_method") => {
                ClientError::NoSuchRoute(format!("/{}", path.join("/")))
            }
            Some(problem) => ClientError::Problem(Box::new(problem)),
            None => ClientError::NotKurir { url: self.url().to_owned(), status },
        }
    }
}

/// The roots that browsers trust, and *ring*; nothing is installed for the whole process.
fn tls() -> Result<ClientConfig, ClientError> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The reason behind the reasons: "connection refused" instead of "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<Client, ClientError> {
        let key = Some(Secret::new("kurir_k_secret\n".to_owned()));
        Client::new(&ClientOptions { url: url.to_owned(), key, timeout: Duration::from_secs(1) })
    }

    #[test]
    fn a_part_of_a_path_stays_one_part() {
        let client = client("https://example.com/kurir/").unwrap();
        let place = |path: &[&str]| client.place(path, &[("after", "a&b")]).to_string();
        assert_eq!(place(&["v1", "sessions", "s1"]), "https://example.com/kurir/v1/sessions/s1?after=a%26b");
        assert_eq!(
            place(&["v1", "sessions", "a/../b?c"]),
            "https://example.com/kurir/v1/sessions/a%2F..%2Fb%3Fc?after=a%26b"
        );
        assert_eq!(client.url(), "https://example.com/kurir");
    }

    #[test]
    fn what_is_no_address_is_told() {
        for wrong in ["", "127.0.0.1:8080", "ftp://example.com", "kurir", "unix:/run/kurir"] {
            assert!(matches!(client(wrong), Err(ClientError::BadUrl(_))), "{wrong}");
        }
        let open = |url: &str| client(url).unwrap().is_in_the_open();
        assert!(open("http://kurir.example.com") && open("http://10.0.0.7:8080"));
        for fine in ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost", "https://kurir.example.com"] {
            assert!(!open(fine), "{fine}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable_and_the_reason_is_told() {
        // Bound and let go: nobody listens there.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = client(&format!("http://{gone}")).unwrap();
        let error = client.call(Method::Get, &["healthz"], &[], None).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
    }
}
