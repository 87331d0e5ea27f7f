//! Telling webhooks: signed, again when it failed, once each by several couriers, and not for ever.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{
    DeliveryState, DisabledReason, EventId, EventKind, KindChoice, LogPosition, OldSecret, OutboxEvent, Secret,
    TenantId, Timestamp, Webhook, WebhookHealth, WebhookId, WebhookSettings,
};
use kurir_core::memory::{MemoryStores, MemoryWeb, SeededEntropy, SystemClock, WebReply};
use kurir_core::policy::{Backoff, WebhookRule};
use kurir_core::port::{Clock, EventLog as _, Outbox as _, WebError, WebRequest, WebhookStore as _};
use kurir_workers::{Courier, CourierOptions, CourierPorts};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(20);
const URL: &str = "https://example.com/hook";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn options() -> CourierOptions {
    let short = Backoff { base: Duration::from_millis(5), max: Duration::from_millis(20) };
    CourierOptions {
        look_every: Duration::from_millis(10),
        rule: WebhookRule {
            backoff: short,
            patience: Duration::from_hours(1),
            breaks_after: 3,
            rest: short,
            dead_after: Duration::from_hours(1),
        },
        answer_within: Duration::from_secs(5),
        claim_for: Duration::from_mins(1),
        per_webhook: 4,
        at_once: 16,
        most_pending: 100,
        keep: Duration::from_hours(1),
    }
}

struct World {
    stores: Arc<MemoryStores>,
    web: Arc<MemoryWeb>,
    clock: Arc<dyn Clock>,
}

impl World {
    fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self { stores: Arc::new(MemoryStores::new(Arc::clone(&clock))), web: Arc::default(), clock }
    }

    fn courier(&self, options: CourierOptions, seed: u64) -> Courier {
        let ports = CourierPorts {
            log: self.stores.clone(),
            webhooks: self.stores.clone(),
            web: self.web.clone(),
            clock: Arc::clone(&self.clock),
            entropy: Arc::new(SeededEntropy::new(seed)),
        };
        Courier::start(options, ports)
    }

    async fn hook(&self, name: &str, types: &[&str]) -> WebhookId {
        let old = OldSecret { secret: Secret::new(OLD.to_owned()), until: self.clock.now().plus(SOON * 60) };
        let settings = WebhookSettings {
            url: Secret::new(URL.to_owned()),
            label: String::new(),
            types: KindChoice::new(types).unwrap(),
            sessions: None,
            secret: Secret::new(SECRET.to_owned()),
            old_secret: Some(old),
        };
        let webhook = Webhook {
            id: WebhookId::new(name).unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            version: 1,
            settings,
            health: WebhookHealth::default(),
            cursor: LogPosition(0),
            created_at: self.clock.now(),
        };
        assert!(self.stores.add_webhook(&webhook).await.unwrap());
        webhook.id
    }

    async fn happen(&self, count: usize, kind: EventKind) -> Vec<EventId> {
        let events: Vec<_> = (0..count)
            .map(|n| OutboxEvent {
                id: EventId(Uuid::new_v4()),
                tenant: TenantId::new("acme").unwrap(),
                session: None,
                kind,
                at: self.clock.now(),
                body: format!("{{\"n\":{n}}}").into_bytes(),
            })
            .collect();
        self.stores.append(&events).await.unwrap();
        events.iter().map(|event| event.id).collect()
    }

    async fn health(&self, id: &WebhookId) -> WebhookHealth {
        self.stores.webhook(id).await.unwrap().unwrap().health
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

fn header(request: &WebRequest, name: &str) -> String {
    request.headers.iter().find(|(one, _)| *one == name).unwrap().1.expose().clone()
}

fn signed_by(request: &WebRequest, secret: &str) -> bool {
    let signer = standardwebhooks::Webhook::new(secret).unwrap();
    let timestamp = header(request, "webhook-timestamp").parse().unwrap();
    let wanted = signer.sign(&header(request, "webhook-id"), timestamp, &request.body).unwrap();
    header(request, "webhook-signature").split(' ').any(|one| one == wanted)
}

#[tokio::test]
async fn what_happens_is_told_signed_and_once_by_two_couriers() {
    let world = World::new();
    world.web.put(URL, Ok(WebReply::of(204)));
    let hook = world.hook("h1", &["message.*"]).await;
    let couriers = [world.courier(options(), 1), world.courier(options(), 2)];
    let told = world.happen(60, EventKind::MessageSent).await;
    world.happen(3, EventKind::SessionConnected).await;
    until("all are delivered", async || {
        let deliveries = world.stores.deliveries(&hook, None, 100).await.unwrap();
        deliveries.len() == 60 && deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered)
    })
    .await;
    let mut delivered = 0;
    for courier in couriers {
        delivered += courier.stop(SOON).await.expect("it stops").delivered;
    }
    let asked = world.web.asked();
    assert_eq!((asked.len(), delivered), (60, 60), "each of them once");
    let ids: HashSet<_> = asked.iter().map(|request| header(request, "webhook-id")).collect();
    assert_eq!(ids, told.iter().map(ToString::to_string).collect());
    for request in &asked {
        assert!(signed_by(request, SECRET) && signed_by(request, OLD), "both secrets sign");
        assert!(!format!("{request:?}").contains("whsec"));
    }
}

#[tokio::test]
async fn what_failed_is_told_again_under_the_same_id() {
    let world = World::new();
    world.web.put(URL, Ok(WebReply::of(500)));
    let hook = world.hook("h1", &["*"]).await;
    let courier = world.courier(options(), 1);
    world.happen(1, EventKind::MessageSent).await;
    until("it has failed often enough to be left alone", async || world.health(&hook).await.failures >= 4).await;
    world.web.put(URL, Ok(WebReply::of(200)));
    until("it is delivered", async || world.health(&hook).await == WebhookHealth::default()).await;
    courier.stop(SOON).await.expect("it stops");
    let delivery = world.stores.deliveries(&hook, None, 10).await.unwrap().remove(0);
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert!(delivery.attempts.len() >= 5);
    let ids: HashSet<_> = world.web.asked().iter().map(|request| header(request, "webhook-id")).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_webhook_that_asks_for_a_pause_gets_it() {
    let world = World::new();
    world.web.put(URL, Ok(WebReply { retry_after: Some(600), ..WebReply::of(503) }));
    let hook = world.hook("h1", &["*"]).await;
    let courier = world.courier(options(), 1);
    world.happen(1, EventKind::MessageSent).await;
    until("it was tried", async || world.health(&hook).await.failures == 1).await;
    courier.stop(SOON).await.expect("it stops");
    let delivery = world.stores.deliveries(&hook, None, 10).await.unwrap().remove(0);
    let due = delivery.due_at.unwrap();
    assert!(due.since(world.clock.now()) > Duration::from_mins(9), "{delivery:?}");
}

#[tokio::test]
async fn a_webhook_that_is_gone_or_dead_is_disabled_with_an_event() {
    let refused = WebError::Forbidden(None);
    let dead = CourierOptions { rule: WebhookRule { dead_after: Duration::ZERO, ..options().rule }, ..options() };
    for (reply, options, reason) in
        [(Ok(WebReply::of(410)), options(), DisabledReason::Gone), (Err(refused), dead, DisabledReason::Failing)]
    {
        let world = World::new();
        world.web.put(URL, reply);
        let hook = world.hook("h1", &["*"]).await;
        let courier = world.courier(options, 1);
        world.happen(5, EventKind::MessageSent).await;
        until("it is disabled", async || world.health(&hook).await.disabled.is_some()).await;
        courier.stop(SOON).await.expect("it stops");
        assert_eq!(world.health(&hook).await.disabled.unwrap().0, reason);
        let told = world.stores.pending(Timestamp::from_millis(i64::MAX), 10).await.unwrap();
        assert_eq!(told.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::WebhookDisabled]);
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for delivery in world.stores.deliveries(&hook, None, 10).await.unwrap() {
            *states.entry(delivery.state.as_str()).or_default() += 1;
        }
        assert_eq!(states, BTreeMap::from([("failed", 5)]), "nothing waits");
    }
}
