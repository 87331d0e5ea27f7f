//! The register of sessions: pools, and who belongs to them.

use tokio::task::JoinSet;

use super::Stores;
use super::fixture::{now, session, tenant};
use crate::domain::{PoolId, SessionId, TenantId};
use crate::port::{Created, NewSession};

fn pool() -> PoolId {
    PoolId::new(session().as_str()).unwrap()
}

impl Stores {
    async fn belongs(&self, id: &SessionId) -> Option<PoolId> {
        self.sessions.get(id).await.unwrap().expect("the session is there").pool
    }
}

pub(super) async fn a_pool_is_its_first_users(stores: Stores) {
    let (mine, other, id) = (tenant(), tenant(), pool());
    assert_eq!(stores.sessions.pool_of(&id).await.unwrap(), None);
    for _ in 0..2 {
        assert!(stores.sessions.own_pool(&id, &mine).await.unwrap());
        assert!(!stores.sessions.own_pool(&id, &other).await.unwrap());
    }
    assert_eq!(stores.sessions.pool_of(&id).await.unwrap(), Some(mine));
    assert!(stores.sessions.own_pool(&pool(), &other).await.unwrap());
}

pub(super) async fn one_of_many_who_want_a_new_pool_gets_it(stores: Stores) {
    let id = pool();
    let tenants: Vec<TenantId> = (0..8).map(|_| tenant()).collect();
    let mut asks = JoinSet::new();
    for tenant in tenants {
        let (stores, id) = (stores.clone(), id.clone());
        asks.spawn(async move { stores.sessions.own_pool(&id, &tenant).await.unwrap() });
    }
    let got = asks.join_all().await;
    assert_eq!(got.into_iter().filter(|got| *got).count(), 1);
}

pub(super) async fn a_session_joins_changes_and_leaves_its_pool(stores: Stores) {
    let (mine, id) = (tenant(), session());
    let (one, two) = (pool(), pool());
    for pool in [&one, &two] {
        assert!(stores.sessions.own_pool(pool, &mine).await.unwrap());
    }
    let new = NewSession { pool: Some(one.clone()), ..NewSession::new(id.clone(), mine.clone(), now()) };
    let Created::New(record) = stores.sessions.create(new).await.unwrap() else { panic!("it is new") };
    assert_eq!(record.pool, Some(one.clone()));
    assert_eq!(stores.belongs(&id).await, Some(one));
    assert!(stores.sessions.join(&id, Some(&two)).await.unwrap());
    assert_eq!(stores.belongs(&id).await, Some(two.clone()));
    let fence = stores.claim(&id).await;
    assert_eq!(stores.belongs(&id).await, Some(two.clone()), "a new owner changes nothing about it");
    let listed = stores.sessions.list(Some(&mine), None, 10).await.unwrap();
    assert_eq!(listed[0].pool, Some(two));
    assert_eq!(listed[0].epoch, fence.epoch);
    assert!(stores.sessions.join(&id, None).await.unwrap());
    assert_eq!(stores.belongs(&id).await, None);
    assert!(!stores.sessions.join(&session(), None).await.unwrap(), "there is no such session");
}

pub(super) async fn nobody_joins_a_pool_that_is_nobodys(stores: Stores) {
    let (mine, id) = (tenant(), session());
    stores.created(&mine, &id).await;
    stores.sessions.join(&id, Some(&pool())).await.expect_err("the pool was never entered");
    assert_eq!(stores.belongs(&id).await, None);
}
