//! Advanced device verification: the signatures that bind a linked device to its phone.
//!
//! The prefixes were seen with whatsapp-rust 0.7 and Baileys 7: `06 00` in front of what the phone
//! signs for a device, `06 01` in front of the device's answer, `06 02` in front of the list of
//! valid key indexes.

use hmac::{Hmac, KeyInit, Mac};
use rand::rngs::StdRng;
use sha2::Sha256;
use wacore::libsignal::protocol::{CurveError, IdentityKeyPair, PublicKey};
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

const ACCOUNT_SIGNATURE: [u8; 2] = [6, 0];
const DEVICE_SIGNATURE: [u8; 2] = [6, 1];
const KEY_INDEX_SIGNATURE: [u8; 2] = [6, 2];

/// What the phone asserts about a device: its key index and when it was linked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceIdentity {
    pub raw_id: u32,
    /// Seconds since 1970.
    pub timestamp: u64,
    pub key_index: u32,
}

/// The `device-identity` of `pair-success`: the phone's signature over the companion's identity,
/// sealed with the secret that only the scanned QR code carried.
pub(crate) fn link_identity(
    phone: &IdentityKeyPair,
    companion: &[u8; 32],
    secret: &[u8],
    identity: DeviceIdentity,
    rng: &mut StdRng,
) -> Result<Vec<u8>, CurveError> {
    let details = wa::ADVDeviceIdentity {
        raw_id: Some(identity.raw_id),
        timestamp: Some(identity.timestamp),
        key_index: Some(identity.key_index),
        account_type: Some(wa::ADVEncryptionType::E2EE),
        device_type: Some(wa::ADVEncryptionType::E2EE),
    }
    .encode_to_vec();
    let signature =
        phone.private_key().calculate_signature(&[&ACCOUNT_SIGNATURE, details.as_slice(), companion].concat(), rng)?;
    let signed = wa::ADVSignedDeviceIdentity {
        details: Some(details),
        account_signature_key: Some(phone.public_key().public_key_bytes().to_vec()),
        account_signature: Some(signature.to_vec()),
        ..Default::default()
    }
    .encode_to_vec();
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("any key length");
    mac.update(&signed);
    Ok(wa::ADVSignedDeviceIdentityHMAC {
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        details: Some(signed),
        account_type: Some(wa::ADVEncryptionType::E2EE),
    }
    .encode_to_vec())
}

/// Checks the device's answer to `pair-success` and returns the identity that others will be shown.
///
/// Baileys leaves the account's key out of its answer, so it is put back before it is stored.
pub(crate) fn accept_answer(answer: &[u8], companion: &[u8; 32], phone: &PublicKey) -> Result<Vec<u8>, &'static str> {
    let mut signed =
        wa::ADVSignedDeviceIdentity::decode_from_slice(answer).map_err(|_| "its signed identity does not parse")?;
    signed.account_signature_key = Some(phone.public_key_bytes().to_vec());
    let (Some(details), Some(signature)) = (&signed.details, &signed.device_signature) else {
        return Err("its signed identity is incomplete");
    };
    let message = [&DEVICE_SIGNATURE, details.as_slice(), companion, phone.public_key_bytes()].concat();
    let key = PublicKey::from_djb_public_key_bytes(companion).map_err(|_| "its identity key is not a key")?;
    if !key.verify_signature(&message, signature) {
        return Err("its signature does not match its identity key");
    }
    Ok(signed.encode_to_vec())
}

/// The signed `key-index-list` of a device list.
pub(crate) fn key_index_list(
    phone: &IdentityKeyPair,
    raw_id: u32,
    timestamp: u64,
    valid: &[u32],
    rng: &mut StdRng,
) -> Result<Vec<u8>, CurveError> {
    let details = wa::ADVKeyIndexList {
        raw_id: Some(raw_id),
        timestamp: Some(timestamp),
        current_index: Some(valid.iter().copied().max().unwrap_or_default()),
        valid_indexes: valid.to_vec(),
        account_type: Some(wa::ADVEncryptionType::E2EE),
    }
    .encode_to_vec();
    let signature =
        phone.private_key().calculate_signature(&[&KEY_INDEX_SIGNATURE, details.as_slice()].concat(), rng)?;
    Ok(wa::ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature.to_vec()),
        account_signature_key: Some(phone.public_key().public_key_bytes().to_vec()),
    }
    .encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use wacore::libsignal::protocol::KeyPair;
    use wacore::pair::{DeviceState, PairUtils};

    struct Linked {
        phone: IdentityKeyPair,
        state: DeviceState,
        sealed: Vec<u8>,
    }

    fn linked() -> Linked {
        let mut rng = StdRng::seed_from_u64(1);
        let phone = IdentityKeyPair::generate(&mut rng);
        let state = DeviceState {
            identity_key: KeyPair::generate(&mut rng),
            noise_key: KeyPair::generate(&mut rng),
            adv_secret_key: [9; 32],
        };
        let identity = DeviceIdentity { raw_id: 5, timestamp: 1_700_000_000, key_index: 3 };
        let companion = companion_key(&state);
        let sealed = link_identity(&phone, &companion, &state.adv_secret_key, identity, &mut rng).expect("signs");
        Linked { phone, state, sealed }
    }

    fn companion_key(state: &DeviceState) -> [u8; 32] {
        state.identity_key.public_key.public_key_bytes().try_into().expect("32 bytes")
    }

    #[test]
    fn a_client_accepts_the_link_and_its_answer_is_accepted() {
        let Linked { phone, state, sealed } = linked();
        let (answer, key_index) = PairUtils::do_pair_crypto(&state, &sealed).expect("the client accepts");
        assert_eq!(key_index, 3);
        let stored = accept_answer(&answer, &companion_key(&state), phone.public_key()).expect("accepted");
        assert_eq!(
            wacore::adv::validate_adv_with_identity_key(&stored, &companion_key(&state), None),
            wacore::adv::AdvValidation::Valid
        );
    }

    #[test]
    fn a_client_refuses_a_link_sealed_with_another_secret() {
        let Linked { mut state, sealed, .. } = linked();
        state.adv_secret_key = [8; 32];
        assert_eq!(PairUtils::do_pair_crypto(&state, &sealed).expect_err("other secret").text, "hmac-mismatch");
    }

    #[test]
    fn an_answer_signed_by_another_key_is_refused() {
        let Linked { phone, mut state, sealed } = linked();
        let companion = companion_key(&state);
        let (answer, _) = PairUtils::do_pair_crypto(&state, &sealed).expect("the client accepts");
        state.identity_key = KeyPair::generate(&mut StdRng::seed_from_u64(2));
        assert!(accept_answer(&answer, &companion_key(&state), phone.public_key()).is_err());
        assert!(accept_answer(&answer[..answer.len() - 3], &companion, phone.public_key()).is_err());
        assert!(accept_answer(&[], &companion, phone.public_key()).is_err());
    }

    #[test]
    fn the_key_index_list_names_the_valid_devices() {
        let Linked { phone, .. } = linked();
        let bytes = key_index_list(&phone, 5, 1_700_000_000, &[1, 4], &mut StdRng::seed_from_u64(3)).expect("signs");
        let list = wacore::adv::decode_key_index_list(&bytes).expect("decodes");
        assert_eq!((list.raw_id, list.current_index, list.valid_indexes), (5, 4, vec![1, 4]));
    }
}
