//! The register of sessions: who may not write.

use bytes::Bytes;

use super::Stores;
use super::fixture::{entry, event, job, session, status, worker};
use super::media;
use crate::domain::{Epoch, Fence, MediaId, MediaState, SessionState, SessionStatus, Wanted};
use crate::port::{PiecePut, StateBatch, StateKey, StatePut, Written};

fn one_value() -> StateBatch {
    let put = StatePut { at: StateKey::new("a", "k"), value: Bytes::from_static(b"v"), expires_at: None };
    StateBatch { puts: vec![put], deletes: vec![] }
}

pub(super) async fn an_old_owner_updates_nothing(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    let before = stores.sessions.get(&owned.id).await.unwrap();
    let new = SessionStatus { state: SessionState::LoggedOut, ..status(1) };
    let told = [event(&owned.tenant, Some(&owned.id))];
    assert_eq!(stores.sessions.update(&old, &new, &told).await.unwrap(), Written::Fenced);
    assert_eq!(stores.sessions.get(&owned.id).await.unwrap(), before);
    assert_eq!(stores.waiting().await, [], "nothing was written, so nothing is told");
    assert_eq!(stores.sessions.update(&owned.fence, &new, &told).await.unwrap(), Written::Done);
    assert_eq!(stores.waiting().await, told);
}

pub(super) async fn an_epoch_never_minted_updates_nothing(stores: Stores) {
    let owned = stores.owned().await;
    let before = stores.sessions.get(&owned.id).await.unwrap();
    let ahead = Fence { session: owned.id.clone(), epoch: Epoch(owned.fence.epoch.0 + 1) };
    assert_eq!(stores.sessions.update(&ahead, &status(1), &[]).await.unwrap(), Written::Fenced);
    let nobody = Fence { session: session(), epoch: Epoch(1) };
    assert_eq!(stores.sessions.update(&nobody, &status(1), &[]).await.unwrap(), Written::Fenced);
    assert_eq!(stores.sessions.get(&owned.id).await.unwrap(), before);
    assert_eq!(stores.sessions.get(&nobody.session).await.unwrap(), None);
}

pub(super) async fn delete_needs_the_wish(stores: Stores) {
    let owned = stores.owned().await;
    for wanted in [Wanted::Running, Wanted::Stopped] {
        stores.sessions.want(&owned.id, wanted).await.unwrap();
        assert_eq!(stores.sessions.delete(&owned.fence).await.unwrap(), Written::Conflict);
        assert!(stores.sessions.get(&owned.id).await.unwrap().is_some());
    }
    stores.sessions.want(&owned.id, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&owned.fence).await.unwrap(), Written::Done);
    assert_eq!(stores.sessions.get(&owned.id).await.unwrap(), None);
    assert_eq!(stores.sessions.delete(&owned.fence).await.unwrap(), Written::Conflict, "it is not there any more");
}

pub(super) async fn an_old_owner_deletes_nothing(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    stores.state.apply(vec![(owned.fence.clone(), one_value())]).await.unwrap();
    stores.sessions.want(&owned.id, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&old).await.unwrap(), Written::Fenced);
    assert!(stores.sessions.get(&owned.id).await.unwrap().is_some());
    assert_eq!(stores.state.scan(&owned.id, "a", "").await.unwrap().len(), 1);
}

pub(super) async fn delete_removes_the_session_with_its_state_only(stores: Stores) {
    let (gone, kept) = (stores.owned().await, stores.owned().await);
    for owned in [&gone, &kept] {
        stores.state.apply(vec![(owned.fence.clone(), one_value())]).await.unwrap();
    }
    let sent = entry(&job(&gone.tenant), Some(&gone.id));
    assert_eq!(stores.write(Some(&gone.fence), &sent).await, Written::Done);
    let told = [event(&gone.tenant, Some(&gone.id))];
    stores.outbox.add(&told).await.unwrap();

    stores.sessions.want(&gone.id, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&gone.fence).await.unwrap(), Written::Done);
    assert_eq!(stores.state.scan(&gone.id, "a", "").await.unwrap(), []);
    assert_eq!(stores.sessions.epoch(&gone.id).await.unwrap(), None);
    assert_eq!(stores.state.scan(&kept.id, "a", "").await.unwrap().len(), 1);
    assert!(stores.sessions.get(&kept.id).await.unwrap().is_some());
    assert!(stores.entry(&sent).await.is_some(), "what was sent stays in the ledger");
    assert_eq!(stores.waiting().await, told, "what was to be told is told");

    let late = stores.state.apply(vec![(gone.fence.clone(), one_value())]).await.unwrap();
    assert_eq!(late, [Written::Fenced], "nobody writes to a deleted session");
    assert_eq!(stores.state.scan(&gone.id, "a", "").await.unwrap(), []);
}

pub(super) async fn a_session_created_anew_is_empty(stores: Stores) {
    let owned = stores.owned().await;
    stores.state.apply(vec![(owned.fence.clone(), one_value())]).await.unwrap();
    stores.sessions.want(&owned.id, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&owned.fence).await.unwrap(), Written::Done);
    let anew = stores.created(&owned.tenant, &owned.id).await;
    assert_eq!((anew.owner, anew.wanted), (None, Wanted::Running));
    assert_eq!(anew.status.state, SessionState::Created);
    assert_eq!(stores.state.scan(&owned.id, "a", "").await.unwrap(), []);
    let answer = stores.sessions.update(&owned.fence, &status(1), &[]).await.unwrap();
    assert_eq!(answer, Written::Fenced, "the owner of the deleted session does not own the new one");
    let claimed = stores.sessions.claim(&owned.id, &worker()).await.unwrap().unwrap();
    assert!(claimed.epoch > owned.fence.epoch, "the first claim goes on from the deleted session's epoch");
    let answer = stores.sessions.update(&owned.fence, &status(1), &[]).await.unwrap();
    assert_eq!(answer, Written::Fenced, "not even once the new one was claimed");
}

pub(super) async fn files_that_came_in_go_under_their_sessions_fence(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    let tenant = &owned.tenant;
    let (kept, uploaded) = (stores.owned().await, media::record(tenant, None, MediaState::Filling));
    let of = |session, state| media::record(tenant, Some(session), state);
    let theirs = [MediaState::Filling, MediaState::Awaited, MediaState::Ready, MediaState::Lost];
    let theirs = theirs.map(|state| of(&owned.id, state));
    let others = [of(&kept.id, MediaState::Filling), uploaded];
    for file in theirs.iter().chain(&others) {
        assert!(stores.media.enter_media(file).await.unwrap());
        let put = if file.state.is_final() { PiecePut::Gone } else { PiecePut::Done };
        assert_eq!(stores.media.put_piece(file.id, 0, Bytes::from_static(b"x"), u64::MAX).await.unwrap(), put);
    }
    let there = async |id: MediaId| stores.media.media(tenant, id).await.unwrap().is_some();
    assert_eq!(stores.media.remove_media_of(&old, 10).await.unwrap(), None, "an old owner removes nothing");
    for file in &theirs {
        assert!(there(file.id).await);
    }
    for removed in [3, 1, 0] {
        assert_eq!(stores.media.remove_media_of(&owned.fence, 3).await.unwrap(), Some(removed));
    }
    for file in &theirs {
        assert!(!there(file.id).await);
        assert_eq!(stores.media.piece(file.id, 0).await.unwrap(), None);
    }
    for file in &others {
        assert!(there(file.id).await, "it is not of this session");
        assert!(stores.media.piece(file.id, 0).await.unwrap().is_some());
    }
    let nobody = Fence { session: session(), epoch: Epoch(1) };
    assert_eq!(stores.media.remove_media_of(&nobody, 10).await.unwrap(), None);
}
