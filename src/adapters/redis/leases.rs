//! The port of the leases: one key for each, its value the holder's token, its end Redis' own.

use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{LeaseHolder, LeaseToken, SessionId};
use kurir_core::port::{LeaseStore, PortError, Renewal};

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

    async fn renew(&self, held: &[(SessionId, LeaseToken)], ttl: Duration) -> Result<Vec<Renewal>, PortError> {
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
                let answered: Vec<i8> = script.invoke_async(redis).await?;
                answers.extend(answered.into_iter().map(renewal));
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

    async fn evict(&self, holder: &LeaseHolder, sessions: &[SessionId]) -> Result<u64, PortError> {
        let evict = async |redis: &mut _| {
            let mut evicted = 0;
            for batch in sessions.chunks(BATCH) {
                let mut script = self.shared.scripts.evict.arg(holder.prefix());
                for session in batch {
                    script.key(self.shared.lease_key(session));
                }
                evicted += script.invoke_async::<u64>(redis).await?;
            }
            Ok(evicted)
        };
        self.shared.call("ending the leases of a dead worker", evict).await
    }

    async fn era(&self) -> Result<String, PortError> {
        // A server that has restarted, or another one that took its place, has another run_id.
        let ask = async |redis: &mut _| redis::cmd("INFO").arg("server").query_async::<String>(redis).await;
        let info = self.shared.call("asking which run of the server this is", ask).await?;
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:"));
        Ok(run.unwrap_or_default().trim().to_owned())
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

fn renewal(answer: i8) -> Renewal {
    match answer {
        1 => Renewal::Extended,
        0 => Renewal::Vanished,
        _ => Renewal::Taken,
    }
}
