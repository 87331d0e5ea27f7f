//! What became of messages lately.

use std::time::Duration;

use kurir_core::domain::TenantId;
use kurir_core::port::{Activity, Steps};

use super::{UseCaseError, UseCases};

/// What became of a tenant's messages.
#[derive(Debug)]
pub struct Activities {
    /// In the last hour, by minutes.
    pub hour: Vec<Activity>,
    /// In the last day, by half hours.
    pub day: Vec<Activity>,
}

impl UseCases {
    /// What became of the tenant's messages in the last hour and in the last day.
    pub async fn activities(&self, tenant: &TenantId) -> Result<Activities, UseCaseError> {
        let now = self.ports.clock.now();
        let hour = Steps::until(now, Duration::from_mins(1), 60);
        let day = Steps::until(now, Duration::from_mins(30), 48);
        let (hour, day) =
            tokio::join!(self.ports.index.activity(tenant, &hour), self.ports.index.activity(tenant, &day));
        Ok(Activities { hour: hour?, day: day? })
    }
}
