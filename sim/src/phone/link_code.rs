//! The phone's part in linking by a code of eight characters: two key agreements, protected by the code that the owner
//! reads off the client and types.
//!
//! The phone can't see whether the code is right when it is typed. Each side hides its ephemeral key under a key made of
//! the code; with a wrong code they agree on different secrets, which shows when the client's key bundle doesn't open.
//! The layouts were seen with whatsapp-rust 0.7 and Baileys 7.

use rand::rngs::StdRng;
use wacore::crypto::hkdf_sha256;
use wacore::libsignal::crypto::aes_256_gcm_decrypt;
use wacore::libsignal::protocol::{IdentityKeyPair, KeyPair, PublicKey};
use wacore::pair_code::PairCodeUtils;

/// A hidden ephemeral key: 32 bytes of salt, 16 of counter block, the encrypted key.
pub(crate) const HIDDEN_KEY: usize = 80;

/// 32 bytes of salt, 12 of nonce, then three encrypted keys and a tag.
const BUNDLE: usize = 32 + 12 + 3 * 32 + 16;

/// The code as it is typed, in the form in which clients use it; `None` when it can't be one.
///
/// People copy the dash that clients show in the middle, and don't mind the case.
pub(crate) fn read_code(typed: &str) -> Option<String> {
    let plain: String = typed.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    PairCodeUtils::validate_code(&plain).then(|| plain.to_ascii_uppercase())
}

/// What the phone knows between typing the code and the client's answer.
pub(crate) struct LinkCode {
    ephemeral: KeyPair,
    client_ephemeral: [u8; 32],
    /// The phone's own ephemeral key, hidden, for the client.
    pub hidden: [u8; HIDDEN_KEY],
}

/// Why the client's key bundle is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BundleError {
    /// It does not open: the code was wrong.
    WrongCode,
    /// It opens, but it is not what it should be.
    Malformed(&'static str),
}

impl LinkCode {
    /// Takes a typed code and the client's hidden key. Takes about a tenth of a second of computing, on purpose: it
    /// makes trying all codes expensive.
    pub(crate) fn begin(code: &str, client_hidden: &[u8; HIDDEN_KEY], mut rng: StdRng) -> Option<Self> {
        let client_ephemeral = PairCodeUtils::decrypt_primary_ephemeral_pub(client_hidden, code).ok()?;
        let ephemeral = KeyPair::generate(&mut rng);
        let public: [u8; 32] = ephemeral.public_key.public_key_bytes().try_into().ok()?;
        let hidden = PairCodeUtils::encrypt_ephemeral_pub(&public, code);
        Some(Self { ephemeral, client_ephemeral, hidden })
    }

    /// Opens the client's key bundle. Returns the secret that protects the link, as a scanned QR code's does.
    pub(crate) fn open(
        &self,
        bundle: &[u8],
        phone: &IdentityKeyPair,
        client: &[u8; 32],
    ) -> Result<[u8; 32], BundleError> {
        let malformed = BundleError::Malformed;
        if bundle.len() != BUNDLE {
            return Err(malformed("its key bundle has the wrong length"));
        }
        let (salt, rest) = bundle.split_at(32);
        let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(malformed("its key bundle is too short"))?;
        // What a wrong code makes of the client's key is no key or somebody else's; neither opens the bundle.
        let shared = self.agree().ok_or(BundleError::WrongCode)?;
        let key = derive(&shared, Some(salt), b"link_code_pairing_key_bundle_encryption_key")
            .ok_or(malformed("no key can be derived for its key bundle"))?;
        let mut opened = Vec::with_capacity(3 * 32);
        aes_256_gcm_decrypt(&key, nonce, b"", sealed, &mut opened).map_err(|_| BundleError::WrongCode)?;
        let (keys, random) = opened.split_at(64);
        if keys[..32] != *client || keys[32..] != *phone.public_key().public_key_bytes() {
            return Err(malformed("its key bundle names other identities"));
        }
        let identity = PublicKey::from_djb_public_key_bytes(client)
            .ok()
            .and_then(|client| phone.private_key().calculate_agreement(&client).ok())
            .ok_or(malformed("its identity key is not a key"))?;
        derive(&[shared.as_slice(), &identity, random].concat(), None, b"adv_secret")
            .ok_or(malformed("no secret can be derived"))
    }

    fn agree(&self) -> Option<[u8; 32]> {
        let client = PublicKey::from_djb_public_key_bytes(&self.client_ephemeral).ok()?;
        self.ephemeral.private_key.calculate_agreement(&client).ok()
    }
}

fn derive(material: &[u8], salt: Option<&[u8]>, purpose: &[u8]) -> Option<[u8; 32]> {
    hkdf_sha256(material, 32, salt, purpose).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const CODE: &str = "ABCD1234";

    struct Client {
        ephemeral: KeyPair,
        identity: KeyPair,
        code: &'static str,
    }

    impl Client {
        fn new(code: &'static str) -> Self {
            let mut rng = StdRng::seed_from_u64(1);
            Self { ephemeral: KeyPair::generate(&mut rng), identity: KeyPair::generate(&mut rng), code }
        }

        fn hidden(&self) -> [u8; HIDDEN_KEY] {
            PairCodeUtils::encrypt_ephemeral_pub(&bytes(&self.ephemeral.public_key), self.code)
        }

        fn answer(&self, phone_hidden: &[u8], phone: &IdentityKeyPair) -> (Vec<u8>, [u8; 32]) {
            let theirs = PairCodeUtils::decrypt_primary_ephemeral_pub(phone_hidden, self.code).expect("80 bytes");
            let identity = bytes(phone.public_key());
            PairCodeUtils::prepare_key_bundle(&self.ephemeral, &theirs, &identity, &self.identity).expect("a bundle")
        }
    }

    fn bytes(key: &PublicKey) -> [u8; 32] {
        key.public_key_bytes().try_into().expect("32 bytes")
    }

    fn phone() -> IdentityKeyPair {
        IdentityKeyPair::generate(&mut StdRng::seed_from_u64(2))
    }

    #[test]
    fn both_sides_come_to_the_same_secret() {
        let (client, phone) = (Client::new(CODE), phone());
        let link = LinkCode::begin(CODE, &client.hidden(), StdRng::seed_from_u64(3)).expect("keys");
        let (bundle, secret) = client.answer(&link.hidden, &phone);
        assert_eq!(link.open(&bundle, &phone, &bytes(&client.identity.public_key)), Ok(secret));
        let other = link.open(&bundle, &phone, &bytes(&client.ephemeral.public_key));
        assert!(matches!(other, Err(BundleError::Malformed(_))), "{other:?}");
        assert!(matches!(link.open(&bundle[1..], &phone, &[0; 32]), Err(BundleError::Malformed(_))));
    }

    #[test]
    fn a_wrong_code_shows_when_the_bundle_does_not_open() {
        let (client, phone) = (Client::new(CODE), phone());
        let link = LinkCode::begin("ABCD1235", &client.hidden(), StdRng::seed_from_u64(3)).expect("keys");
        let (bundle, _) = client.answer(&link.hidden, &phone);
        assert_eq!(link.open(&bundle, &phone, &bytes(&client.identity.public_key)), Err(BundleError::WrongCode));
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        for typed in ["ABCD1234", "abcd-1234", " ABCD 1234"] {
            assert_eq!(read_code(typed).as_deref(), Some(CODE));
        }
        for typed in ["", "ABCD123", "ABCD12345", "ABCD123O", "ABCD123é"] {
            assert_eq!(read_code(typed), None, "{typed}");
        }
    }
}
