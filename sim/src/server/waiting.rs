//! Clients that show a QR code now.
//!
//! The server gave each of them references, so it knows that they wait, and under what name. But
//! what a phone signs with is a secret that the client put into the code and told nobody: the
//! simulator can link a client only after it was shown the code once. It then remembers the secret
//! for as long as the client waits; the client's later codes hold the same one.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::time::Instant;

use super::pairing::{self, LinkedDevice, Pairings, QrText, Waiting};
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::world::World;

/// A client that shows a QR code and waits to be linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct WaitingClient {
    /// Names it, as long as it waits.
    pub id: u64,
    /// What the client calls itself.
    pub name: String,
    /// Milliseconds since it connected.
    pub waits_ms: u64,
    /// Milliseconds for which the code that it shows now is good.
    pub code_expires_in_ms: u64,
    /// Codes that it has left, with this one.
    pub codes_left: usize,
    /// Whether the simulator was shown the client's code, so that it can be linked by its `id`.
    pub seen: bool,
}

fn millis(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}

impl Pairings {
    fn waiting(&self, now: Instant) -> Vec<WaitingClient> {
        let all = self.lock();
        let mut clients = BTreeMap::new();
        for code in all.values().filter(|code| code.until > now) {
            let left = millis(now, code.until);
            let client = clients.entry(code.serial).or_insert_with(|| WaitingClient {
                id: code.serial,
                name: code.registration.name.clone(),
                waits_ms: millis(code.since, now),
                code_expires_in_ms: left,
                codes_left: 0,
                seen: code.secret.is_some(),
            });
            client.codes_left += 1;
            client.code_expires_in_ms = client.code_expires_in_ms.min(left);
        }
        clients.into_values().collect()
    }

    /// Remembers what a code holds. Returns which client shows it.
    fn remember(&self, qr: &QrText, now: Instant) -> Result<u64, SimError> {
        let mut all = self.lock();
        let code = all.get(&qr.reference).filter(|code| code.until > now).ok_or(SimError::UnknownQr)?;
        if !code.shows(qr) {
            return Err(SimError::BadQr { reason: "its keys are not those of the client that shows it" });
        }
        let serial = code.serial;
        for code in all.values_mut().filter(|code| code.serial == serial) {
            code.secret = Some(qr.secret.clone());
        }
        Ok(serial)
    }

    /// Uses up the codes of a client whose secret is known.
    fn pick(&self, id: u64, now: Instant) -> Result<(Waiting, Vec<u8>), SimError> {
        let (reference, secret) = {
            let all = self.lock();
            let shown = all.iter().filter(|(_, code)| code.serial == id && code.until > now);
            let (reference, code) = shown.min_by_key(|(_, code)| code.until).ok_or(SimError::UnknownQr)?;
            (reference.clone(), code.secret.clone().ok_or(SimError::QrNotSeen)?)
        };
        Ok((self.take(&reference, now).ok_or(SimError::UnknownQr)?, secret))
    }
}

/// The clients that show a code now, the longest waiting first.
pub(crate) fn waiting(world: &World) -> Vec<WaitingClient> {
    world.pairings.waiting(Instant::now())
}

/// Takes the text of a code, without linking its client yet.
pub(crate) fn present(world: &World, qr: &str) -> Result<WaitingClient, SimError> {
    let qr = pairing::parse_qr(qr)?;
    let id = world.pairings.remember(&qr, Instant::now())?;
    world.journal.touch();
    waiting(world).into_iter().find(|client| client.id == id).ok_or(SimError::UnknownQr)
}

/// The phone of `number` links a waiting client whose code was presented.
pub(crate) async fn scan_waiting(world: &World, id: u64, number: PhoneNumber) -> Result<LinkedDevice, SimError> {
    let account = world.account(number).ok_or(SimError::NotRegistered(number))?;
    pairing::may_link(world, &account)?;
    let (waiting, secret) = world.pairings.pick(id, Instant::now())?;
    world.journal.touch();
    pairing::link(world, &account, &waiting, &secret).await
}
