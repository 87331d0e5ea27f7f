//! Forms that change something, as types. That they are ours was found out before (`guard`).

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::form;
use super::guard::{MayChange, SignedIn};
use super::page::Frame;
use super::refusal::Refused;
use super::turned_away::TurnedAway;
use crate::gateway::app::App;

/// A form of somebody who may change things, sent from a page of ours.
pub(super) struct Change<T>(pub SignedIn, pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Change<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let MayChange(signed_in) = MayChange::from_request_parts(&mut parts, app).await?;
        let turn_away = |why: TurnedAway| why.page(&Frame::of_headers(&parts.headers));
        if !form::is_form(&parts.headers) {
            return Err(turn_away(TurnedAway::BadForm));
        }
        let bytes = form::collect(app, &parts.headers, body).await.map_err(turn_away)?;
        let fields: Vec<_> = form_urlencoded::parse(&bytes).into_owned().collect();
        let form = typed(&fields).map_err(IntoResponse::into_response)?;
        Ok(Self(signed_in, form))
    }
}

/// A form of which the address says all.
#[derive(Deserialize)]
pub(super) struct Nothing {}

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
