//! How many codes go where, and where none goes.

use std::net::IpAddr;
use std::time::Duration;

use kurir_core::domain::{NumberPrefix, PhoneNumber, TenantId, Timestamp};
use kurir_core::policy::{calling_code, window_of};
use kurir_core::port::{LimitCharge, LimitOf};

use crate::gateway::usecase::{UseCaseError, UseCases};

/// What the limits count in.
const WINDOW: Duration = Duration::from_hours(1);

/// Why a code is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRefused {
    /// It was sent as often as it may be.
    Sends,
    /// It was sent a moment ago.
    CoolDown,
    /// The number got as many as it may.
    Recipient,
    /// Its prefix did.
    Prefix,
    /// Its country did.
    Country,
    /// The address that asks did.
    Ip,
    /// Codes to this prefix never come back.
    PrefixBlocked,
    /// Numbers of this country get none.
    CountryNotAllowed,
}

impl CodeRefused {
    /// The code of the problem.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sends => "max_send_attempts_reached",
            Self::CoolDown => "resend_too_soon",
            Self::Recipient => "recipient_limit_reached",
            Self::Prefix => "prefix_limit_reached",
            Self::Country => "country_limit_reached",
            Self::Ip => "ip_limit_reached",
            Self::PrefixBlocked => "prefix_blocked",
            Self::CountryNotAllowed => "country_not_allowed",
        }
    }

    /// The same in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Sends => {
                "the code was sent as often as it may be; a new verification can be made when this one has ended"
            }
            Self::CoolDown => "the code was sent a moment ago",
            Self::Recipient => "this number got as many codes as it may",
            Self::Prefix => "numbers with this prefix got as many codes as they may",
            Self::Country => "this country got as many codes as it may",
            Self::Ip => "the address that asks got as many codes as it may",
            Self::PrefixBlocked => "codes to numbers with this prefix did not come back, so they get none for a while",
            Self::CountryNotAllowed => "numbers of this country get no codes",
        }
    }

    /// Whether waiting can't help.
    pub const fn is_forbidden(self) -> bool {
        matches!(self, Self::PrefixBlocked | Self::CountryNotAllowed)
    }
}

fn refuse(why: CodeRefused, now: Timestamp, until: Option<Timestamp>) -> UseCaseError {
    tracing::info!(limit = why.code(), "a code was not sent");
    UseCaseError::CodeRefused { why, after: until.map(|until| until.since(now)) }
}

pub(super) fn refused(why: CodeRefused, now: Timestamp, until: Timestamp) -> UseCaseError {
    refuse(why, now, Some(until))
}

impl UseCases {
    /// Whether a code may go to this number now; if so it is counted.
    pub(super) async fn charge(
        &self,
        tenant: &TenantId,
        to: &PhoneNumber,
        ip: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), UseCaseError> {
        let country = calling_code(to);
        if !self.verify.countries.allows(country) {
            return Err(refuse(CodeRefused::CountryNotAllowed, now, None));
        }
        let prefix = NumberPrefix::of(to);
        let known = self.ports.verifications.prefix(tenant, &prefix).await?;
        if let Some(until) = known.and_then(|known| known.blocked(now)) {
            return Err(refuse(CodeRefused::PrefixBlocked, now, Some(until)));
        }
        let start = window_of(now, WINDOW);
        let limits = [
            (CodeRefused::Recipient, self.verify.per_recipient, Some(LimitOf::Recipient(to.clone()))),
            (CodeRefused::Prefix, self.verify.per_prefix, Some(LimitOf::Prefix(prefix))),
            (
                CodeRefused::Country,
                self.verify.per_country,
                Some(LimitOf::Country(country.unwrap_or_default().to_owned())),
            ),
            (CodeRefused::Ip, self.verify.per_ip, ip.map(LimitOf::Ip)),
        ];
        let (whys, charges): (Vec<_>, Vec<_>) = limits
            .into_iter()
            .filter(|(_, most, _)| *most > 0)
            .filter_map(|(why, most, of)| Some((why, LimitCharge { of: of?, start, span: WINDOW, most })))
            .unzip();
        if charges.is_empty() {
            return Ok(());
        }
        let over = self.ports.verifications.charge_all(tenant, &charges).await?;
        match over.and_then(|at| whys.get(at)) {
            Some(why) => Err(refuse(*why, now, Some(start.plus(WINDOW)))),
            None => Ok(()),
        }
    }
}
