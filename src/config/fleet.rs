//! The fleet as a whole.

use kurir_core::domain::TenantId;
use serde::Deserialize;

use super::read;

/// `[fleet]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetConfig {
    /// The operator's tenant: the fleet's own events and the sessions made by tools belong to it.
    #[serde(deserialize_with = "read::name")]
    pub tenant: TenantId,
    /// Country code of national numbers, digits only.
    #[serde(deserialize_with = "read::maybe_text")]
    pub default_country: Option<String>,
}
