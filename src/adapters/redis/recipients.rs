//! The port of the limit per recipient: a sorted set of bookings for each recipient of a tenant.

use async_trait::async_trait;
use kurir_core::domain::{JobKey, PhoneNumber, Timestamp};
use kurir_core::port::{Charge, PortError, RecipientLimits, RecipientRule};

use super::RedisStore;

#[async_trait]
impl RecipientLimits for RedisStore {
    async fn charge(
        &self,
        job: &JobKey,
        to: &PhoneNumber,
        rule: RecipientRule,
        now: Timestamp,
    ) -> Result<Charge, PortError> {
        let mut script = self.shared.scripts.charge.key(self.shared.recipient_key(job, to));
        let span = u64::try_from(rule.every.as_millis()).unwrap_or(u64::MAX);
        script.arg(job.job.to_string()).arg(now.as_millis()).arg(span).arg(rule.per_day);
        let ask = async |redis: &mut _| script.invoke_async::<i64>(redis).await;
        let not_before = self.shared.call("charging a recipient's limit", ask).await?;
        Ok(if not_before == 0 { Charge::Allowed } else { Charge::NotBefore(Timestamp::from_millis(not_before)) })
    }

    async fn refund(&self, job: &JobKey, to: &PhoneNumber) -> Result<(), PortError> {
        let mut script = self.shared.scripts.refund.key(self.shared.recipient_key(job, to));
        script.arg(job.job.to_string());
        self.shared.call("refunding a recipient's limit", async |redis| script.invoke_async(redis).await).await
    }
}
