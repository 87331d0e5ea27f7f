//! Signal state: who may not write, and what goes when its time has come.

use std::time::Duration;

use bytes::Bytes;

use super::Stores;
use super::fixture::{now, session};
use super::state::{done, put, puts, value};
use crate::domain::{Epoch, Fence, Timestamp};
use crate::port::{StateBatch, StateKey, StatePut, Written};

fn until(key: &str, expires_at: Timestamp) -> StatePut {
    StatePut { expires_at: Some(expires_at), ..put("a", key, "x") }
}

pub(super) async fn an_old_owner_applies_nothing(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    done(&stores, &owned.fence, puts(vec![put("a", "k", "mine"), put("a", "l", "mine")])).await;
    let batch = StateBatch {
        puts: vec![put("a", "k", "theirs"), put("a", "new", "theirs")],
        deletes: vec![StateKey::new("a", "l")],
    };
    assert_eq!(stores.state.apply(vec![(old, batch)]).await.unwrap(), [Written::Fenced]);
    let left = stores.state.scan(&owned.id, "a", "").await.unwrap();
    assert_eq!(left, ["k", "l"].map(|key| (key.to_owned(), Bytes::from("mine"))));
}

pub(super) async fn a_fenced_batch_leaves_the_others_alone(stores: Stores) {
    let mut batches = Vec::new();
    let mut expected = Vec::new();
    for n in 0..20 {
        let (old, owned) = stores.taken_over().await;
        let fenced = n % 7 == 3;
        expected.push((owned.id.clone(), fenced));
        batches.push((if fenced { old } else { owned.fence }, puts(vec![put("a", "k", "x"), put("b", "k", "x")])));
    }
    let answers = stores.state.apply(batches).await.unwrap();
    assert_eq!(answers.len(), expected.len());
    for ((id, fenced), answer) in expected.iter().zip(answers) {
        assert_eq!(answer, if *fenced { Written::Fenced } else { Written::Done });
        for area in ["a", "b"] {
            assert_eq!(stores.state.scan(id, area, "").await.unwrap().is_empty(), *fenced);
        }
    }
}

pub(super) async fn an_old_owner_wipes_nothing(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    done(&stores, &owned.fence, puts(vec![put("a", "k", "x")])).await;
    assert_eq!(stores.state.wipe(&old).await.unwrap(), Written::Fenced);
    assert!(value(&stores, &owned.id, "a", "k").await.is_some());
}

pub(super) async fn wipe_empties_one_session_only(stores: Stores) {
    let (one, two) = (stores.owned().await, stores.owned().await);
    for owned in [&one, &two] {
        done(&stores, &owned.fence, puts(vec![put("a", "k", "x"), put("b", "k", "x"), put("b", "l", "x")])).await;
    }
    let before = stores.sessions.get(&one.id).await.unwrap();
    assert_eq!(stores.state.wipe(&one.fence).await.unwrap(), Written::Done);
    for area in ["a", "b"] {
        assert_eq!(stores.state.scan(&one.id, area, "").await.unwrap(), []);
        assert!(!stores.state.scan(&two.id, area, "").await.unwrap().is_empty());
    }
    assert_eq!(stores.sessions.get(&one.id).await.unwrap(), before, "the record stays as it is");
    assert_eq!(stores.state.wipe(&one.fence).await.unwrap(), Written::Done, "there may be nothing to remove");
    done(&stores, &one.fence, puts(vec![put("a", "k", "again")])).await;
}

pub(super) async fn expired_values_go_at_their_moment(stores: Stores) {
    let (owned, other) = (stores.owned().await, stores.owned().await);
    let at = now();
    let after = at.plus(Duration::from_millis(1));
    let before = at.minus(Duration::from_millis(1));
    let all = vec![until("before", before), until("at", at), until("after", after), put("a", "never", "x")];
    done(&stores, &other.fence, puts(all.clone())).await;
    done(&stores, &owned.fence, puts(all)).await;
    let elsewhere = StatePut { expires_at: Some(before), ..put("b", "before", "x") };
    done(&stores, &owned.fence, puts(vec![elsewhere])).await;

    assert_eq!(stores.state.delete_expired(&owned.fence, "a", at).await.unwrap(), 2);
    let left: Vec<_> = stores.state.scan(&owned.id, "a", "").await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, ["after", "never"]);
    assert!(value(&stores, &owned.id, "b", "before").await.is_some(), "another area is left alone");
    assert_eq!(stores.state.scan(&other.id, "a", "").await.unwrap().len(), 4, "another session is left alone");
    assert_eq!(stores.state.delete_expired(&owned.fence, "a", at).await.unwrap(), 0);
    assert_eq!(stores.state.delete_expired(&owned.fence, "a", after).await.unwrap(), 1);
}

pub(super) async fn an_expired_value_is_readable_until_removed(stores: Stores) {
    let owned = stores.owned().await;
    done(&stores, &owned.fence, puts(vec![until("k", Timestamp::from_millis(1))])).await;
    assert!(value(&stores, &owned.id, "a", "k").await.is_some());
    assert_eq!(stores.state.scan(&owned.id, "a", "").await.unwrap().len(), 1);
}

pub(super) async fn a_new_put_replaces_the_expiry(stores: Stores) {
    let owned = stores.owned().await;
    let at = now();
    done(&stores, &owned.fence, puts(vec![until("k", at), until("l", at)])).await;
    done(&stores, &owned.fence, puts(vec![put("a", "k", "y"), until("l", at.plus(Duration::from_mins(1)))])).await;
    assert_eq!(stores.state.delete_expired(&owned.fence, "a", at).await.unwrap(), 0);
    assert_eq!(stores.state.scan(&owned.id, "a", "").await.unwrap().len(), 2);
}

pub(super) async fn an_old_owner_expires_nothing(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    done(&stores, &owned.fence, puts(vec![until("k", Timestamp::from_millis(1))])).await;
    assert_eq!(stores.state.delete_expired(&old, "a", now()).await.unwrap(), 0);
    assert!(value(&stores, &owned.id, "a", "k").await.is_some());
}

pub(super) async fn a_session_that_is_not_there_is_fenced(stores: Stores) {
    for epoch in [0, 1] {
        let nobody = Fence { session: session(), epoch: Epoch(epoch) };
        let answers = stores.state.apply(vec![(nobody.clone(), puts(vec![put("a", "k", "x")]))]).await.unwrap();
        assert_eq!(answers, [Written::Fenced]);
        assert_eq!(stores.state.wipe(&nobody).await.unwrap(), Written::Fenced);
        assert_eq!(stores.state.scan(&nobody.session, "a", "").await.unwrap(), []);
    }
}
