//! Requests as the older systems took them: fields in the query, in a form or in JSON, and nobody minds further ones.

use std::collections::HashMap;

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest as _, Query, Request};
use axum::http::{StatusCode, Uri, header, request::Parts};
use serde_json::{Map, Value};

use super::Refusal;
use crate::gateway::native::collect;

/// The fields of a request; those of the body count before those of the query.
#[derive(Debug, Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Those of the query alone.
    pub fn of_query(uri: &Uri) -> Result<Self, Refusal> {
        let Query(query) = Query::<HashMap<String, String>>::try_from_uri(uri).map_err(|_| Refusal::BadBody)?;
        Ok(Self(query.into_iter().map(|(name, value)| (name, Value::String(value))).collect()))
    }

    /// Reads a whole request with a body of at most `limit` bytes; gives its head as well.
    pub async fn read(request: Request, limit: usize) -> Result<(Parts, Self), Refusal> {
        let (parts, body) = request.into_parts();
        let Self(mut fields) = Self::of_query(&parts.uri)?;
        let bytes = collect(&parts.headers, body, limit).await.map_err(|error| match error.status {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::BodyTooLarge,
            _ => Refusal::BadBody,
        })?;
        if bytes.is_empty() {
            return Ok((parts, Self(fields)));
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            let again = Request::from_parts(parts.clone(), Body::from(bytes));
            let Form(form) =
                Form::<HashMap<String, String>>::from_request(again, &()).await.map_err(|_| Refusal::BadBody)?;
            fields.extend(form.into_iter().map(|(name, value)| (name, Value::String(value))));
        } else {
            // Whatever it is called: these systems' callers often say nothing of the type.
            let Ok(Value::Object(body)) = serde_json::from_slice(&bytes) else { return Err(Refusal::BadBody) };
            fields.extend(body);
        }
        Ok((parts, Self(fields)))
    }

    /// A field as it was given; those of a query and of a form are texts.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text, or a number where somebody wrote it as one; `None`: it is not there, empty, or something else.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// A text as it was written, with the white space around it.
    pub fn verbatim(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// A text that must be there.
    pub fn needed(&self, name: &'static str) -> Result<String, Refusal> {
        self.text(name).ok_or(Refusal::Missing(name))
    }

    /// A switch: `true`, `"true"`, `1`, `"1"`, `"on"`, and what is not there is `default`.
    pub fn switch(&self, name: &str, default: bool) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(on)) => *on,
            Some(Value::String(text)) => matches!(text.trim(), "true" | "1" | "on" | "yes"),
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(kind: Option<&str>, uri: &str, body: &str) -> Result<Fields, Refusal> {
        let mut request = axum::http::Request::post(uri);
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        Fields::read(request.body(Body::from(body.to_owned())).unwrap(), 64).await.map(|(_, fields)| fields)
    }

    #[tokio::test]
    async fn fields_come_in_every_form_and_the_body_counts_first() {
        let form = "application/x-www-form-urlencoded";
        let fields = read(Some(form), "/x?a=1&b=2", "b=3+4&c=%2B62").await.unwrap();
        assert_eq!((fields.text("a"), fields.text("b")), (Some("1".into()), Some("3 4".into())));
        assert_eq!(fields.text("c").as_deref(), Some("+62"));
        let fields = read(None, "/x?n=1", r#"{"n":62812,"on":true,"t":" x ","o":{}}"#).await.unwrap();
        assert_eq!(
            (fields.text("n"), fields.text("t"), fields.text("o")),
            (Some("62812".into()), Some("x".into()), None)
        );
        assert_eq!(fields.verbatim("t"), Some(" x "));
        assert!(fields.switch("on", false) && fields.switch("off", true) && !fields.switch("t", true));
        assert!(matches!(fields.needed("z"), Err(Refusal::Missing("z"))));
    }

    #[tokio::test]
    async fn what_can_not_be_read_is_refused() {
        for body in ["{", "[]", "null", "\"x\"", "\u{0}"] {
            assert!(matches!(read(Some("application/json"), "/", body).await, Err(Refusal::BadBody)), "{body:?}");
        }
        assert!(matches!(read(None, "/", &"x".repeat(65)).await, Err(Refusal::BodyTooLarge)));
        assert!(matches!(Fields::of_query(&"/?a=%ff".parse().unwrap()), Ok(_) | Err(Refusal::BadBody)));
    }
}
