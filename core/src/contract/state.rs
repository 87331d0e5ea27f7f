//! Signal state: what a batch does.

use bytes::Bytes;
use tokio::task::JoinSet;

use super::Stores;
use crate::domain::{Fence, SessionId};
use crate::port::{StateBatch, StateKey, StatePut, Written};

pub(super) fn put(area: &'static str, key: &str, value: impl Into<Bytes>) -> StatePut {
    StatePut { at: StateKey::new(area, key), value: value.into(), expires_at: None }
}

pub(super) fn puts(puts: Vec<StatePut>) -> StateBatch {
    StateBatch { puts, deletes: vec![] }
}

/// Carries out one batch that must succeed.
pub(super) async fn done(stores: &Stores, fence: &Fence, batch: StateBatch) {
    let answers = stores.state.apply(vec![(fence.clone(), batch)]).await.unwrap();
    assert_eq!(answers, [Written::Done]);
}

/// One value.
pub(super) async fn value(stores: &Stores, session: &SessionId, area: &'static str, key: &str) -> Option<Bytes> {
    let mut found = stores.state.get(session, &[StateKey::new(area, key)]).await.unwrap();
    assert_eq!(found.len(), 1, "one answer for each place");
    found.remove(0)
}

pub(super) async fn a_value_is_read_back_byte_for_byte(stores: Stores) {
    let owned = stores.owned().await;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let batch = puts(vec![put("a", "bytes", every_byte.clone()), put("a", "empty", Bytes::new())]);
    done(&stores, &owned.fence, batch).await;
    assert_eq!(value(&stores, &owned.id, "a", "bytes").await.unwrap(), every_byte);
    assert_eq!(value(&stores, &owned.id, "a", "empty").await, Some(Bytes::new()), "empty is not absent");
    done(&stores, &owned.fence, puts(vec![put("a", "bytes", "new")])).await;
    assert_eq!(value(&stores, &owned.id, "a", "bytes").await.unwrap(), "new");
}

pub(super) async fn get_answers_in_order(stores: Stores) {
    let owned = stores.owned().await;
    done(&stores, &owned.fence, puts(vec![put("a", "1", "one"), put("a", "2", "two"), put("b", "1", "other")])).await;
    let keys = [("b", "1"), ("a", "2"), ("a", "9"), ("a", "1"), ("a", "2")].map(|(area, key)| StateKey::new(area, key));
    let found = stores.state.get(&owned.id, &keys).await.unwrap();
    let expected = [Some("other"), Some("two"), None, Some("one"), Some("two")].map(|text| text.map(Bytes::from));
    assert_eq!(found, expected);
    assert_eq!(stores.state.get(&owned.id, &[]).await.unwrap(), Vec::<Option<Bytes>>::new());
}

pub(super) async fn the_last_put_of_a_place_wins(stores: Stores) {
    let owned = stores.owned().await;
    let batch = puts(vec![put("a", "k", "first"), put("a", "other", "x"), put("a", "k", "second"), put("a", "k", "3")]);
    done(&stores, &owned.fence, batch).await;
    assert_eq!(value(&stores, &owned.id, "a", "k").await.unwrap(), "3");
}

pub(super) async fn deletes_come_after_puts(stores: Stores) {
    let owned = stores.owned().await;
    done(&stores, &owned.fence, puts(vec![put("a", "old", "x"), put("a", "kept", "x")])).await;
    let deletes = ["old", "new", "never", "never"].map(|key| StateKey::new("a", key)).to_vec();
    done(&stores, &owned.fence, StateBatch { puts: vec![put("a", "new", "x"), put("a", "old", "y")], deletes }).await;
    let left = stores.state.scan(&owned.id, "a", "").await.unwrap();
    assert_eq!(left, [("kept".to_owned(), Bytes::from("x"))]);
}

pub(super) async fn areas_and_sessions_are_apart(stores: Stores) {
    let (one, two) = (stores.owned().await, stores.owned().await);
    done(&stores, &one.fence, puts(vec![put("a", "k", "1a"), put("b", "k", "1b")])).await;
    done(&stores, &two.fence, puts(vec![put("a", "k", "2a")])).await;
    done(&stores, &one.fence, StateBatch { puts: vec![], deletes: vec![StateKey::new("a", "k")] }).await;
    assert_eq!(value(&stores, &one.id, "a", "k").await, None);
    assert_eq!(value(&stores, &one.id, "b", "k").await.unwrap(), "1b");
    assert_eq!(value(&stores, &two.id, "a", "k").await.unwrap(), "2a");
    assert_eq!(value(&stores, &two.id, "b", "k").await, None);
}

pub(super) async fn a_large_value_fits(stores: Stores) {
    let owned = stores.owned().await;
    // Not compressible, and each byte is told apart from its neighbours.
    let mut seed = 1_u32;
    let large: Vec<u8> = (0..200_000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .collect();
    done(&stores, &owned.fence, puts(vec![put("a", "large", large.clone())])).await;
    assert!(value(&stores, &owned.id, "a", "large").await.unwrap() == large, "200 kB come back as they went");
    let scanned = stores.state.scan(&owned.id, "a", "").await.unwrap();
    assert!(scanned.len() == 1 && scanned[0].1 == large);
}

pub(super) async fn a_batch_of_five_hundred_is_one(stores: Stores) {
    let owned = stores.owned().await;
    let key = |n: usize| format!("{n:04}");
    done(&stores, &owned.fence, puts((0..500).map(|n| put("prekey", &key(n), key(n))).collect())).await;
    let keys: Vec<_> = (0..500).rev().map(|n| StateKey::new("prekey", key(n))).collect();
    let found = stores.state.get(&owned.id, &keys).await.unwrap();
    for (asked, found) in keys.iter().zip(&found) {
        assert_eq!(found.as_deref(), Some(asked.key.as_bytes()));
    }
    assert_eq!(stores.state.scan(&owned.id, "prekey", "").await.unwrap().len(), 500);
    done(&stores, &owned.fence, StateBatch { puts: vec![], deletes: keys }).await;
    assert_eq!(stores.state.scan(&owned.id, "prekey", "").await.unwrap(), []);
}

pub(super) async fn batches_of_one_session_follow_each_other(stores: Stores) {
    let owned = stores.owned().await;
    let delete = StateBatch { puts: vec![], deletes: vec![StateKey::new("a", "gone")] };
    let batches = [
        puts(vec![put("a", "k", "first"), put("a", "gone", "x")]),
        delete,
        puts(vec![put("a", "k", "last"), put("a", "back", "x")]),
    ];
    let batches = batches.map(|batch| (owned.fence.clone(), batch)).to_vec();
    assert_eq!(stores.state.apply(batches).await.unwrap(), [Written::Done; 3]);
    let left = stores.state.scan(&owned.id, "a", "").await.unwrap();
    assert_eq!(left, [("back".to_owned(), Bytes::from("x")), ("k".to_owned(), Bytes::from("last"))]);
}

pub(super) async fn readers_see_a_batch_whole(stores: Stores) {
    let owned = stores.owned().await;
    let mut tasks = JoinSet::new();
    let (writer, fence) = (stores.clone(), owned.fence.clone());
    tasks.spawn(async move {
        for n in 0..50 {
            let text = n.to_string();
            done(&writer, &fence, puts(vec![put("a", "left", text.clone()), put("b", "right", text)])).await;
        }
    });
    tasks.spawn(async move {
        let both = [StateKey::new("a", "left"), StateKey::new("b", "right")];
        for _ in 0..100 {
            let found = stores.state.get(&owned.id, &both).await.unwrap();
            assert_eq!(found[0], found[1], "half of a batch was seen");
            tokio::task::yield_now().await;
        }
    });
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

pub(super) async fn an_empty_batch_is_done(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    assert_eq!(stores.state.apply(vec![]).await.unwrap(), []);
    let batches = vec![(owned.fence, StateBatch::default()), (old, StateBatch::default())];
    let answers = stores.state.apply(batches).await.unwrap();
    assert_eq!(answers, [Written::Done, Written::Fenced], "who is fenced hears of it even with nothing to write");
}
