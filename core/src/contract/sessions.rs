//! The register of sessions: what is written is what is read.

use std::collections::BTreeSet;

use super::Stores;
use super::fixture::{event, now, session, status, tenant, worker};
use crate::domain::{
    Account, Epoch, FailReason, Fence, FirstLink, PhoneNumber, QrCode, Secret, SenderPace, SessionId, SessionState,
    SessionStatus, Timestamp, Wanted,
};
use crate::port::{Created, NewSession, Written};

pub(super) async fn a_new_session_is_as_created(stores: Stores) {
    let (tenant, id, at) = (tenant(), session(), now());
    let new = NewSession::new(id.clone(), tenant.clone(), at);
    let Created::New(record) = stores.sessions.create(new).await.unwrap() else { panic!("it is new") };
    assert_eq!(record.id, id);
    assert_eq!(record.tenant, tenant);
    assert_eq!(record.wanted, Wanted::Running);
    assert_eq!(record.epoch, Epoch(0));
    assert_eq!((record.owner.as_ref(), record.pool.as_ref()), (None, None));
    assert_eq!(record.pace, SenderPace::default());
    assert_eq!(record.status, SessionStatus::created(at));
    assert_eq!(record.created_at, at);
    assert_eq!(stores.sessions.get(&id).await.unwrap(), Some(record));
    assert_eq!(stores.sessions.epoch(&id).await.unwrap(), Some(Epoch(0)));
}

pub(super) async fn creating_again_changes_nothing(stores: Stores) {
    let (first, id) = (tenant(), session());
    let before = stores.created(&first, &id).await;
    let other = tenant();
    let again =
        NewSession { events: vec![event(&other, Some(&id))], ..NewSession::new(id.clone(), other.clone(), now()) };
    assert_eq!(stores.sessions.create(again).await.unwrap(), Created::Exists(before.clone()));
    assert_eq!(stores.sessions.get(&id).await.unwrap(), Some(before));
    assert_eq!(stores.waiting().await, [], "nothing happened, so nothing is told");
}

pub(super) async fn get_of_an_unknown_session_is_none(stores: Stores) {
    let id = session();
    assert_eq!(stores.sessions.get(&id).await.unwrap(), None);
    assert_eq!(stores.sessions.epoch(&id).await.unwrap(), None);
    assert_eq!(stores.sessions.claim(&id, &worker()).await.unwrap(), None);
}

pub(super) async fn pages_hold_every_session_once_in_bytewise_order(stores: Stores) {
    let tenant = tenant();
    // A collation by language would sort these otherwise.
    let mut ids: Vec<SessionId> =
        ["b", "B", "a_1", "a-1", "a1", "A", "aa", "Z", "z", "0"].map(|id| SessionId::new(id).unwrap()).to_vec();
    for id in &ids {
        stores.created(&tenant, id).await;
    }
    ids.sort();
    let mut seen: Vec<SessionId> = Vec::new();
    loop {
        let page = stores.sessions.list(None, seen.last(), 3).await.unwrap();
        assert!(page.len() <= 3, "a page of at most 3 has {}", page.len());
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|record| record.id));
        assert!(seen.len() <= ids.len(), "pages repeat themselves: {seen:?}");
    }
    assert_eq!(seen, ids);
    let all = stores.sessions.list(None, None, 100).await.unwrap();
    assert_eq!(all.len(), ids.len());
    assert_eq!(stores.sessions.get(&ids[4]).await.unwrap().as_ref(), Some(&all[4]), "a list has whole records");
}

pub(super) async fn a_list_of_one_tenant_holds_only_its_own(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let mut ids: Vec<_> = (0..5).map(|_| session()).collect();
    for id in &ids {
        stores.created(&mine, id).await;
        stores.created(&other, &session()).await;
    }
    ids.sort();
    let first = stores.sessions.list(Some(&mine), None, 2).await.unwrap();
    let rest = stores.sessions.list(Some(&mine), Some(&ids[1]), 100).await.unwrap();
    let seen: Vec<_> = first.into_iter().chain(rest).map(|record| record.id).collect();
    assert_eq!(seen, ids);
    assert_eq!(stores.sessions.list(Some(&tenant()), None, 100).await.unwrap(), []);
}

pub(super) async fn every_claim_mints_the_next_epoch(stores: Stores) {
    let id = session();
    let before = stores.created(&tenant(), &id).await;
    for turn in 1..=3 {
        let owner = worker();
        let record = stores.sessions.claim(&id, &owner).await.unwrap().expect("it is there");
        assert_eq!(record.epoch, Epoch(turn));
        assert_eq!(record.owner.as_ref(), Some(&owner));
        assert_eq!(record.status, before.status, "a claim leaves the status alone");
        assert_eq!(stores.sessions.get(&id).await.unwrap(), Some(record));
        assert_eq!(stores.sessions.epoch(&id).await.unwrap(), Some(Epoch(turn)));
    }
}

pub(super) async fn whoever_lets_go_of_a_stopped_session_is_not_its_owner_any_more(stores: Stores) {
    let id = session();
    stores.created(&tenant(), &id).await;
    let former = stores.claim(&id).await;
    let fence = stores.claim(&id).await;
    let owner = async || stores.sessions.get(&id).await.unwrap().unwrap().owner;
    stores.sessions.let_go(&fence).await.unwrap();
    assert!(owner().await.is_some(), "it is wanted running: somebody takes it soon");
    assert!(stores.sessions.want(&id, Wanted::Stopped).await.unwrap());
    stores.sessions.let_go(&former).await.unwrap();
    assert!(owner().await.is_some(), "a former owner has nothing to let go of");
    stores.sessions.let_go(&fence).await.unwrap();
    assert_eq!(owner().await, None);
    assert_eq!(stores.sessions.epoch(&id).await.unwrap(), Some(fence.epoch));
}

pub(super) async fn claims_in_parallel_mint_different_epochs(stores: Stores) {
    let id = session();
    stores.created(&tenant(), &id).await;
    let claims: Vec<_> = (0..8)
        .map(|_| {
            let (sessions, id) = (stores.sessions.clone(), id.clone());
            tokio::spawn(async move { sessions.claim(&id, &worker()).await.unwrap().expect("it is there").epoch.0 })
        })
        .collect();
    let mut epochs = BTreeSet::new();
    for claim in claims {
        assert!(epochs.insert(claim.await.unwrap()), "an epoch was minted twice");
    }
    assert_eq!(epochs, (1..=8).collect());
}

pub(super) async fn an_update_is_read_back_whole(stores: Stores) {
    let owned = stores.owned().await;
    let full = SessionStatus {
        state: SessionState::AwaitingScan,
        since: Timestamp::from_millis(1_700_000_000_123),
        qr: Some(QrCode {
            text: Secret::new("https://wa.me/settings/linked_devices#2@a+b/c==,d\u{e9}".into()),
            expires_at: Timestamp::from_millis(1_700_000_060_123),
        }),
        account: Some(Account { number: PhoneNumber::from_digits("6281234567890".into()).unwrap(), device: 65535 }),
        reason: Some(FailReason::SenderBanned),
        until: Some(Timestamp::from_millis(1_800_000_000_001)),
        first_link: Some(FirstLink {
            number: PhoneNumber::from_digits("6281234567891".into()).unwrap(),
            at: Timestamp::from_millis(1_600_000_000_009),
        }),
    };
    for wanted in [full, SessionStatus { state: SessionState::ScanTimedOut, ..status(7) }] {
        assert_eq!(stores.sessions.update(&owned.fence, &wanted, &[]).await.unwrap(), Written::Done);
        let record = stores.sessions.get(&owned.id).await.unwrap().unwrap();
        assert_eq!(record.status, wanted);
        let listed = stores.sessions.list(None, None, 10).await.unwrap();
        assert_eq!(listed, [record], "a list tells the same");
    }
    for state in SessionState::ALL {
        let wanted = SessionStatus { state, ..status(8) };
        assert_eq!(stores.sessions.update(&owned.fence, &wanted, &[]).await.unwrap(), Written::Done);
        assert_eq!(stores.sessions.get(&owned.id).await.unwrap().unwrap().status.state, state);
    }
}

pub(super) async fn an_update_keeps_what_the_owner_does_not_write(stores: Stores) {
    let owned = stores.owned().await;
    assert!(stores.sessions.want(&owned.id, Wanted::Stopped).await.unwrap());
    let before = stores.sessions.get(&owned.id).await.unwrap().unwrap();
    let new = SessionStatus { state: SessionState::LoggedOut, ..status(9) };
    assert_eq!(stores.sessions.update(&owned.fence, &new, &[]).await.unwrap(), Written::Done);
    let after = stores.sessions.get(&owned.id).await.unwrap().unwrap();
    let mut expected = before;
    expected.status = new;
    assert_eq!(after, expected);
}

pub(super) async fn a_rest_stops_what_runs_and_nothing_else(stores: Stores) {
    let owned = stores.owned().await;
    let late = Fence { epoch: Epoch(owned.fence.epoch.0 + 1), ..owned.fence.clone() };
    assert_eq!(stores.sessions.rest(&late, Wanted::Running).await.unwrap(), Written::Fenced);
    let wanted = async || stores.sessions.get(&owned.id).await.unwrap().unwrap().wanted;
    assert_eq!(wanted().await, Wanted::Running, "a refused rest changes nothing");
    assert_eq!(stores.sessions.rest(&owned.fence, Wanted::Running).await.unwrap(), Written::Done);
    assert_eq!(wanted().await, Wanted::Stopped);
    for other in [Wanted::Stopped, Wanted::LoggedOut, Wanted::Deleted] {
        stores.sessions.want(&owned.id, other).await.unwrap();
        assert_eq!(stores.sessions.rest(&owned.fence, Wanted::Running).await.unwrap(), Written::Conflict);
        assert_eq!(wanted().await, other, "a wish that came meanwhile stays");
    }
    stores.sessions.want(&owned.id, Wanted::LoggedOut).await.unwrap();
    assert_eq!(stores.sessions.rest(&owned.fence, Wanted::LoggedOut).await.unwrap(), Written::Done);
    assert_eq!(wanted().await, Wanted::Stopped, "what was done is not to be done again");
}

pub(super) async fn want_is_kept_and_tells_whether_there_is_such_a_session(stores: Stores) {
    let id = session();
    assert!(!stores.sessions.want(&id, Wanted::Stopped).await.unwrap());
    assert_eq!(stores.sessions.get(&id).await.unwrap(), None, "a wish creates nothing");
    let before = stores.created(&tenant(), &id).await;
    for wanted in [Wanted::Stopped, Wanted::Running, Wanted::LoggedOut, Wanted::Deleted] {
        assert!(stores.sessions.want(&id, wanted).await.unwrap());
        let mut expected = before.clone();
        expected.wanted = wanted;
        assert_eq!(stores.sessions.get(&id).await.unwrap(), Some(expected));
    }
    let claimed = stores.sessions.claim(&id, &worker()).await.unwrap().unwrap();
    assert_eq!(claimed.wanted, Wanted::Deleted, "a claim keeps the wish and tells it");
}
