//! Waiting for a code to scan: the older systems answered a request for one when they had it.

use std::time::Duration;

use kurir_core::domain::{QrCode, Scope, SessionId};
use kurir_core::wire::QrV1;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Desk, Guest, Refusal};
use crate::gateway::usecase::UseCaseError;

/// How often is looked while something is to come.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What there is to scan.
pub(super) enum ToScan {
    /// This.
    Code(QrCode),
    /// Nothing: the session is linked.
    Linked,
}

impl Desk {
    /// The session's current code; waits for it while it is to come. Who asks may link the session, so it takes more than
    /// looking.
    pub async fn qr(&self, guest: &Guest, session: &SessionId) -> Result<ToScan, Refusal> {
        guest.needs(Scope::Control)?;
        if !guest.covers(session) {
            return Err(Refusal::NoSession);
        }
        let end = Instant::now() + self.options.qr_wait;
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.app.stopping.cancelled() => return Err(Refusal::Unavailable),
            }
            match self.app.cases.qr(guest.tenant(), session).await {
                Ok(code) => return Ok(ToScan::Code(code)),
                Err(UseCaseError::NoQr { soon: true, .. }) if Instant::now() < end => {}
                Err(UseCaseError::NoQr { state, soon: false, .. }) if state.is_linked() => return Ok(ToScan::Linked),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The code as a picture in a `data:` URL.
pub(super) fn picture(code: &QrCode) -> Result<String, Refusal> {
    Ok(QrV1::draw(code).map_err(UseCaseError::Draw)?.png)
}
