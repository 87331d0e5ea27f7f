//! A small HTTP client for the gateway and the simulator. A server that dies in the middle is no failure here.

use std::time::Duration;

use serde_json::Value;

/// Long enough for a lease to run out and a session to connect, on two busy cores.
const PATIENCE: Duration = Duration::from_mins(5);

/// Status and body (JSON, or a string where it is none).
pub type Answer = (u16, Value);

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
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        Self { base: base.to_owned(), key: key.map(str::to_owned), agent }
    }

    pub async fn get(&self, path: &str) -> Answer {
        let (client, path) = (self.clone(), path.to_owned());
        let asked = move || {
            let mut request = client.agent.get(format!("{}{path}", client.base));
            if let Some(key) = &client.key {
                request = request.header("Authorization", &format!("Bearer {key}"));
            }
            read(request.call())
        };
        tokio::task::spawn_blocking(asked).await.unwrap().unwrap_or((0, Value::Null))
    }

    /// A POST of JSON; `None` when the other side was gone before it had answered.
    pub async fn post(&self, path: &str, body: Value) -> Option<Answer> {
        self.posted(path, body, None).await
    }

    /// The same under an `Idempotency-Key`.
    pub async fn post_named(&self, path: &str, body: Value, name: &str) -> Option<Answer> {
        self.posted(path, body, Some(name)).await
    }

    async fn posted(&self, path: &str, body: Value, name: Option<&str>) -> Option<Answer> {
        let (client, path, name) = (self.clone(), path.to_owned(), name.map(str::to_owned));
        let asked = move || {
            let mut request = client.agent.post(format!("{}{path}", client.base));
            if let Some(name) = &name {
                request = request.header("Idempotency-Key", name);
            }
            if let Some(key) = &client.key {
                request = request.header("Authorization", &format!("Bearer {key}"));
            }
            read(request.send_json(body))
        };
        tokio::task::spawn_blocking(asked).await.unwrap()
    }

    /// Asks again until the answer is what is waited for.
    pub async fn until<T>(&self, what: &str, path: &str, found: impl Fn(&Answer) -> Option<T>) -> T {
        let mut last = (0, Value::Null);
        until(what, async || {
            last = self.get(path).await;
            found(&last).ok_or_else(|| format!("{path} says {} {}", last.0, last.1))
        })
        .await
    }
}

/// Looks again until it is there; what is there instead stands in the error.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    let mut timer = tokio::time::interval(Duration::from_millis(100));
    loop {
        timer.tick().await;
        match look().await {
            Ok(found) => return found,
            Err(instead) => assert!(tokio::time::Instant::now() < end, "no {what} within {PATIENCE:?}: {instead}"),
        }
    }
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<Answer> {
    let mut answer = answer.ok()?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().ok()?;
    Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
