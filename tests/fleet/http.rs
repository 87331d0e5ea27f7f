//! A small HTTP client for the gateway and the simulator.

use std::time::Duration;

use serde_json::Value;

/// An address with the key that it wants.
#[derive(Clone)]
pub struct Client {
    base: String,
    key: Option<String>,
    agent: ureq::Agent,
}

impl Client {
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        Self { base: base.to_owned(), key: key.map(str::to_owned), agent }
    }

    /// A GET; status and body (JSON, or a string where it is none).
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let client = self.clone();
        let url = format!("{}{path}", self.base);
        tokio::task::spawn_blocking(move || {
            let mut request = client.agent.get(&url);
            if let Some(key) = &client.key {
                request = request.header("Authorization", &format!("Bearer {key}"));
            }
            read(&url, request.call())
        })
        .await
        .unwrap()
    }

    /// A POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let client = self.clone();
        let url = format!("{}{path}", self.base);
        tokio::task::spawn_blocking(move || {
            let mut request = client.agent.post(&url);
            if let Some(key) = &client.key {
                request = request.header("Authorization", &format!("Bearer {key}"));
            }
            read(&url, request.send_json(body))
        })
        .await
        .unwrap()
    }

    /// Asks again until the answer is what is waited for.
    pub async fn until<T>(&self, what: &str, seconds: u64, path: &str, found: impl Fn(u16, &Value) -> Option<T>) -> T {
        let mut timer = tokio::time::interval(Duration::from_millis(100));
        let mut last = (0, Value::Null);
        let wait = async {
            loop {
                timer.tick().await;
                last = self.get(path).await;
                if let Some(result) = found(last.0, &last.1) {
                    return result;
                }
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(seconds), wait).await;
        waited.unwrap_or_else(|_| panic!("no {what} within {seconds} s; {path} says {} {}", last.0, last.1))
    }
}

fn read(url: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
