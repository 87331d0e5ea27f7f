//! The register of webhooks and the deliveries due to them.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use super::Stores;
use super::fixture::{event, now, session, tenant};
use crate::domain::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryFault, DeliveryId, DeliveryState, DisabledReason, EventId,
    EventKind, KindChoice, LogPosition, OldSecret, Secret, TenantId, Timestamp, Webhook, WebhookHealth, WebhookId,
    WebhookSettings,
};
use crate::port::DeliveryClaim;

const MINUTE: Duration = Duration::from_mins(1);

fn webhook(tenant: &TenantId) -> Webhook {
    let settings = WebhookSettings {
        url: Secret::new("https://example.com/hook?key=s3cret".to_owned()),
        label: "shop \u{1f600}".to_owned(),
        types: KindChoice::new(["message.*", "session.connected"]).unwrap(),
        sessions: Some(BTreeSet::from([session()])),
        secret: Secret::new("whsec_AAAA".to_owned()),
        old_secret: Some(OldSecret { secret: Secret::new("whsec_BBBB".to_owned()), until: now() }),
    };
    Webhook {
        id: WebhookId::new(session().as_str()).unwrap(),
        tenant: tenant.clone(),
        version: 1,
        settings,
        health: WebhookHealth::default(),
        cursor: LogPosition(7),
        created_at: now(),
    }
}

/// Of these moments and a counter, so that later ones are larger.
fn delivery(of: &Webhook, n: u64, due: Timestamp) -> Delivery {
    let id = DeliveryId(Uuid::from_u128((u128::from(n) << 64) | (Uuid::new_v4().as_u128() >> 64)));
    let what = (EventId(Uuid::new_v4()), EventKind::MessageSent, Some(LogPosition(n)));
    Delivery { due_at: Some(due), ..Delivery::new(id, of.id.clone(), what, now()) }
}

fn claim(now: Timestamp) -> DeliveryClaim {
    DeliveryClaim { token: Uuid::new_v4().as_u128(), now, until: now.plus(MINUTE) }
}

fn failed(at: Timestamp) -> DeliveryAttempt {
    DeliveryAttempt { at, status: Some(500), took_ms: 12, fault: Some(DeliveryFault::Status) }
}

fn taken(at: Timestamp) -> DeliveryAttempt {
    DeliveryAttempt { at, status: Some(204), took_ms: 3, fault: None }
}

impl Stores {
    async fn hook(&self) -> Webhook {
        let webhook = webhook(&tenant());
        assert!(self.webhooks.add_webhook(&webhook).await.unwrap());
        webhook
    }

    async fn hook_now(&self, id: &WebhookId) -> Webhook {
        self.webhooks.webhook(id).await.unwrap().expect("it is there")
    }

    async fn due_ids(&self, at: Timestamp) -> Vec<WebhookId> {
        self.webhooks.due(at, 100).await.unwrap().into_iter().map(|webhook| webhook.id).collect()
    }
}

pub(super) async fn a_webhook_is_read_back_whole(stores: Stores) {
    let full = webhook(&tenant());
    let disabled = Some((DisabledReason::Gone, now()));
    let health = WebhookHealth { disabled, failures: 3, failing_since: Some(now()), rest_until: Some(now()) };
    let mut bare = Webhook { health, ..webhook(&full.tenant) };
    bare.settings.sessions = None;
    bare.settings.old_secret = None;
    let mut both = vec![full.clone(), bare.clone()];
    for webhook in &both {
        assert_eq!(stores.webhooks.webhook(&webhook.id).await.unwrap(), None);
        assert!(stores.webhooks.add_webhook(webhook).await.unwrap());
        assert_eq!(stores.webhooks.webhook(&webhook.id).await.unwrap().as_ref(), Some(webhook));
    }
    let again = Webhook { tenant: tenant(), ..full.clone() };
    assert!(!stores.webhooks.add_webhook(&again).await.unwrap(), "an id is used once");
    both.sort_by(|one, two| one.id.cmp(&two.id));
    assert_eq!(stores.webhooks.webhooks(&full.tenant).await.unwrap(), both);
    assert_eq!(stores.webhooks.webhooks(&again.tenant).await.unwrap(), []);
}

pub(super) async fn a_change_is_made_once_and_a_cursor_never_goes_back(stores: Stores) {
    let first = stores.hook().await;
    let mut changed = Webhook { cursor: LogPosition(3), ..first.clone() };
    "other".clone_into(&mut changed.settings.label);
    changed.health.disabled = Some((DisabledReason::ByRequest, now()));
    assert!(stores.webhooks.change_webhook(&changed).await.unwrap());
    assert!(!stores.webhooks.change_webhook(&changed).await.unwrap(), "it was made from an old version");
    let found = stores.hook_now(&first.id).await;
    assert_eq!(found, Webhook { version: 2, cursor: LogPosition(7), ..changed });
    assert!(stores.webhooks.change_webhook(&Webhook { cursor: LogPosition(9), ..found }).await.unwrap());
    assert_eq!(stores.hook_now(&first.id).await.cursor, LogPosition(9));
    assert!(stores.webhooks.remove_webhook(&first.id).await.unwrap());
    assert!(!stores.webhooks.remove_webhook(&first.id).await.unwrap());
    assert!(!stores.webhooks.change_webhook(&first).await.unwrap());
}

pub(super) async fn a_cursor_moves_once_with_its_deliveries(stores: Stores) {
    let hook = stores.hook().await;
    let behind = async |newest, most| stores.webhooks.behind(LogPosition(newest), most, 10).await.unwrap();
    assert_eq!(behind(7, 10).await, []);
    assert_eq!(behind(8, 10).await, std::slice::from_ref(&hook));
    let due = now();
    let (one, two) = (delivery(&hook, 8, due), delivery(&hook, 9, due));
    let enlist = async |to, deliveries: &[Delivery]| {
        stores.webhooks.enlist(&hook.id, LogPosition(7), LogPosition(to), deliveries).await.unwrap()
    };
    assert!(enlist(9, &[one.clone(), two.clone()]).await);
    assert!(!enlist(12, &[delivery(&hook, 10, due)]).await, "somebody else has moved it");
    assert_eq!(stores.hook_now(&hook.id).await.cursor, LogPosition(9));
    assert_eq!(stores.webhooks.deliveries(&hook.id, None, 10).await.unwrap(), [two.clone(), one.clone()]);
    assert_eq!(stores.webhooks.deliveries(&hook.id, Some(two.id), 10).await.unwrap(), [one]);
    assert_eq!(stores.webhooks.deliveries(&hook.id, None, 1).await.unwrap(), [two]);
    assert_eq!(behind(10, 2).await, [], "enough is pending");
    assert_eq!(behind(10, 3).await.len(), 1);
    assert!(stores.webhooks.disable(&hook.id, DisabledReason::Gone, now(), &[]).await.unwrap());
    assert_eq!(behind(10, 3).await, []);
    assert!(!stores.webhooks.add_deliveries(&WebhookId::new("nobodys").unwrap(), &[]).await.unwrap());
}

pub(super) async fn a_delivery_is_with_one_until_its_claim_ends(stores: Stores) {
    let hook = stores.hook().await;
    let at = now();
    let all: Vec<_> = (0..5).map(|n| delivery(&hook, n, at.minus(Duration::from_secs(10 - n)))).collect();
    let later = delivery(&hook, 9, at.plus(MINUTE));
    assert!(stores.webhooks.add_deliveries(&hook.id, &all).await.unwrap());
    assert!(stores.webhooks.add_deliveries(&hook.id, std::slice::from_ref(&later)).await.unwrap());
    assert_eq!(stores.due_ids(at).await, std::slice::from_ref(&hook.id));
    let (mine, theirs) = (claim(at), claim(at));
    assert_eq!(stores.webhooks.claim(&hook.id, mine, 3).await.unwrap(), all[..3], "the longest due first");
    assert_eq!(stores.webhooks.claim(&hook.id, theirs, 10).await.unwrap(), all[3..]);
    assert_eq!(stores.webhooks.claim(&hook.id, claim(at), 10).await.unwrap(), []);
    assert_eq!(stores.due_ids(at).await, []);
    // Whoever had them has died.
    let over = at.plus(MINUTE);
    assert_eq!(stores.due_ids(over).await, std::slice::from_ref(&hook.id));
    let next = claim(over);
    assert_eq!(stores.webhooks.claim(&hook.id, next, 10).await.unwrap().len(), 6);
    let late = stores.webhooks.settle(all[0].id, &mine, taken(at), DeliveryEnd::Taken, None).await.unwrap();
    assert_eq!(late, None, "it is not its any more");
    let settled = stores.webhooks.settle(all[0].id, &next, taken(over), DeliveryEnd::Taken, None).await.unwrap();
    assert_eq!(settled, Some(WebhookHealth::default()));
    let again = stores.webhooks.settle(all[0].id, &next, taken(over), DeliveryEnd::Taken, None).await.unwrap();
    assert_eq!(again, None, "once");
}

pub(super) async fn claims_at_the_same_time_share_the_deliveries(stores: Stores) {
    let hook = stores.hook().await;
    let at = now();
    let all: Vec<_> = (0..40).map(|n| delivery(&hook, n, at)).collect();
    assert!(stores.webhooks.add_deliveries(&hook.id, &all).await.unwrap());
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (webhooks, id) = (std::sync::Arc::clone(&stores.webhooks), hook.id.clone());
        claims.spawn(async move { webhooks.claim(&id, claim(at), 10).await.unwrap() });
    }
    let mut found: Vec<_> = claims.join_all().await.into_iter().flatten().map(|delivery| delivery.id).collect();
    found.extend(stores.webhooks.claim(&hook.id, claim(at), 100).await.unwrap().into_iter().map(|one| one.id));
    found.sort_unstable();
    assert_eq!(found, all.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), "each with one of them");
}

pub(super) async fn attempts_are_remembered_and_health_is_kept(stores: Stores) {
    let hook = stores.hook().await;
    let at = now();
    let one = delivery(&hook, 1, at);
    assert!(stores.webhooks.add_deliveries(&hook.id, std::slice::from_ref(&one)).await.unwrap());
    let (soon, rest) = (at.plus(MINUTE), at.plus(MINUTE / 2));
    let mut mine = claim(at);
    stores.webhooks.claim(&hook.id, mine, 1).await.unwrap();
    let health = stores.webhooks.settle(one.id, &mine, failed(at), DeliveryEnd::Again(soon), Some(rest)).await.unwrap();
    let expected = WebhookHealth { disabled: None, failures: 1, failing_since: Some(at), rest_until: Some(rest) };
    assert_eq!(health, Some(expected));
    assert_eq!(stores.hook_now(&hook.id).await.health, expected);
    let found = stores.webhooks.deliveries(&hook.id, None, 1).await.unwrap().remove(0);
    assert_eq!((found.state, found.due_at, found.ended_at), (DeliveryState::Pending, Some(soon), None));
    assert_eq!(found.attempts, [failed(at)]);
    assert_eq!(stores.due_ids(at).await, [], "it is due later");
    assert_eq!(stores.due_ids(soon).await.len(), 1);

    mine = claim(soon);
    assert_eq!(stores.webhooks.claim(&hook.id, mine, 1).await.unwrap(), [found]);
    let far = soon.plus(MINUTE);
    let end = DeliveryEnd::Again(soon);
    let health = stores.webhooks.settle(one.id, &mine, failed(soon), end, Some(far)).await.unwrap().unwrap();
    assert_eq!((health.failures, health.failing_since, health.rest_until), (2, Some(at), Some(far)));
    assert_eq!(stores.due_ids(soon).await, [], "it is left alone");
    mine = claim(far);
    stores.webhooks.claim(&hook.id, mine, 1).await.unwrap();
    let health = stores.webhooks.settle(one.id, &mine, taken(far), DeliveryEnd::Taken, None).await.unwrap();
    assert_eq!(health, Some(WebhookHealth::default()));
    let found = stores.webhooks.deliveries(&hook.id, None, 1).await.unwrap().remove(0);
    assert_eq!((found.state, found.due_at), (DeliveryState::Delivered, None));
    assert_eq!(found.attempts, [failed(at), failed(soon), taken(far)]);
    assert!(found.ended_at.is_some());
}

pub(super) async fn a_webhook_is_disabled_once_and_its_deliveries_end(stores: Stores) {
    let hook = stores.hook().await;
    let at = now();
    let two = [delivery(&hook, 1, at), delivery(&hook, 2, at)];
    assert!(stores.webhooks.add_deliveries(&hook.id, &two).await.unwrap());
    let mine = claim(at);
    stores.webhooks.claim(&hook.id, mine, 1).await.unwrap();
    let told = event(&hook.tenant, None);
    let disable = async || {
        let events = std::slice::from_ref(&told);
        stores.webhooks.disable(&hook.id, DisabledReason::Failing, at, events).await.unwrap()
    };
    assert!(disable().await && !disable().await);
    assert_eq!(stores.waiting().await, [told]);
    let found = stores.hook_now(&hook.id).await;
    assert_eq!((found.health.disabled, found.version), (Some((DisabledReason::Failing, at)), 2));
    for delivery in stores.webhooks.deliveries(&hook.id, None, 10).await.unwrap() {
        assert_eq!((delivery.state, delivery.due_at), (DeliveryState::Failed, None));
        assert_eq!(delivery.ended_at, Some(at));
    }
    assert_eq!(stores.webhooks.settle(two[0].id, &mine, taken(at), DeliveryEnd::Taken, None).await.unwrap(), None);
    assert_eq!(stores.due_ids(at).await, []);
}

pub(super) async fn a_delivery_is_tried_anew_when_somebody_wants_it(stores: Stores) {
    let hook = stores.hook().await;
    let at = now();
    let one = delivery(&hook, 1, at);
    assert!(stores.webhooks.add_deliveries(&hook.id, std::slice::from_ref(&one)).await.unwrap());
    let mine = claim(at);
    stores.webhooks.claim(&hook.id, mine, 1).await.unwrap();
    stores.webhooks.settle(one.id, &mine, failed(at), DeliveryEnd::GivenUp, None).await.unwrap().unwrap();
    assert_eq!(stores.due_ids(at.plus(MINUTE)).await, []);
    let later = at.plus(MINUTE);
    let again = stores.webhooks.retry(&hook.id, one.id, later).await.unwrap().expect("it is there");
    assert_eq!((again.state, again.due_at, again.ended_at), (DeliveryState::Pending, Some(later), None));
    assert_eq!(stores.due_ids(later).await, std::slice::from_ref(&hook.id));
    let other = stores.hook().await;
    assert_eq!(stores.webhooks.retry(&other.id, one.id, later).await.unwrap(), None, "another webhook's");
    assert_eq!(stores.webhooks.retry(&hook.id, DeliveryId(Uuid::new_v4()), later).await.unwrap(), None);
}

pub(super) async fn ended_deliveries_are_forgotten_and_all_go_with_their_webhook(stores: Stores) {
    let hook = stores.hook().await;
    let at = now();
    let all: Vec<_> = (0..3).map(|n| delivery(&hook, n, at)).collect();
    assert!(stores.webhooks.add_deliveries(&hook.id, &all).await.unwrap());
    let mine = claim(at);
    stores.webhooks.claim(&hook.id, mine, 2).await.unwrap();
    for delivery in &all[..2] {
        stores.webhooks.settle(delivery.id, &mine, taken(at), DeliveryEnd::Taken, None).await.unwrap().unwrap();
    }
    let later = now().plus(Duration::from_hours(1));
    assert_eq!(stores.webhooks.forget_deliveries(at.minus(MINUTE), 10).await.unwrap(), 0);
    assert_eq!(stores.webhooks.forget_deliveries(later, 1).await.unwrap(), 1);
    assert_eq!(stores.webhooks.forget_deliveries(later, 10).await.unwrap(), 1);
    assert_eq!(stores.webhooks.deliveries(&hook.id, None, 10).await.unwrap(), all[2..]);
    assert!(stores.webhooks.remove_webhook(&hook.id).await.unwrap());
    assert_eq!(stores.webhooks.deliveries(&hook.id, None, 10).await.unwrap(), []);
}
