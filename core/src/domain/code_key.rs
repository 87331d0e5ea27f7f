//! Marks of codes: what is kept to recognise a code that is given back, without the code.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Secret, TenantId, VerificationId};

/// The keys that codes are marked with, one for each version of the keyring. They are derived, so whoever has them can
/// open nothing that is sealed.
#[derive(Clone)]
pub struct CodeKeys(Arc<BTreeMap<u32, [u8; 32]>>);

/// A code's mark: HMAC-SHA256 over whose verification it is and the code. A code has few digits, so a hash without a key
/// would tell it to whoever tries them all.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeMark {
    /// Of which key.
    version: u32,
    mac: [u8; 32],
}

impl fmt::Debug for CodeMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeMark(key {})", self.version)
    }
}

/// The key that a mark was made with is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a code was marked with key version {0}, which is not among the given encryption keys")]
pub struct UnknownCodeKey(u32);

impl CodeKeys {
    pub(super) fn new(keys: BTreeMap<u32, [u8; 32]>) -> Self {
        Self(Arc::new(keys))
    }

    /// Marks a code with the newest key.
    pub fn mark(&self, tenant: &TenantId, id: VerificationId, code: &Secret<String>) -> CodeMark {
        let Some((version, key)) = self.0.last_key_value() else { unreachable!("a keyring has a key") };
        let mac = hmac(key, tenant, id, code.expose()).finalize().into_bytes().into();
        CodeMark { version: *version, mac }
    }

    /// Whether this is the code that was marked, in constant time.
    pub fn matches(
        &self,
        mark: &CodeMark,
        tenant: &TenantId,
        id: VerificationId,
        code: &Secret<String>,
    ) -> Result<bool, UnknownCodeKey> {
        let key = self.0.get(&mark.version).ok_or(UnknownCodeKey(mark.version))?;
        Ok(hmac(key, tenant, id, code.expose()).verify_slice(&mark.mac).is_ok())
    }

    /// The keys with which requests to this tenant's fall-back webhooks are signed, the one of now first. They are the same
    /// until the oldest key goes.
    pub fn webhook_keys(&self, tenant: &TenantId, numbers: SecretNumbers) -> impl Iterator<Item = Secret<[u8; 32]>> {
        std::iter::once(numbers.now).chain(numbers.before).map(move |number| self.webhook_key(tenant, number))
    }

    fn webhook_key(&self, tenant: &TenantId, number: u32) -> Secret<[u8; 32]> {
        let Some((_, key)) = self.0.first_key_value() else { unreachable!("a keyring has a key") };
        let mut mac = keyed(key);
        mac.update(b"kurir/fallback-webhook/v1\0");
        mac.update(tenant.as_str().as_bytes());
        // The first one has none: there was no other then.
        if number > 1 {
            mac.update(b"\0");
            mac.update(&number.to_be_bytes());
        }
        Secret::new(mac.finalize().into_bytes().into())
    }
}

/// Which of the secrets of fall-back webhooks sign, counted from 1: another number is another secret, for every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretNumbers {
    /// The one that is told.
    pub now: u32,
    /// The one that it replaces, while there are servers that know only that.
    pub before: Option<u32>,
}

impl Default for SecretNumbers {
    /// The first, alone.
    fn default() -> Self {
        Self { now: 1, before: None }
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of every length"))
}

fn hmac(key: &[u8; 32], tenant: &TenantId, id: VerificationId, code: &str) -> Hmac<Sha256> {
    let mut mac = keyed(key);
    mac.update(b"kurir/verification/v1\0");
    mac.update(tenant.as_str().as_bytes());
    mac.update(b"\0");
    mac.update(id.as_uuid().as_bytes());
    mac.update(code.as_bytes());
    mac
}

impl fmt::Debug for CodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeKeys(versions {:?})", self.0.keys().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn keys(versions: &[u32]) -> CodeKeys {
        CodeKeys::new(versions.iter().map(|v| (*v, [u8::try_from(*v).unwrap(); 32])).collect())
    }

    #[test]
    fn a_mark_knows_its_code_and_no_other_also_after_a_new_key() {
        let (tenant, other) = (TenantId::new("acme").unwrap(), TenantId::new("other").unwrap());
        let (id, another) = (VerificationId::new(Uuid::from_u128(1)), VerificationId::new(Uuid::from_u128(2)));
        let code = |text: &str| Secret::new(text.to_owned());
        let mark = keys(&[1]).mark(&tenant, id, &code("493817"));
        let both = keys(&[1, 2]);
        assert_eq!(both.matches(&mark, &tenant, id, &code("493817")), Ok(true));
        for (tenant, id, text) in [(&tenant, id, "493818"), (&other, id, "493817"), (&tenant, another, "493817")] {
            assert_eq!(both.matches(&mark, tenant, id, &code(text)), Ok(false), "{text}");
        }
        assert_eq!(keys(&[2]).matches(&mark, &tenant, id, &code("493817")), Err(UnknownCodeKey(1)));
        assert_eq!(both.mark(&tenant, id, &code("1")).version, 2);
        assert_eq!(format!("{mark:?} {both:?}"), "CodeMark(key 1) CodeKeys(versions [1, 2])");
    }

    #[test]
    fn secrets_of_webhooks_differ_by_tenant_and_number() {
        let (tenant, other) = (TenantId::new("acme").unwrap(), TenantId::new("other").unwrap());
        let both = keys(&[1, 2]);
        let of = |keys: &CodeKeys, tenant, numbers| keys.webhook_keys(tenant, numbers).collect::<Vec<_>>();
        let first = of(&both, &tenant, SecretNumbers::default());
        assert_eq!(first, of(&keys(&[1]), &tenant, SecretNumbers::default()));
        assert_ne!(first, of(&both, &other, SecretNumbers::default()));
        let second = of(&both, &tenant, SecretNumbers { now: 2, before: Some(1) });
        assert_eq!((second.len(), &second[1]), (2, &first[0]));
        assert_ne!(second[0], second[1]);
        assert_eq!(of(&both, &tenant, SecretNumbers { now: 2, before: None }), second[..1]);
    }
}
