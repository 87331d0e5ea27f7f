//! The port of the fleet's register: the members' beats in a hash, the ends of their time in a sorted set beside it.

use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::WorkerName;
use kurir_core::port::{Beat, Membership, PortError};

use super::RedisStore;
use super::store::millis;

fn member(worker: &WorkerName, instance: u128) -> String {
    format!("{worker}/{instance:032x}")
}

fn corrupt(error: serde_json::Error) -> PortError {
    PortError::Corrupt { system: "Redis", what: "a worker's beat".into(), source: Box::new(error) }
}

#[async_trait]
impl Membership for RedisStore {
    async fn beat(&self, beat: &Beat, ttl: Duration) -> Result<(), PortError> {
        let (ends, beats) = self.shared.member_keys();
        let text = serde_json::to_string(beat).map_err(corrupt)?;
        let mut script = self.shared.scripts.beat.key(ends);
        script.key(beats).arg(member(&beat.worker, beat.instance)).arg(text).arg(millis(ttl));
        self.shared.call("telling a worker's beat", async |redis| script.invoke_async(redis).await).await
    }

    async fn leave(&self, worker: &WorkerName, instance: u128) -> Result<(), PortError> {
        let (ends, beats) = self.shared.member_keys();
        let mut script = self.shared.scripts.leave.key(ends);
        script.key(beats).arg(member(worker, instance));
        self.shared.call("removing a worker", async |redis| script.invoke_async(redis).await).await
    }

    async fn members(&self) -> Result<Vec<Beat>, PortError> {
        let (ends, beats) = self.shared.member_keys();
        let mut script = self.shared.scripts.members.key(ends);
        script.key(beats);
        let ask = async |redis: &mut _| script.invoke_async::<Vec<String>>(redis).await;
        let texts = self.shared.call("reading the fleet's members", ask).await?;
        let mut members = texts
            .iter()
            .map(|text| serde_json::from_str(text).map_err(corrupt))
            .collect::<Result<Vec<Beat>, PortError>>()?;
        members.sort_by(|one, two| (&one.worker, one.instance).cmp(&(&two.worker, two.instance)));
        Ok(members)
    }
}
