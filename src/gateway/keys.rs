//! API keys.

use kurir_core::domain::{Secret, TenantId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A key, kept as its hash: whoever reads the process's memory or a dump of it finds no key.
#[derive(Clone)]
pub struct ApiKey {
    hash: [u8; 32],
    tenant: TenantId,
}

impl ApiKey {
    /// Hashes a key. It must be random, since the hash is a plain SHA-256.
    pub fn new(key: &Secret<String>, tenant: TenantId) -> Self {
        Self { hash: Sha256::digest(key.expose().as_bytes()).into(), tenant }
    }

    /// A key of which only the SHA-256 is known.
    pub const fn from_hash(hash: [u8; 32], tenant: TenantId) -> Self {
        Self { hash, tenant }
    }
}

/// All keys that are taken.
#[derive(Clone, Default)]
pub struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    /// These keys and no others.
    pub const fn new(keys: Vec<ApiKey>) -> Self {
        Self(keys)
    }

    /// Whose key it is. Takes the same time for every wrong key: hashes are compared, each in constant time, and all
    /// of them whether or not one has matched.
    pub fn tenant_of(&self, presented: &[u8]) -> Option<&TenantId> {
        let hash: [u8; 32] = Sha256::digest(presented).into();
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.hash.ct_eq(&hash)) {
                found = Some(&key.tenant);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_opens_its_tenant() {
        let tenant = |name: &str| TenantId::new(name).unwrap();
        let key = |text: &str, name| ApiKey::new(&Secret::new(text.to_owned()), tenant(name));
        let keys = ApiKeys::new(vec![key("one", "a"), key("two", "b")]);
        assert_eq!(keys.tenant_of(b"one"), Some(&tenant("a")));
        assert_eq!(keys.tenant_of(b"two"), Some(&tenant("b")));
        for wrong in [&b""[..], b"on", b"onee", b"One"] {
            assert_eq!(keys.tenant_of(wrong), None);
        }
        assert_eq!(ApiKeys::default().tenant_of(b""), None);
    }
}
