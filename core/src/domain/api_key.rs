//! API keys: what a caller may do, as which tenant, and with which sessions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{KeyId, Secret, SessionId, TenantId, Timestamp};

/// How a key begins, so that scanners of leaked secrets find it and its users know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStyle {
    /// `kurir_…`
    Kurir,
    /// `wa_…`, as users of an older system know theirs.
    Wa,
}

impl KeyStyle {
    const ALL: [Self; 2] = [Self::Kurir, Self::Wa];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Kurir => "kurir_",
            Self::Wa => "wa_",
        }
    }
}

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Sending, cancelling and rescheduling messages.
    Send,
    /// Looking at sessions, messages and events. QR codes are not among it: whoever scans one has the session.
    Read,
    /// Creating, linking, changing and deleting sessions.
    Control,
    /// All of it, and the tenant's keys.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Send, Self::Read, Self::Control, Self::Admin];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Control => "control",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is send, read, control or admin")]
pub struct NoSuchScope;

impl FromStr for Scope {
    type Err = NoSuchScope;

    fn from_str(text: &str) -> Result<Self, NoSuchScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(NoSuchScope)
    }
}

/// What is kept of a key. The key itself is not: it is shown once, when it is made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRecord {
    /// Names the key; a part of the key itself.
    pub id: KeyId,
    /// As whom its bearer acts.
    pub tenant: TenantId,
    /// What people call it.
    pub label: String,
    /// SHA-256 of the whole key, which is random; so the hash needs no salt and no slowness.
    pub hash: [u8; 32],
    /// What it allows.
    pub scopes: BTreeSet<Scope>,
    /// Which sessions it allows that with; `None`: all of the tenant's.
    pub sessions: Option<BTreeSet<SessionId>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is taken no more; a key that was revoked has the moment of that.
    pub until: Option<Timestamp>,
}

impl fmt::Debug for ApiKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyRecord({} of {})", self.id, self.tenant)
    }
}

impl ApiKeyRecord {
    /// Whether this is the key, in constant time, and it is still taken.
    pub fn opens(&self, presented: &[u8], now: Timestamp) -> bool {
        let hash: [u8; 32] = Sha256::digest(presented).into();
        bool::from(self.hash.ct_eq(&hash)) && self.until.is_none_or(|until| now < until)
    }

    /// Whether it allows something.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether it allows that with this session.
    pub fn covers(&self, session: &SessionId) -> bool {
        self.sessions.as_ref().is_none_or(|sessions| sessions.contains(session))
    }
}

/// Writes a key of 256 random bits down, for its only showing.
pub fn key_text(style: KeyStyle, id: &KeyId, random: [u128; 2]) -> Secret<String> {
    let [first, second] = random;
    Secret::new(format!("{}{id}_{first:032x}{second:032x}", style.prefix()))
}

/// The hash that is kept of a key.
pub fn key_hash(key: &Secret<String>) -> [u8; 32] {
    Sha256::digest(key.expose().as_bytes()).into()
}

/// Which key this text would be; `None` if it can't be one of ours.
pub fn key_id(presented: &[u8]) -> Option<KeyId> {
    let text = std::str::from_utf8(presented).ok()?;
    let rest = KeyStyle::ALL.into_iter().find_map(|style| text.strip_prefix(style.prefix()))?;
    let (id, _) = rest.split_once('_')?;
    KeyId::new(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &Secret<String>, id: KeyId) -> ApiKeyRecord {
        ApiKeyRecord {
            id,
            tenant: TenantId::new("acme").unwrap(),
            label: "shop".into(),
            hash: key_hash(key),
            scopes: BTreeSet::from([Scope::Send]),
            sessions: None,
            created_at: Timestamp::from_millis(0),
            until: Some(Timestamp::from_millis(1000)),
        }
    }

    #[test]
    fn a_key_names_itself_and_opens_until_its_end() {
        let id = KeyId::new("k12ab").unwrap();
        let key = key_text(KeyStyle::Kurir, &id, [7, 8]);
        for style in KeyStyle::ALL {
            assert_eq!(key_id(key_text(style, &id, [7, 8]).expose().as_bytes()), Some(id.clone()));
        }
        let record = record(&key, id.clone());
        let at = Timestamp::from_millis;
        assert!(record.opens(key.expose().as_bytes(), at(999)));
        assert!(!record.opens(key.expose().as_bytes(), at(1000)));
        let other = key_text(KeyStyle::Kurir, &id, [7, 9]);
        assert!(!record.opens(other.expose().as_bytes(), at(0)));
        for none in ["", "kurir_", "kurir_k12ab", "kurir__77", "other_k12ab_77"] {
            assert_eq!(key_id(none.as_bytes()), None, "{none}");
        }
        assert_eq!(key_id(&[0xff, 0xfe]), None);
    }

    #[test]
    fn admin_is_everything_and_a_list_of_sessions_is_all_there_is() {
        let id = KeyId::new("k").unwrap();
        let mut record = record(&key_text(KeyStyle::Wa, &id, [1, 2]), id);
        assert!(record.may(Scope::Send) && !record.may(Scope::Read));
        record.scopes = BTreeSet::from([Scope::Admin]);
        assert!(Scope::ALL.into_iter().all(|scope| record.may(scope)));
        let session = |name: &str| SessionId::new(name).unwrap();
        assert!(record.covers(&session("a")));
        record.sessions = Some(BTreeSet::from([session("a")]));
        assert!(record.covers(&session("a")) && !record.covers(&session("b")));
        assert!("owner".parse::<Scope>().is_err());
        assert!(Scope::ALL.into_iter().all(|scope| scope.as_str().parse() == Ok(scope)));
    }
}
