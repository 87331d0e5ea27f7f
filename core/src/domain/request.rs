//! Requests that their callers may repeat, told apart by the name that the caller gave them (`Idempotency-Key`).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{BatchId, JobId, TenantId};

/// Longest name of a request, in bytes.
const MAX_NAME: usize = 255;

/// Namespace of derived ids (UUID version 5). Fixed: a request that is taken over must derive the same ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b75_7269_7200_4e53_8a01_7265_7175_6573);

/// Why a text can't name a request. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key has 1 to {MAX_NAME} visible ASCII characters")]
pub struct BadRequestName;

/// Which request of which tenant. Only a hash of the caller's name is kept: it may be anything, an order's number or a
/// customer's address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey {
    /// Whose request it is.
    pub tenant: TenantId,
    /// Stands for the name.
    pub name: [u8; 32],
}

impl RequestKey {
    /// Of a name as the caller wrote it.
    pub fn new(tenant: TenantId, name: &[u8]) -> Result<Self, BadRequestName> {
        let visible = name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        if name.is_empty() || name.len() > MAX_NAME || !visible {
            return Err(BadRequestName);
        }
        let name = Sha256::new().chain_update(b"kurir/request/v1\0").chain_update(name).finalize().into();
        Ok(Self { tenant, name })
    }
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestKey(of {})", self.tenant)
    }
}

/// What the ids of one request are made of, so that whoever takes the request over makes the same ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestSeed(pub [u8; 16]);

impl RequestSeed {
    /// The id of the job that the request makes, or of the `row`th one of a batch.
    pub fn job(&self, row: usize) -> JobId {
        JobId::new(self.derive(b"job", row))
    }

    /// The id of the batch that the request makes.
    pub fn batch(&self) -> BatchId {
        BatchId::new(self.derive(b"batch", 0))
    }

    fn derive(&self, what: &[u8], row: usize) -> Uuid {
        let mut name = Vec::with_capacity(32);
        name.extend_from_slice(&self.0);
        name.extend_from_slice(&(row as u64).to_be_bytes());
        name.extend_from_slice(what);
        Uuid::new_v5(&NAMESPACE, &name)
    }
}

impl fmt::Debug for RequestSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestSeed")
    }
}

/// The answer to a request, to be given again.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that belong to it, by name.
    pub headers: Vec<(String, String)>,
    /// The body. It may hold what nobody else may see: stores seal it.
    pub body: Vec<u8>,
}

/// What stands before the body.
#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl RecordedAnswer {
    /// As one piece, for a store to seal.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = Head { status: self.status, headers: self.headers.clone() };
        // Numbers and texts always serialise.
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let mut bytes = Vec::with_capacity(4 + head.len() + self.body.len());
        bytes.extend_from_slice(&u32::try_from(head.len()).unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads what [`RecordedAnswer::to_bytes`] wrote; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (head, body) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let Head { status, headers } = serde_json::from_slice(head).ok()?;
        Some(Self { status, headers, body: body.to_vec() })
    }
}

impl fmt::Debug for RecordedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordedAnswer({}, {} bytes)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_kept_as_hashes() {
        let tenant = TenantId::new("acme").unwrap();
        let key = |name: &[u8]| RequestKey::new(tenant.clone(), name);
        for bad in [&b""[..], &[b'x'; 256], b"a\tb", "é".as_bytes()] {
            assert_eq!(key(bad), Err(BadRequestName));
        }
        assert_eq!(key(b"order 77"), key(b"order 77"));
        assert_ne!(key(b"order 77"), key(b"order 78"));
        assert!(!format!("{:?}", key(&[b'x'; 255])).contains('x'));
    }

    #[test]
    fn ids_are_the_same_for_one_seed_and_differ_by_row_and_kind() {
        let (one, two) = (RequestSeed([1; 16]), RequestSeed([2; 16]));
        assert_eq!(one.job(3), RequestSeed([1; 16]).job(3));
        assert_ne!(one.job(3), one.job(4));
        assert_ne!(one.job(0), two.job(0));
        assert_ne!(one.job(0).as_uuid(), one.batch().as_uuid());
    }

    #[test]
    fn an_answer_is_read_back_whole() {
        let answer = RecordedAnswer {
            status: 202,
            headers: vec![("location".into(), "/v1/messages/1".into())],
            body: (0..=u8::MAX).collect(),
        };
        let bytes = answer.to_bytes();
        assert_eq!(RecordedAnswer::from_bytes(&bytes), Some(answer));
        assert_eq!(RecordedAnswer::from_bytes(&bytes[..3]), None);
        assert_eq!(RecordedAnswer::from_bytes(&[255; 9]), None);
    }
}
