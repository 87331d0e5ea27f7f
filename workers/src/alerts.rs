//! Tells tenants when too many of their messages fail, and when they don't any more.
//!
//! A look is the truth: what has ended within the window is counted anew each time. Several relays may look; the book of alerts
//! lets one of them tell.

use std::collections::BTreeSet;
use std::time::Duration;

use kurir_core::domain::{Ended, SessionId, TenantId};
use kurir_core::policy::FailureRule;
use kurir_core::port::{MessageFilter, PortError};
use kurir_core::wire::AlertDataV1;
use tokio_util::sync::CancellationToken;

use crate::ports::RelayPorts;

/// Sessions read per page, to find out whose there are.
const PAGE: u32 = 500;

/// How tenants are told.
#[derive(Clone, Copy, Debug)]
pub struct AlertOptions {
    /// How often is looked.
    pub every: Duration,
    /// Messages that were taken within this span count.
    pub window: Duration,
    /// From when on it is told.
    pub rule: FailureRule,
}

/// Looks until `stop`; tells how many alerts were raised or resolved.
pub(crate) async fn run(options: AlertOptions, ports: RelayPorts, stop: CancellationToken) -> u64 {
    let mut timer = tokio::time::interval(options.every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return told,
            _ = timer.tick() => {}
        }
        match look(&options, &ports, &stop).await {
            Ok(turned) => told += turned,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "whether messages fail could not be looked at; the next look goes on");
            }
        }
    }
}

/// Looks at every tenant once; tells how many alerts were raised or resolved.
pub(crate) async fn look(
    options: &AlertOptions,
    ports: &RelayPorts,
    stop: &CancellationToken,
) -> Result<u64, PortError> {
    let standing = ports.alerts.standing().await?;
    let mut tenants = standing.clone();
    // Switched off, what stands is resolved and nobody else is looked at.
    if options.rule.percent > 0 {
        tenants.extend(tenants_of(ports).await?);
    }
    let mut turned = 0;
    for tenant in tenants {
        if stop.is_cancelled() {
            break;
        }
        turned += u64::from(look_at(options, ports, &tenant, standing.contains(&tenant)).await?);
    }
    Ok(turned)
}

/// Whose sessions there are.
async fn tenants_of(ports: &RelayPorts) -> Result<BTreeSet<TenantId>, PortError> {
    let (mut tenants, mut after): (_, Option<SessionId>) = (BTreeSet::new(), None);
    loop {
        let page = ports.sessions.list(None, after.as_ref(), PAGE).await?;
        let full = u32::try_from(page.len()).is_ok_and(|count| count == PAGE);
        after = page.last().map(|session| session.id.clone());
        tenants.extend(page.into_iter().map(|session| session.tenant));
        if !full {
            return Ok(tenants);
        }
    }
}

async fn look_at(
    options: &AlertOptions,
    ports: &RelayPorts,
    tenant: &TenantId,
    stood: bool,
) -> Result<bool, PortError> {
    let now = ports.clock.now();
    let filter = MessageFilter { since: Some(now.minus(options.window)), ..MessageFilter::of(tenant.clone()) };
    let ended = Ended::of(&ports.index.count(&filter).await?);
    let stands = options.rule.stands(ended, stood);
    if stands == stood {
        return Ok(false);
    }
    let rule = (options.rule.percent, options.window);
    let event = AlertDataV1::failure_rate(tenant, stands, ended, rule, now);
    let turned = ports.alerts.turn_alert(tenant, stands, &event).await?;
    if turned {
        let Ended { failed, all } = ended;
        tracing::warn!(%tenant, stands, failed, ended = all, "the alert of failures was turned");
        // At once; should it fail, the relay finds the event in the outbox.
        ports.events.publish(std::slice::from_ref(&event)).await?;
        ports.outbox.published(&[event.id]).await?;
    }
    Ok(turned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kurir_core::domain::{LedgerEntry, MessageState, Timestamp};
    use kurir_core::memory::{ManualClock, MemoryEvents, MemoryJobQueue, MemoryStores, MemoryWeb};
    use kurir_core::port::{
        Clock as _, EventFilter, EventSource as _, EventStream, Ledger as _, LedgerWrite, NewSession, Outbox as _,
        SessionStore as _, Written,
    };
    use kurir_core::wire::{JOB_KIND, JobV1};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const OPTIONS: AlertOptions = AlertOptions {
        every: Duration::from_secs(1),
        window: Duration::from_hours(1),
        rule: FailureRule { least: 20, percent: 10 },
    };

    struct World {
        clock: Arc<ManualClock>,
        stores: Arc<MemoryStores>,
        ports: RelayPorts,
        events: Box<dyn EventStream>,
        jobs: u128,
    }

    impl World {
        async fn new() -> Self {
            let clock = Arc::new(ManualClock::new(Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap()));
            let stores = Arc::new(MemoryStores::new(clock.clone()));
            for (id, tenant) in [("s1", "acme"), ("s2", "acme"), ("s3", "other")] {
                let (id, tenant) = (SessionId::new(id).unwrap(), TenantId::new(tenant).unwrap());
                stores.create(NewSession::new(id, tenant, clock.now())).await.unwrap();
            }
            let sink = Arc::new(MemoryEvents::new(64));
            let events = sink.subscribe(EventFilter::default()).await.unwrap();
            let ports = RelayPorts {
                sessions: stores.clone(),
                index: stores.clone(),
                alerts: stores.clone(),
                outbox: stores.clone(),
                events: sink,
                ledger: stores.clone(),
                media: stores.clone(),
                requests: stores.clone(),
                users: stores.clone(),
                log: stores.clone(),
                clock: clock.clone(),
                verifications: stores.clone(),
                jobs: Arc::new(MemoryJobQueue::new(clock.clone())),
                web: Arc::new(MemoryWeb::default()),
            };
            Self { clock, stores, ports, events, jobs: 0 }
        }

        /// So many messages of a tenant end so.
        async fn end(&mut self, tenant: &str, count: usize, path: &[MessageState]) {
            for _ in 0..count {
                self.jobs += 1;
                let job = json!({
                    "id": Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8a6b_0000_0000_0000 + self.jobs),
                    "tenant": tenant,
                    "session": "s1",
                    "to": "6281234567890",
                    "lane": "bulk",
                    "content": {"type": "text", "text": "x"}
                });
                let decoded = JobV1::decode(JOB_KIND, job.to_string().as_bytes(), None).unwrap();
                let mut entry = LedgerEntry::new(&decoded, self.clock.now());
                for state in path {
                    entry = entry.advance(*state, self.clock.now()).unwrap();
                }
                let write = LedgerWrite {
                    fence: None,
                    entry: LedgerEntry { version: 0, ..entry },
                    spent: None,
                    events: vec![],
                };
                assert_eq!(self.stores.write(vec![write]).await.unwrap(), [Written::Done]);
            }
        }

        async fn fail(&mut self, tenant: &str, count: usize) {
            self.end(tenant, count, &[MessageState::Sending, MessageState::Failed]).await;
        }

        async fn send(&mut self, tenant: &str, count: usize) {
            self.end(tenant, count, &[MessageState::Sending, MessageState::Sent]).await;
        }

        /// Three relays look; what they have told together.
        async fn looked(&mut self) -> Vec<Value> {
            let stop = CancellationToken::new();
            let look = || look(&OPTIONS, &self.ports, &stop);
            let (one, two, three) = tokio::join!(look(), look(), look());
            let told = one.unwrap() + two.unwrap() + three.unwrap();
            let mut events = Vec::new();
            for _ in 0..told {
                let event = self.events.next().await.unwrap().unwrap();
                let event: Value = serde_json::from_slice(&event.body).unwrap();
                assert_eq!((&event["type"], &event["session"]), (&json!("alert.failure_rate"), &Value::Null));
                events.push(event);
            }
            let later = self.clock.now().plus(Duration::from_secs(1));
            assert_eq!(self.stores.pending(later, 9).await.unwrap(), [], "what was told does not wait any more");
            events
        }
    }

    #[tokio::test]
    async fn an_alert_is_told_once_when_it_comes_and_once_when_it_goes() {
        let mut it = World::new().await;
        it.fail("acme", 2).await;
        it.send("acme", 18).await;
        it.send("other", 30).await;
        assert_eq!(it.looked().await, [] as [Value; 0], "at the share it is quiet");
        it.fail("acme", 1).await;
        let told = it.looked().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["tenant"], "acme");
        let data =
            json!({"state": "raised", "failed": 3, "ended": 21, "threshold_percent": 10, "window_seconds": 3600});
        assert_eq!(told[0]["data"], data);
        for _ in 0..3 {
            it.fail("acme", 1).await;
            assert_eq!(it.looked().await, [] as [Value; 0], "it stands already");
        }
        it.send("acme", 60).await;
        let told = it.looked().await;
        assert_eq!((told.len(), &told[0]["data"]["state"]), (1, &json!("resolved")), "{told:?}");
        assert_eq!(it.looked().await, [] as [Value; 0]);
        it.fail("acme", 30).await;
        assert_eq!(it.looked().await[0]["data"]["state"], "raised", "the next time it is told again");
    }

    #[tokio::test]
    async fn what_lies_before_the_window_does_not_count() {
        let mut it = World::new().await;
        it.fail("other", 20).await;
        assert_eq!(it.looked().await[0]["tenant"], "other");
        it.clock.advance(Duration::from_mins(61));
        it.fail("other", 3).await;
        assert_eq!(it.looked().await, [] as [Value; 0], "of three messages nothing is said");
        it.clock.advance(Duration::from_mins(61));
        assert_eq!(it.looked().await[0]["data"]["state"], "resolved", "nothing fails any more");
    }
}
