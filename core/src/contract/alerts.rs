//! Alerts: each is raised once and resolved once.

use tokio::task::JoinSet;

use super::Stores;
use super::fixture::{event, tenant};

pub(super) async fn an_alert_stands_from_its_event_to_the_other_one(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let stands = async |tenant| stores.alerts.standing().await.unwrap().contains(tenant);
    let turn = async |stands: bool| {
        let told = event(&mine, None);
        let turned = stores.alerts.turn_alert(&mine, stands, &told).await.unwrap();
        assert_eq!(stores.waiting_ids().await.contains(&told.id), turned, "an event is told with its fact only");
        turned
    };
    assert!(!stands(&mine).await);
    assert!(!turn(false).await, "what does not stand can't be resolved");
    assert!(turn(true).await && stands(&mine).await);
    assert!(!turn(true).await, "it stands already");
    assert!(!stands(&other).await, "it is one tenant's");
    assert!(turn(false).await && !stands(&mine).await);
    assert!(!turn(false).await);
    assert!(turn(true).await, "it can be raised again");
}

pub(super) async fn of_many_who_raise_an_alert_one_does(stores: Stores) {
    let mine = tenant();
    for stands in [true, false] {
        let mut many = JoinSet::new();
        for _ in 0..8 {
            let (alerts, mine) = (stores.alerts.clone(), mine.clone());
            many.spawn(async move { alerts.turn_alert(&mine, stands, &event(&mine, None)).await.unwrap() });
        }
        let turned = many.join_all().await;
        assert_eq!(turned.iter().filter(|turned| **turned).count(), 1, "{stands}: {turned:?}");
    }
    assert_eq!(stores.waiting().await.len(), 2);
}
