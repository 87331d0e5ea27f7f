//! Provisional: replaced by the sign-in branch.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use kurir_core::domain::{TenantId, UserRecord};

use super::refusal::Refused;
use crate::gateway::app::App;

/// Who has signed in.
#[derive(Clone)]
pub(in crate::gateway) struct SignedIn {
    pub user: Arc<UserRecord>,
    /// What forms of this sign-in carry.
    pub csrf: String,
    mark: [u8; 32],
}

impl SignedIn {
    pub fn tenant(&self) -> &TenantId {
        &self.user.tenant
    }

    /// The mark that the sign-in is kept under.
    pub const fn mark(&self) -> [u8; 32] {
        self.mark
    }

    /// Whether the sign-in still stands.
    pub async fn still(&self, _: &App) -> bool {
        true
    }

    pub fn may_change(&self) -> bool {
        self.user.role.may_change()
    }
}

/// Somebody who may look.
pub(super) struct MayLook(pub SignedIn);

/// Somebody who may change things.
pub(super) struct MayChange(pub SignedIn);

impl FromRequestParts<Arc<App>> for MayLook {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Refused> {
        parts.extensions.get::<SignedIn>().cloned().map(Self).ok_or(Refused::NotAllowed)
    }
}

impl FromRequestParts<Arc<App>> for MayChange {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let MayLook(signed_in) = MayLook::from_request_parts(parts, app).await?;
        if signed_in.may_change() { Ok(Self(signed_in)) } else { Err(Refused::NotAllowed) }
    }
}
