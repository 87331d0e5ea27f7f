//! The server's Noise key and the certificate chain that vouches for it.
//!
//! The chain has WhatsApp's shape: a root key that clients have built in signs an intermediate
//! certificate (serial 1, issuer 0), whose key signs the leaf (serial 2, issuer 1) that holds the
//! server's static key. The root here is the simulator's own; a client with a configurable root
//! needs only [`ServerKeys::root_public`].

use rand::rngs::StdRng;
use wacore::libsignal::protocol::{CurveError, KeyPair};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp as wa;
use waproto::whatsapp::cert_chain::noise_certificate::Details;

const DAY_SECS: u64 = 86_400;
const VALID_DAYS: u64 = 3650;

/// Everything that identifies this server to its clients.
pub(crate) struct ServerKeys {
    root: KeyPair,
    noise: KeyPair,
    chain: Vec<u8>,
}

impl ServerKeys {
    /// Makes the keys from `rng` and a chain that is valid from a day before `now` (seconds).
    pub(crate) fn generate(rng: &mut StdRng, now: u64) -> Result<Self, CurveError> {
        let root = KeyPair::generate(rng);
        let intermediate = KeyPair::generate(rng);
        let noise = KeyPair::generate(rng);
        let mut certificate = |serial, key: &KeyPair, issuer: &KeyPair| {
            let details = Details {
                serial: Some(serial),
                issuer_serial: Some(serial - 1),
                key: Some(key.public_key.public_key_bytes().to_vec()),
                not_before: Some(now.saturating_sub(DAY_SECS)),
                not_after: Some(now + VALID_DAYS * DAY_SECS),
            }
            .encode_to_vec();
            let signature = issuer.calculate_signature(&details, rng)?.to_vec();
            Ok::<_, CurveError>(MessageField::some(wa::cert_chain::NoiseCertificate {
                details: Some(details),
                signature: Some(signature),
            }))
        };
        let chain = wa::CertChain {
            intermediate: certificate(1, &intermediate, &root)?,
            leaf: certificate(2, &noise, &intermediate)?,
        }
        .encode_to_vec();
        Ok(Self { root, noise, chain })
    }

    /// The key that a client must trust.
    pub(crate) fn root_public(&self) -> [u8; 32] {
        public_bytes(&self.root)
    }

    /// The server's static Noise key.
    pub(crate) fn noise(&self) -> &KeyPair {
        &self.noise
    }

    /// The encoded chain, as it travels in the handshake.
    pub(crate) fn chain(&self) -> &[u8] {
        &self.chain
    }
}

/// The 32 bytes of a public key, as they travel.
pub(crate) fn public_bytes(pair: &KeyPair) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(pair.public_key.public_key_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use wacore::libsignal::protocol::PublicKey;

    #[test]
    fn each_certificate_is_signed_by_the_one_above() {
        let keys = ServerKeys::generate(&mut StdRng::seed_from_u64(1), 1_700_000_000).expect("keys");
        let chain = wa::CertChain::decode_from_slice(keys.chain()).expect("decodes");
        let open = |certificate: &wa::cert_chain::NoiseCertificate, issuer: &[u8]| {
            let details = certificate.details.clone().expect("details");
            let issuer = PublicKey::from_djb_public_key_bytes(issuer).expect("a key");
            assert!(issuer.verify_signature(&details, certificate.signature.as_deref().expect("signature")));
            Details::decode_from_slice(&details).expect("details decode")
        };
        let intermediate = open(chain.intermediate.as_option().expect("intermediate"), &keys.root_public());
        let leaf = open(chain.leaf.as_option().expect("leaf"), intermediate.key.as_deref().expect("key"));
        assert_eq!((intermediate.serial, intermediate.issuer_serial), (Some(1), Some(0)));
        assert_eq!((leaf.serial, leaf.issuer_serial), (Some(2), Some(1)));
        assert_eq!(leaf.key.as_deref(), Some(public_bytes(keys.noise()).as_slice()));
        assert!(leaf.not_before < Some(1_700_000_000) && leaf.not_after > Some(1_700_000_000));
    }
}
