//! Bytes in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are written as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base64(pub Vec<u8>);

impl Base64 {
    /// The bytes, if they are exactly so many.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], String> {
        self.0.as_slice().try_into().map_err(|_| format!("{} bytes where {N} are expected", self.0.len()))
    }
}

impl<T: AsRef<[u8]>> From<T> for Base64 {
    fn from(bytes: T) -> Self {
        Self(bytes.as_ref().to_vec())
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD_NO_PAD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}
