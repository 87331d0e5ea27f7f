//! What can be done through the gateway, in the words of the domain. Every dialect translates into these calls; none of
//! them knows HTTP.

mod calls;
mod enqueue;
mod error;
mod keys;
mod messages;
mod pools;
mod session_desk;
mod sessions;
mod withdraw;

use std::time::Duration;

use kurir_core::domain::{SessionId, SessionRecord, TenantId};

use super::GatewayPorts;

pub use calls::{CheckedNumber, PairingCode};
pub use enqueue::{Enqueue, Receipt};
pub use error::UseCaseError;
pub use keys::{KeyDesk, MadeKey, NewKey};
pub use pools::{PoolPage, PoolStanding};
pub use session_desk::{Order, SessionChange};
pub use sessions::{Create, Search, SessionPage};

/// The use cases over the ports.
#[derive(Clone)]
pub struct UseCases {
    ports: GatewayPorts,
    default_country: Option<String>,
    otp_ttl: Option<Duration>,
}

impl UseCases {
    /// Over these ports; `default_country` and `otp_ttl` as in [`super::GatewayOptions`].
    pub const fn new(ports: GatewayPorts, default_country: Option<String>, otp_ttl: Option<Duration>) -> Self {
        Self { ports, default_country, otp_ttl }
    }

    /// Has the workers look now for what is to be done. They look by themselves a little later.
    async fn nudge(&self) {
        if let Err(error) = self.ports.vigil.nudge().await {
            tracing::debug!(error = %error.chain(), "the workers could not be nudged");
        }
    }

    /// A session of this tenant. One of another tenant is as good as none: its existence is nobody else's business.
    async fn own_session(&self, tenant: &TenantId, id: &SessionId) -> Result<SessionRecord, UseCaseError> {
        let record = self.ports.sessions.get(id).await?;
        record.filter(|record| record.tenant == *tenant).ok_or(UseCaseError::NotFound { what: "session", field: None })
    }
}
