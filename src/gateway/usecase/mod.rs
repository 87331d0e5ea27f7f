//! What can be done through the gateway, in the words of the domain. Every dialect translates into these calls; none of
//! them knows HTTP.

mod activity;
mod batch;
mod calls;
mod dead;
mod dead_facts;
mod enqueue;
mod error;
mod fleet;
mod keys;
mod limits;
mod link;
mod media;
mod messages;
mod overrides;
mod page;
mod pools;
mod prepare;
mod queues;
mod session_desk;
mod session_events;
mod sessions;
mod shipped;
mod suppressions;
mod templates;
mod verify;
mod webhooks;
mod withdraw;
mod wording;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{SessionId, SessionRecord, TenantId};
use kurir_core::policy::{PaceRule, SenderRules};

use super::GatewayPorts;
use super::queue_cap::{QueueCaps, QueueRoom};

pub use activity::Activities;
pub use batch::{Batch, Rows, Taken};
pub use calls::{CheckedNumber, PairingCode};
pub use dead::{DeadDone, DeadLook, DeadPage, DeadReader, MOST_DEAD};
pub use dead_facts::DeadFacts;
pub use enqueue::{Enqueue, Receipt};
pub use error::UseCaseError;
pub use fleet::{FleetView, Seat, WorkerStanding};
pub use keys::{KeyDesk, MadeKey, NewKey};
pub use limits::{Hold, SenderDay, Standing};
pub use link::LinkStanding;
pub use media::{MediaRules, Upload};
pub use messages::MessagePage;
pub use overrides::Overrides;
pub use pools::{PoolPage, PoolStanding};
pub use queues::{QueueStanding, QueueView};
pub use session_desk::{Order, SessionChange};
pub use sessions::{Create, Search, SessionPage};
pub use shipped::Shipped;
pub use suppressions::{BadWish, SuppressionPage, SuppressionWish};
pub use templates::{KnownTemplate, TemplatePage, TemplateText};
pub use verify::{
    CodeRefused, Conversion, Conversions, FallbackWish, NewVerification, PrefixPage, Sent, TextWish, VerificationPage,
    VerifyOptions, Wish,
};
pub use webhooks::{NewWebhook, Replay, Replayed, WebhookChange};
pub use wording::{NamedOtp, NamedTemplate, Texts, Wording, check_values};

/// The use cases over the ports.
#[derive(Clone)]
pub struct UseCases {
    ports: GatewayPorts,
    default_country: Option<String>,
    otp_ttl: Option<Duration>,
    media: MediaRules,
    verify: VerifyOptions,
    room: QueueRoom,
    dead: dead::DeadDesk,
    senders: Arc<SenderRules>,
    pace: PaceRule,
}

impl UseCases {
    /// Over these ports; the others as in [`super::GatewayOptions`].
    pub fn new(
        ports: GatewayPorts,
        default_country: Option<String>,
        otp_ttl: Option<Duration>,
        verify: VerifyOptions,
    ) -> Self {
        let room = QueueRoom::of(&ports, QueueCaps::default());
        Self {
            ports,
            default_country,
            otp_ttl,
            media: MediaRules::default(),
            verify,
            room,
            dead: dead::DeadDesk::default(),
            senders: Arc::default(),
            pace: PaceRule { every: Duration::ZERO, burst: NonZeroU32::MIN },
        }
    }

    /// With caps on the queues.
    #[must_use]
    pub fn with_caps(self, caps: QueueCaps) -> Self {
        Self { room: QueueRoom::of(&self.ports, caps), ..self }
    }

    /// With rules for files.
    #[must_use]
    pub fn with_media(self, media: MediaRules) -> Self {
        Self { media, ..self }
    }

    /// With the limits that the workers keep for senders, to tell what is left of them.
    #[must_use]
    pub fn with_senders(self, rules: SenderRules, pace: PaceRule) -> Self {
        Self { senders: Arc::new(rules), pace, ..self }
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
