//! Signatures by Standard Webhooks.

use kurir_core::domain::{Secret, Timestamp, WebhookSettings};

/// The signatures of a message, one by each secret that is good at this moment, separated by spaces. A secret that is none
/// signs nothing.
pub(super) fn signatures(settings: &WebhookSettings, id: &str, now: Timestamp, body: &[u8]) -> Secret<String> {
    let old = settings.old_secret.as_ref().filter(|old| now < old.until).map(|old| &old.secret);
    let sign = |secret: &Secret<String>| {
        let signer = standardwebhooks::Webhook::new(secret.expose()).ok()?;
        signer.sign(id, seconds(now), body).ok()
    };
    let all: Vec<_> = std::iter::once(&settings.secret).chain(old).filter_map(sign).collect();
    Secret::new(all.join(" "))
}

/// Seconds since 1970.
pub(super) const fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}
