//! What the media server hands out and recognises again without keeping it: upload permissions of
//! devices, and signed paths of stored files.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use rand::rngs::StdRng;
use sha2::Sha256;

use crate::account::{DeviceAddress, PhoneNumber};

const PERMISSION: &[u8] = b"upload permission";
const LOCATION: &[u8] = b"location";
const TAG_BYTES: usize = 16;
/// Expiry and number of 8 bytes each, device of 2.
const CLAIM_BYTES: usize = 18;
/// The folder of direct paths, as WhatsApp names one of its own.
const FOLDER: &str = "/v/t62.7118-24/";

/// SHA-256 of an encrypted file. Files are stored, uploaded and found under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileHash(pub [u8; 32]);

impl FileHash {
    /// Reads the base64url of an upload address; whatsmeow pads it, others do not.
    pub(crate) fn from_token(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?;
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn token(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// A signed path: which file, until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub hash: FileHash,
    /// Seconds since 1970.
    pub expires: u64,
    /// Whether the signature is right.
    pub genuine: bool,
}

/// The server's secret.
pub(crate) struct Signer([u8; 32]);

impl Signer {
    pub(crate) fn new(rng: &mut StdRng) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self(secret)
    }

    fn tag(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("any key length");
        mac.update(purpose);
        for part in parts {
            mac.update(part);
        }
        let full = mac.finalize().into_bytes();
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&full[..TAG_BYTES]);
        tag
    }

    /// Lets a device upload until `expires`, in seconds since 1970.
    pub(crate) fn permit(&self, device: DeviceAddress, expires: u64) -> String {
        let mut claim = Vec::with_capacity(CLAIM_BYTES + TAG_BYTES);
        claim.extend_from_slice(&expires.to_be_bytes());
        claim.extend_from_slice(&device.account.as_u64().to_be_bytes());
        claim.extend_from_slice(&device.device.to_be_bytes());
        let tag = self.tag(PERMISSION, &[&claim]);
        claim.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(claim)
    }

    /// The device that an upload permission is for, unless it is forged or over.
    pub(crate) fn permitted(&self, permission: &str, now: u64) -> Option<DeviceAddress> {
        let bytes = URL_SAFE_NO_PAD.decode(permission).ok()?;
        let (claim, tag) = bytes.split_at_checked(CLAIM_BYTES)?;
        if tag != self.tag(PERMISSION, &[claim]) {
            return None;
        }
        let expires = u64::from_be_bytes(claim[..8].try_into().ok()?);
        let account = PhoneNumber::from_u64(u64::from_be_bytes(claim[8..16].try_into().ok()?))?;
        let device = u16::from_be_bytes(claim[16..].try_into().ok()?);
        (now < expires).then_some(DeviceAddress { account, device })
    }

    /// The path of a file.
    ///
    /// It ends in parameters, as with WhatsApp: whatsmeow adds its own after a `&`, whatsapp-rust
    /// after a `?`, so the last one must be of no interest.
    pub(crate) fn path(&self, hash: FileHash, expires: u64) -> String {
        let signature = URL_SAFE_NO_PAD.encode(self.tag(LOCATION, &[&hash.0, &expires.to_be_bytes()]));
        format!("{FOLDER}{}.enc?ccb=11-4&oh={signature}&oe={expires:X}&_nc_sid=5e03e0", hash.token())
    }

    /// Reads a path, as a message or a download request carries it.
    pub(crate) fn locate(&self, path_and_query: &str) -> Option<Location> {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let hash = FileHash::from_token(path.strip_prefix(FOLDER)?.strip_suffix(".enc")?)?;
        let parameter = |name: &str| {
            let pairs = query.split(['&', '?']).filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
        };
        let expires = parameter("oe").and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default();
        let tag = parameter("oh").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let genuine = tag.is_some_and(|tag| tag == self.tag(LOCATION, &[&hash.0, &expires.to_be_bytes()]));
        Some(Location { hash, expires, genuine })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn signer(seed: u64) -> Signer {
        Signer::new(&mut StdRng::seed_from_u64(seed))
    }

    #[test]
    fn a_permission_names_its_device_until_it_is_over() {
        let device = DeviceAddress { account: "15551230001".parse().expect("valid"), device: 3 };
        let permission = signer(1).permit(device, 100);
        assert_eq!(signer(1).permitted(&permission, 99), Some(device));
        assert_eq!(signer(1).permitted(&permission, 100), None);
        assert_eq!(signer(2).permitted(&permission, 99), None);
        assert_eq!(signer(1).permitted("", 99), None);
        assert_eq!(signer(1).permitted(&permission[..permission.len() - 1], 99), None);
    }

    #[test]
    fn a_path_is_found_with_whatever_clients_add_to_it() {
        let hash = FileHash([7; 32]);
        let path = signer(1).path(hash, 0x65);
        let expected = Some(Location { hash, expires: 0x65, genuine: true });
        for added in ["", "&hash=abc&mms-type=image&__wa-mms=", "?auth=xyz&token=abc"] {
            assert_eq!(signer(1).locate(&format!("{path}{added}")), expected, "{added}");
        }
    }

    #[test]
    fn a_path_with_another_date_or_secret_is_not_genuine() {
        let path = signer(1).path(FileHash([7; 32]), 0x65);
        for changed in [
            path.replace("oe=65", "oe=66"),
            path.replace("oh=", "oh=A"),
            "/v/t62.7118-24/".to_owned() + &FileHash([7; 32]).token() + ".enc",
        ] {
            assert!(!signer(1).locate(&changed).expect("still a path").genuine, "{changed}");
        }
        assert!(!signer(2).locate(&path).expect("still a path").genuine);
        assert_eq!(signer(1).locate("/etc/passwd"), None);
        assert_eq!(signer(1).locate("/v/t62.7118-24/../x.enc"), None);
    }

    #[test]
    fn a_padded_token_is_the_same_file() {
        let hash = FileHash([9; 32]);
        assert_eq!(FileHash::from_token(&(hash.token() + "=")), Some(hash));
        assert_eq!(FileHash::from_token("c2hvcnQ"), None);
    }
}
