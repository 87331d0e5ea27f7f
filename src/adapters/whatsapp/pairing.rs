//! Linking by a code that is typed on the phone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kurir_core::domain::{PhoneNumber, Secret};
use kurir_core::port::{MessengerError, PAIRING_LIMIT, PairingCode};
use tokio::time::{Instant, timeout};
use whatsapp_rust::pair_code::{PairCodeOptions, PairError};
use whatsapp_rust::wacore::pair_code::PairCodeUtils;

use super::failure;
use super::sender::WhatsAppSender;

/// A code with less time left than this is not given again: nobody types it in time.
const TOO_SHORT: Duration = Duration::from_secs(30);

/// The code that waits to be typed. WhatsApp counts how many are asked for, so the same is given again while it is good.
#[derive(Default)]
pub(super) struct ShownCode(Mutex<Option<(PhoneNumber, Secret<String>, Instant)>>);

impl ShownCode {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(PhoneNumber, Secret<String>, Instant)>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code for this number, if it is good for a while.
    fn of(&self, number: &PhoneNumber, now: Instant) -> Option<PairingCode> {
        let shown = self.lock();
        let (_, code, until) = shown.as_ref().filter(|(shown, ..)| shown == number)?;
        let valid_for = until.saturating_duration_since(now);
        (valid_for > TOO_SHORT).then(|| PairingCode { code: code.clone(), valid_for })
    }

    fn put(&self, number: PhoneNumber, code: Secret<String>, until: Instant) {
        *self.lock() = Some((number, code, until));
    }

    /// The code is void: it was used or refused, or its connection has ended.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }
}

impl WhatsAppSender {
    /// Asks for a code, or gives the one that waits.
    pub(super) async fn ask_pairing_code(&self, number: &PhoneNumber) -> Result<PairingCode, MessengerError> {
        const WHAT: &str = "a pairing code";
        if self.backend.fenced().is_cancelled() {
            return Err(MessengerError::Fenced);
        }
        if self.client.pn().is_some() {
            return Err(MessengerError::Linked);
        }
        if self.court.stop.is_cancelled() || !self.client.is_connected() {
            return Err(MessengerError::NotConnected);
        }
        let begun = Instant::now();
        if let Some(shown) = self.shown.of(number, begun) {
            return Ok(shown);
        }
        // The library makes no second code while the first may still be typed; this one takes its place.
        self.client.cancel_pair_code().await;
        self.shown.forget();
        let options = PairCodeOptions { phone_number: number.digits().to_owned(), ..PairCodeOptions::default() };
        let made = timeout(PAIRING_LIMIT, self.client.pair_with_code(options)).await;
        let code = made.map_err(|_| MessengerError::NoAnswer(WHAT))?.map_err(|error| match error {
            error if error.rejection().is_some() => MessengerError::Refused(WHAT),
            PairError::RequestFailed(error) => self.explained(failure::query(WHAT, &error)),
            // Somebody else asks at the same time, and gets the code that counts.
            error if error.lost_the_flow_to_another_request() => MessengerError::NoAnswer(WHAT),
            _ => failure::client(WHAT, &"the code could not be made"),
        })?;
        let (code, until) = (Secret::new(code), begun + PairCodeUtils::code_validity());
        self.shown.put(number.clone(), code.clone(), until);
        Ok(PairingCode { code, valid_for: until.saturating_duration_since(Instant::now()) })
    }
}
