//! The port of the leases: one key for each, its value the holder's token, its end Redis' own.

use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{LeaseToken, SessionId};
use kurir_core::port::{LeaseStore, PortError};

use super::RedisStore;
use super::store::millis;

/// So many leases are renewed by one run of the script; Redis does nothing else meanwhile.
const BATCH: usize = 500;

#[async_trait]
impl LeaseStore for RedisStore {
    async fn acquire(&self, session: &SessionId, token: &LeaseToken, ttl: Duration) -> Result<bool, PortError> {
        let mut set = redis::cmd("SET");
        set.arg(self.shared.lease_key(session)).arg(token.as_str()).arg("NX").arg("PX").arg(millis(ttl));
        let answer = async |redis: &mut _| set.query_async::<Option<String>>(redis).await;
        Ok(self.shared.call("acquiring a lease", answer).await?.is_some())
    }

    async fn renew(&self, held: &[(SessionId, LeaseToken)], ttl: Duration) -> Result<Vec<bool>, PortError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let renew = async |redis: &mut _| {
            let mut answers = Vec::with_capacity(held.len());
            for batch in held.chunks(BATCH) {
                let mut script = self.shared.scripts.renew.arg(millis(ttl));
                for (session, token) in batch {
                    script.key(self.shared.lease_key(session)).arg(token.as_str());
                }
                answers.extend(script.invoke_async::<Vec<bool>>(redis).await?);
            }
            Ok(answers)
        };
        self.shared.call("renewing leases", renew).await
    }

    async fn release(&self, session: &SessionId, token: &LeaseToken) -> Result<bool, PortError> {
        let mut script = self.shared.scripts.release.key(self.shared.lease_key(session));
        script.arg(token.as_str());
        self.shared.call("releasing a lease", async |redis| script.invoke_async(redis).await).await
    }

    async fn held(&self, sessions: &[SessionId]) -> Result<Vec<bool>, PortError> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let ask = async |redis: &mut _| {
            let mut pipeline = redis::pipe();
            for session in sessions {
                pipeline.exists(self.shared.lease_key(session));
            }
            pipeline.query_async(redis).await
        };
        self.shared.call("asking which leases are held", ask).await
    }
}
