//! Names and ids. All are checked where they enter, so that they can stand in routing keys, Redis keys and paths
//! without escaping.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Longest name of a session, tenant, pool or worker, in bytes.
const MAX_NAME: usize = 64;

/// Why a text can't be a name or an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// Empty, or longer than 64 characters.
    #[error("a {what} has 1 to 64 characters, this one has {len}")]
    Length {
        /// Which kind of name.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A character that would need escaping in a routing key or a path.
    #[error(
        "a {what} consists of letters, digits, '-' and '_', and starts with a letter or a digit; {found:?} does not fit"
    )]
    Character {
        /// Which kind of name.
        what: &'static str,
        /// The first character that does not fit.
        found: char,
    },
    /// Not a UUID.
    #[error("a job id is a UUID (version 7 advised), {len} characters that are none were given")]
    NotUuid {
        /// The length of what was given; the text itself could be anything, so it is not repeated.
        len: usize,
    },
}

fn check_name(what: &'static str, text: &str) -> Result<(), IdentError> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err(IdentError::Length { what, len: text.len() });
    }
    let misfit =
        text.char_indices().find(|(at, c)| !(c.is_ascii_alphanumeric() || (*at > 0 && (*c == '-' || *c == '_'))));
    misfit.map_or(Ok(()), |(_, found)| Err(IdentError::Character { what, found }))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks the text: 1 to 64 letters, digits, `-` and `_`, the first a letter or a digit.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdentError> {
                check_name($what, text.as_ref())?;
                Ok(Self(text.as_ref().into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdentError;
            fn from_str(text: &str) -> Result<Self, IdentError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentError;
            fn try_from(text: String) -> Result<Self, IdentError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name!(
    /// A WhatsApp session (one linked account). Unique over the whole fleet, because it stands in routing keys.
    SessionId, "session id"
);
name!(
    /// A customer of the fleet; jobs, events, limits and API keys belong to one.
    TenantId, "tenant"
);
name!(
    /// An API key, by what may be shown of it.
    KeyId, "key id"
);
name!(
    /// A webhook.
    WebhookId, "webhook id"
);
name!(
    /// A group of sessions that share jobs.
    PoolId, "pool"
);
name!(
    /// A template of a tenant's, or one that kurir brings along.
    TemplateName, "template's name"
);
name!(
    /// A worker process. Two processes with the same name are told apart by their lease tokens.
    WorkerName, "worker name"
);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// From a UUID of any version.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = IdentError;
            fn from_str(text: &str) -> Result<Self, IdentError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdentError::NotUuid { len: text.len() })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number!(
    /// The producer's id of a job.
    JobId
);
number!(
    /// A batch: jobs that were asked for together.
    BatchId
);

/// A job's identity in the ledger: two tenants may use the same UUID without meeting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// Whose job it is.
    pub tenant: TenantId,
    /// The producer's id.
    pub job: JobId,
}

impl JobKey {
    /// Puts both parts together.
    pub const fn new(tenant: TenantId, job: JobId) -> Self {
        Self { tenant, job }
    }
}

/// WhatsApp's id of a message (the `id` of the stanza).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(String);

impl MessageId {
    /// Derives the id from the job, so that a repeated send carries the same id and the phone shows it once.
    /// The form (`3EB0` and 18 upper-case hexadecimal digits) is that of WhatsApp Web's own ids.
    pub fn derive(key: &JobKey) -> Self {
        use std::fmt::Write as _;
        let mut hash = Sha256::new();
        hash.update(b"kurir/message-id/v1\0");
        hash.update(key.tenant.as_str().as_bytes());
        hash.update(b"\0");
        hash.update(key.job.as_uuid().as_bytes());
        let mut id = String::from("3EB0");
        for byte in hash.finalize().iter().take(9) {
            // Writing into a String can't fail.
            let _ = write!(id, "{byte:02X}");
        }
        Self(id)
    }

    /// An id read from the wire.
    pub fn from_wire(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refuse_what_routing_keys_cannot_hold() {
        for bad in ["", "a.b", "a b", "-a", "é", "a/b", &"x".repeat(65)] {
            assert!(SessionId::new(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(SessionId::new("0LMN_4-z").unwrap().as_str(), "0LMN_4-z");
    }

    #[test]
    fn message_id_is_stable_and_differs_by_tenant() {
        let job: JobId = "018f2a52-7c4e-7a3b-9d10-0123456789ab".parse().unwrap();
        let of = |tenant: &str| MessageId::derive(&JobKey::new(TenantId::new(tenant).unwrap(), job));
        assert_eq!(of("acme"), of("acme"));
        assert_ne!(of("acme"), of("other"));
        let id = of("acme");
        assert!(id.as_str().starts_with("3EB0") && id.as_str().len() == 22);
    }
}
