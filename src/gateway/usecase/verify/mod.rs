//! Verifications: a code is made, sent, sent again, and compared with what people give back.
//!
//! A verification and the message that carries its code are written one after the other: first the verification, which
//! knows the message's id beforehand, then the message, by the same use case as every other one, then that it was handed
//! over. Whoever dies in between leaves a verification that is due, and the relay takes the missing steps.

mod checks;
mod conversions;
mod create;
mod limits;
mod look;
mod prefixes;
mod text;

use std::time::Duration;

use base64::Engine as _;
use kurir_core::domain::{
    CodeAlphabet, CodeKeys, ConversionRule, Secret, SecretNumbers, TenantId, Traffic, Verification,
};
use kurir_core::policy::CountryRule;
use kurir_core::port::Tally;
use kurir_core::wire::PrefixDataV1;

use super::UseCases;

pub use conversions::{Conversion, Conversions};
pub use create::{FallbackWish, NewVerification, Sent, Wish};
pub use limits::CodeRefused;
pub use look::VerificationPage;
pub use prefixes::PrefixPage;
pub use text::TextWish;

/// How often a change that met another write is decided again. Whoever loses does so to a check, a sending or the relay,
/// and there are few of these to one verification.
const TRIES: usize = 32;

/// How verifications are made and limited.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// What codes are marked with.
    pub code_keys: CodeKeys,
    /// Which of the secrets of fall-back webhooks sign.
    pub secrets: SecretNumbers,
    /// Characters of a code, where the caller does not say.
    pub code_length: u32,
    /// What it is made of, likewise.
    pub alphabet: CodeAlphabet,
    /// How long it is good, likewise.
    pub ttl: Duration,
    /// The language of its text, likewise.
    pub locale: String,
    /// Wrong codes and the right one, at most.
    pub max_checks: u32,
    /// Sendings at most.
    pub max_sends: u32,
    /// The pause between two sendings at least.
    pub resend_every: Duration,
    /// How long a channel has before the next one is used, where the caller does not say.
    pub patience: Duration,
    /// Codes to a number in an hour; 0: no such limit. The same in what follows.
    pub per_recipient: u32,
    /// Codes to a prefix in an hour.
    pub per_prefix: u32,
    /// Codes to a country in an hour.
    pub per_country: u32,
    /// Codes that an address asked for in an hour.
    pub per_ip: u32,
    /// Which countries get codes.
    pub countries: CountryRule,
    /// When a prefix is blocked.
    pub conversion: ConversionRule,
}

impl UseCases {
    /// What requests to a tenant's fall-back webhooks are signed with: the secret of now, then the one that it replaces.
    pub fn webhook_secrets(&self, tenant: &TenantId) -> impl Iterator<Item = Secret<String>> {
        let encode = |key: &[u8]| base64::engine::general_purpose::STANDARD.encode(key);
        let keys = self.verify.code_keys.webhook_keys(tenant, self.verify.secrets);
        keys.map(move |key| Secret::new(format!("whsec_{}", encode(key.expose()))))
    }

    /// What a verification's write counts for its prefix.
    fn tally(&self, of: &Verification, what: Traffic) -> Tally {
        let (at, rule) = (self.ports.clock.now(), self.verify.conversion);
        let prefix = kurir_core::domain::NumberPrefix::of(&of.to);
        let blocked = PrefixDataV1::event(&of.tenant, &prefix, at, at.plus(rule.block));
        Tally { what, rule, at, blocked }
    }
}
