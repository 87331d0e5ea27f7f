//! Who looks at a page, and how: as a whole page, or as the part of one that a script asks for.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::Response;
use kurir_core::domain::TenantId;

use super::guard::{MayLook, SignedIn};
use super::language::Language;
use super::page::Frame;
use super::refusal::Refused;
use crate::gateway::app::App;

/// What our scripts say when they ask for a part of a page.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Whether a script asks, for a part of a page.
pub(super) fn asks_for_a_part(headers: &HeaderMap) -> bool {
    headers.contains_key(REQUESTED_WITH)
}

/// Somebody who may look, and what was asked for.
pub(super) struct Reader {
    pub signed_in: SignedIn,
    pub frame: Frame,
    /// Whether only the part is wanted that changes.
    pub part: bool,
    query: Vec<(String, String)>,
}

impl FromRequestParts<Arc<App>> for Reader {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let MayLook(signed_in) = MayLook::from_request_parts(parts, app).await?;
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self {
            signed_in,
            frame: Frame::of(&parts.headers, &parts.uri),
            part: asks_for_a_part(&parts.headers),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        })
    }
}

impl Reader {
    pub const fn language(&self) -> Language {
        self.frame.language()
    }

    pub fn tenant(&self) -> &TenantId {
        self.signed_in.tenant()
    }

    /// What the address says of this; an empty value is as good as none.
    pub fn asked(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Refuses those who may only look.
    pub fn may_change(&self) -> Result<(), Refused> {
        if self.signed_in.may_change() { Ok(()) } else { Err(Refused::NotAllowed) }
    }
}
