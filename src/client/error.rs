//! What goes wrong between a tool and the gateway, in words for the person at the keyboard.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// A problem that the gateway told (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiProblem {
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem; codes do not change.
    pub code: String,
    /// What happened, and what to do.
    pub detail: String,
    /// The field of the request that it is about.
    pub field: Option<String>,
    /// Where the session or the message stands.
    pub state: Option<String>,
    /// After how long the same request may be answered otherwise.
    pub retry_after: Option<Duration>,
    /// The rows of a batch that are to blame, the first ones.
    pub rows: Vec<RefusedRow>,
}

/// Why a row of a batch was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place in the request, from 0.
    pub index: usize,
    /// As that of a problem.
    pub code: String,
    /// Which field is bad.
    pub field: Option<String>,
    /// What is wrong with it.
    pub detail: String,
}

impl RefusedRow {
    /// Reads what is told of a row; `None` where it was not refused.
    pub fn read(row: &Value) -> Option<Self> {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Some(Self {
            index: usize::try_from(row["index"].as_u64()?).ok()?,
            code: text("code")?,
            field: text("field"),
            detail: text("detail").unwrap_or_default(),
        })
    }
}

impl ApiProblem {
    /// Reads a problem; `None` where the body is none of ours.
    pub(super) fn read(status: u16, body: &Value) -> Option<Self> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        Some(Self {
            status,
            code: text("code")?,
            detail: text("detail").unwrap_or_default(),
            field: text("field"),
            state: text("state"),
            retry_after: body["retryAfterSeconds"].as_u64().map(Duration::from_secs),
            rows: body["rows"].as_array().into_iter().flatten().filter_map(RefusedRow::read).collect(),
        })
    }

    /// What whoever sits at the keyboard can do, where the problem's own words don't say it.
    fn advice(&self) -> Option<&'static str> {
        Some(match (self.code.as_str(), self.field.as_deref()) {
            ("unauthorized", _) => "set KURIR_API_KEY, or name a file that holds the key with --key-file",
            ("forbidden", _) => "`kurir keys create` makes one that may, for whoever has an admin key",
            ("not_found", Some("session")) => "`kurir sessions list` tells which there are",
            ("no_queue", _) => "is the session stopped or being deleted? `kurir sessions get` tells",
            ("too_late", _) => "it is on the wire already, or has ended",
            ("session_exists", _) => "`kurir sessions qr` links it, `kurir sessions get` shows it",
            _ => return None,
        })
    }
}

impl fmt::Display for ApiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{} ({}", self.detail, self.code)?;
        if let Some(state) = &self.state {
            write!(f, ", it is {state}")?;
        }
        write!(f, ")")?;
        if let Some(after) = self.retry_after {
            write!(f, "; try again in {} s", after.as_secs())?;
        }
        if let Some(advice) = self.advice() {
            write!(f, "; {advice}")?;
        }
        Ok(())
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("{0:?} is no address of a gateway; one looks like http://127.0.0.1:8080 or https://kurir.example.com")]
    BadUrl(String),
    /// The key can't be sent in a header.
    #[error("the API key has characters that no key has; is it the whole file, and nothing else?")]
    BadKey,
    /// The TLS library refuses its settings.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
    /// Nobody answered.
    #[error("the gateway at {url} can't be reached: {reason}")]
    Unreachable {
        /// Its address.
        url: String,
        /// The innermost reason.
        reason: String,
    },
    /// The gateway refused, or could not do it.
    #[error("{0}")]
    Problem(Box<ApiProblem>),
    /// The gateway does not know the route.
    #[error("this gateway can't do that: it has no {0}; it may be older than this tool (`kurir --version`)")]
    NoSuchRoute(String),
    /// Something else answered.
    #[error("{url} answered {status}, but not as a kurir gateway does; is the address right?")]
    NotKurir {
        /// The address that was asked.
        url: String,
        /// What it answered.
        status: u16,
    },
}

impl ClientError {
    /// Whether the same request may succeed a little later, without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 429 | 500 | 502 | 503 | 504),
            // A proxy in front of a gateway that restarts.
            Self::NotKurir { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }

    /// How long the gateway wants to be left alone, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after,
            _ => None,
        }
    }

    /// The gateway's own words, if it is a problem of its.
    pub fn problem(&self) -> Option<&ApiProblem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn problems_are_told_with_their_code_and_what_to_do() {
        let body =
            json!({"status": 404, "code": "not_found", "detail": "there is no such session", "field": "session"});
        let problem = ApiProblem::read(404, &body).unwrap();
        assert_eq!(
            problem.to_string(),
            "session: there is no such session (not_found); `kurir sessions list` tells which there are"
        );
        let body = json!({"code": "too_many_requests", "detail": "slow down", "retryAfterSeconds": 2});
        let problem = ApiProblem::read(429, &body).unwrap();
        assert_eq!(problem.to_string(), "slow down (too_many_requests); try again in 2 s");
        let error = ClientError::Problem(Box::new(problem));
        assert!(error.is_transient() && error.retry_after() == Some(Duration::from_secs(2)));
        assert_eq!(ApiProblem::read(404, &json!({"message": "no route"})), None);
    }
}
