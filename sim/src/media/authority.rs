//! The certificates of the media server.
//!
//! Clients build media addresses with `https://` in front (seen with whatsapp-rust 0.7, Baileys 7
//! and whatsmeow), so the simulator signs a certificate for its own address. A client trusts it by
//! taking the authority's certificate as a root. Keys follow from the simulator's seed, so a client
//! set up once goes on trusting a restarted simulator.

use std::net::IpAddr;
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{Error as TlsError, ServerConfig};

/// What stands in front of the 32 bytes of an Ed25519 key in PKCS#8 (RFC 8410, section 7).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Why the media server has no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
}

/// A certificate authority and the TLS settings of the one server it vouches for.
pub(crate) struct Authority {
    pem: String,
    tls: Arc<ServerConfig>,
}

fn key(rng: &mut StdRng) -> Result<KeyPair, rcgen::Error> {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    KeyPair::try_from([ED25519_PKCS8.as_slice(), &seed].concat())
}

fn params(names: Vec<String>, title: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    // Fixed dates: the same seed gives the same certificate, whenever it starts.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, title);
    params.distinguished_name = name;
    Ok(params)
}

impl Authority {
    /// Makes the authority and a certificate for `host` and the loopback addresses.
    pub(crate) fn generate(rng: &mut StdRng, host: &str) -> Result<Self, AuthorityError> {
        let mut root = params(Vec::new(), "kurir simulator, media authority")?;
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let root_key = key(rng)?;
        let certificate = root.self_signed(&root_key)?;

        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if !names.iter().any(|name| name == host) {
            names.push(host.to_owned());
        }
        let mut leaf = params(names, "kurir simulator, media")?;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let leaf_key = key(rng)?;
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(root, root_key))?;

        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { pem: certificate.pem(), tls: Arc::new(tls) })
    }

    /// The authority's certificate, for a client to trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The settings of the server that the authority vouches for.
    pub(crate) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }
}

/// `host:port` as it stands in an address; an IPv6 host gets brackets.
pub(crate) fn authority_text(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_same_seed_gives_the_same_authority() {
        let pem =
            |seed| Authority::generate(&mut StdRng::seed_from_u64(seed), "192.0.2.7").expect("keys").pem().to_owned();
        assert_eq!(pem(1), pem(1));
        assert_ne!(pem(1), pem(2));
        assert!(pem(1).starts_with("-----BEGIN CERTIFICATE-----"));
    }

    #[test]
    fn an_address_of_either_family_gets_its_port() {
        assert_eq!(authority_text("127.0.0.1", 80), "127.0.0.1:80");
        assert_eq!(authority_text("::1", 80), "[::1]:80");
        assert_eq!(authority_text("media.example", 80), "media.example:80");
    }
}
