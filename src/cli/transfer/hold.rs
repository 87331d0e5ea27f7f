//! Owning a session for a while, as a worker would: its worker lets go of it first, then the next epoch is ours.

use std::time::Duration;

use anyhow::{Context as _, bail};
use kurir_core::domain::{Fence, SessionId, SessionRecord, Wanted, WorkerName};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::compose::{Holders, ToolBackends};

/// What stands as a session's owner meanwhile.
const OWNER: &str = "kurir-tool";

/// How often it is looked whether the worker has let go.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A session in our hands.
pub(super) struct Held {
    pub(super) fence: Fence,
    /// As it was claimed: stopped.
    pub(super) record: SessionRecord,
    /// What was wanted of it before.
    pub(super) before: Wanted,
}

/// Whether a session that is wanted running may be stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopping {
    Allowed,
    Refused,
}

/// The session's record.
pub(super) async fn found(tool: &ToolBackends, id: &SessionId) -> anyhow::Result<SessionRecord> {
    let record = tool.backends.sessions.get(id).await?;
    record.with_context(|| format!("there is no session {id}; `kurir sessions list` tells which there are"))
}

/// Stops a session, if that is allowed and necessary, waits until its worker has let go of it, and claims it. A failure leaves
/// it wanted as it was.
pub(super) async fn hold(
    tool: &ToolBackends,
    id: &SessionId,
    stopping: Stopping,
    patience: Duration,
) -> anyhow::Result<Held> {
    let before = found(tool, id).await?.wanted;
    match (before, stopping) {
        (Wanted::Deleted | Wanted::LoggedOut, _) => bail!("session {id} is being logged out"),
        (Wanted::Running, Stopping::Refused) => bail!(
            "session {id} is wanted running, and two copies that both run damage it: --stop stops it first (it goes on \
             elsewhere), --copy makes a backup that grows older with every message"
        ),
        (Wanted::Running, Stopping::Allowed) => want(tool, id, Wanted::Stopped).await?,
        (Wanted::Stopped, _) => {}
    }
    match claim(tool, id, patience).await {
        Ok((fence, record)) => Ok(Held { fence, record, before }),
        Err(error) => {
            if before == Wanted::Running {
                want(tool, id, before).await.context("and it could not be started again")?;
            }
            Err(error)
        }
    }
}

/// Says what is wanted, and has the workers look at once.
pub(super) async fn want(tool: &ToolBackends, id: &SessionId, wanted: Wanted) -> anyhow::Result<()> {
    tool.backends.sessions.want(id, wanted).await?;
    if let Err(error) = tool.backends.vigil.nudge().await {
        tracing::debug!(error = %error.chain(), "the workers could not be nudged; they look by themselves soon");
    }
    Ok(())
}

async fn claim(tool: &ToolBackends, id: &SessionId, patience: Duration) -> anyhow::Result<(Fence, SessionRecord)> {
    let late = Instant::now() + patience;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let record = found(tool, id).await?;
        if record.wanted != Wanted::Stopped {
            bail!("session {id} is wanted {} by somebody else meanwhile", record.wanted.as_str());
        }
        let ours = |owner: &WorkerName| owner.as_str() == OWNER;
        let free = match tool.holders {
            Holders::Nobody => true,
            Holders::Fleet => !tool.backends.leases.held(std::slice::from_ref(id)).await?.contains(&true),
            Holders::Beside => record.owner.as_ref().is_none_or(ours),
        };
        if free {
            break;
        }
        if Instant::now() >= late {
            let owner = record.owner.as_ref().map_or("its worker", WorkerName::as_str);
            match tool.holders {
                Holders::Fleet => bail!("{owner} has not let go of session {id} within {} s", patience.as_secs()),
                // An owner that died says nothing. One that lives is shut out by the claim, as in any take-over.
                Holders::Beside | Holders::Nobody => {
                    eprintln!("warning: {owner} has not said that it let go of session {id}; it is taken over");
                    break;
                }
            }
        }
    }
    let claimed = tool.backends.sessions.claim(id, &WorkerName::new(OWNER)?).await?;
    let record = claimed.with_context(|| format!("session {id} was removed meanwhile"))?;
    let fence = Fence { session: id.clone(), epoch: record.epoch };
    if record.wanted != Wanted::Stopped {
        bail!("session {id} is wanted {} by somebody else meanwhile", record.wanted.as_str());
    }
    Ok((fence, record))
}

impl Held {
    /// Gives it back, wanted as it was before.
    pub(super) async fn give_back(self, tool: &ToolBackends) -> anyhow::Result<()> {
        tool.backends.sessions.let_go(&self.fence).await?;
        if self.before == Wanted::Running {
            want(tool, &self.fence.session, Wanted::Running).await?;
        }
        Ok(())
    }
}
