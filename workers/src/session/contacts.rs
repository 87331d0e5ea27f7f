//! Whom the session has written to: what the store knows, with a memory before it.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use kurir_core::domain::{PhoneNumber, SessionId};
use kurir_core::port::{Ledger, PortError};

/// Most recipients remembered per session; the others are looked up each time.
const REMEMBERED: usize = 20_000;

/// The recipients that one session is known to have met. Who was met stays so; that somebody was not is never kept.
#[derive(Default)]
pub(crate) struct Contacts(Mutex<Met>);

#[derive(Default)]
struct Met {
    numbers: HashSet<PhoneNumber>,
    order: VecDeque<PhoneNumber>,
}

impl Contacts {
    /// Whether the session has never written to this number.
    pub(crate) async fn cold(
        &self,
        ledger: &dyn Ledger,
        session: &SessionId,
        to: &PhoneNumber,
    ) -> Result<bool, PortError> {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).numbers.contains(to) {
            return Ok(false);
        }
        let met = ledger.met(session, std::slice::from_ref(to)).await?;
        if met.first() != Some(&true) {
            return Ok(true);
        }
        self.remember(to);
        Ok(false)
    }

    fn remember(&self, number: &PhoneNumber) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.numbers.insert(number.clone()) {
            met.order.push_back(number.clone());
        }
        if met.order.len() > REMEMBERED
            && let Some(oldest) = met.order.pop_front()
        {
            met.numbers.remove(&oldest);
        }
    }
}
