//! One session in its owner's hands.

mod calls;
mod contacts;
mod deletion;
mod errand;
mod fetch;
mod gate;
mod life;
mod limits;
mod logout;
mod numbers;
mod owner;
mod receipts;
mod received;
mod replies;
mod standing;
mod turnstile;

pub(crate) use contacts::Contacts;
pub(crate) use gate::{Ask, Turn};
pub(crate) use numbers::Numbers;
pub(crate) use owner::{Ended, Orders, Shared, Told, own};
pub(crate) use standing::{Standing, Standings};
pub(crate) use turnstile::Turnstile;

use std::sync::Arc;

use kurir_core::domain::{Fence, OwnLimits, PoolId, SessionId, TenantId};
use kurir_core::policy::{DayRule, PaceRule};
use kurir_core::port::Sender;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What the parts of an owned session share.
pub(crate) struct Owned {
    /// What the worker's sessions share.
    pub(crate) shared: Arc<Shared>,
    /// Whose session it is.
    pub(crate) tenant: TenantId,
    /// The guard of every write.
    pub(crate) fence: Fence,
    /// To send with.
    pub(crate) sender: Arc<dyn Sender>,
    /// Whether it can send now.
    pub(crate) link: watch::Receiver<bool>,
    /// The sender's limits.
    pub(crate) turnstile: Turnstile,
    /// The pool whose jobs it shares, if any.
    pub(crate) pool: watch::Receiver<Option<PoolId>>,
    /// Its own limits.
    pub(crate) limits: watch::Sender<OwnLimits>,
    /// Whom it has written to.
    pub(crate) contacts: Contacts,
    /// Which numbers have WhatsApp.
    pub(crate) numbers: Numbers,
    /// Told when files are to be fetched.
    pub(crate) files: tokio::sync::Notify,
    /// Which jobs are in work.
    pub(crate) in_work: crate::job::InWork,
    /// Cancelled when the session is lost: nothing may be written or sent any more.
    pub(crate) lost: CancellationToken,
    /// Cancelled when no new job may go on the wire.
    pub(crate) stopping: CancellationToken,
}

impl Owned {
    /// Which session.
    pub(crate) fn id(&self) -> &SessionId {
        &self.fence.session
    }

    /// How fast it may send.
    pub(crate) fn pace(&self) -> PaceRule {
        self.shared.options.pace.with(&self.limits.borrow())
    }

    /// What it may do in a day.
    pub(crate) fn day(&self) -> DayRule {
        self.shared.options.senders.day_of(self.id(), &self.limits.borrow())
    }
}
