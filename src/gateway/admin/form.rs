//! Forms that change something: who sends them, whether they are ours, and what they say.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::{HeaderName, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq as _;

use super::guard::{MayChange, SignedIn};
use super::refusal::Refused;
use crate::gateway::app::App;
use crate::gateway::native::collect;

/// Largest form, bytes.
const LIMIT: usize = 256 * 1024;

/// Where a script says what a form has in its field.
const HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// A form of somebody who may change things, sent from a page of ours.
pub(super) struct Change<T>(pub SignedIn, pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Change<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let MayChange(signed_in) = MayChange::from_request_parts(&mut parts, app).await?;
        let fields = read(&parts.headers, body).await?;
        ours(&signed_in, &parts.headers, &fields)?;
        let form = typed(&fields)?;
        Ok(Self(signed_in, form))
    }
}

/// The fields of a form, in their order.
pub(super) async fn read(
    headers: &axum::http::HeaderMap,
    body: axum::body::Body,
) -> Result<Vec<(String, String)>, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err(Refused::BadForm);
    }
    let bytes = collect(headers, body, LIMIT).await.map_err(|_| Refused::BadForm)?;
    Ok(form_urlencoded::parse(&bytes).into_owned().collect())
}

/// Whether a form carries the mark of this sign-in.
pub(super) fn ours(
    signed_in: &SignedIn,
    headers: &axum::http::HeaderMap,
    fields: &[(String, String)],
) -> Result<(), Refused> {
    let told = headers.get(HEADER).map(axum::http::HeaderValue::as_bytes);
    let field = fields.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.as_bytes());
    let mark = told.or(field).unwrap_or_default();
    if bool::from(mark.ct_eq(signed_in.csrf.as_bytes())) { Ok(()) } else { Err(Refused::NotOurs) }
}

/// A field that may be there several times.
#[derive(Debug, Default)]
pub(super) struct Many(pub Vec<String>);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            One(String),
            Several(Vec<String>),
        }
        Ok(match Given::deserialize(input)? {
            Given::One(one) => Self(vec![one]),
            Given::Several(several) => Self(several),
        })
    }
}

/// A form as a type: a field that is there twice is a list, an empty one is as good as none.
fn typed<T: DeserializeOwned>(fields: &[(String, String)]) -> Result<T, Refused> {
    let mut form = serde_json::Map::new();
    for (name, value) in fields.iter().filter(|(name, value)| name != "csrf" && !value.trim().is_empty()) {
        let value = serde_json::Value::String(value.replace("\r\n", "\n"));
        match form.remove(name) {
            None => form.insert(name.clone(), value),
            Some(serde_json::Value::Array(mut list)) => {
                list.push(value);
                form.insert(name.clone(), list.into())
            }
            Some(first) => form.insert(name.clone(), vec![first, value].into()),
        };
    }
    serde_json::from_value(form.into()).map_err(|_| Refused::BadForm)
}
