//! Sessions as a whole: copied, planted, taken out, called otherwise; each all of it or nothing.

use std::sync::Arc;

use super::Stores;
use super::fixture::{entry, event, job, now, number, session};
use super::stores::Owned;
use super::suite::checks;
use crate::domain::{
    Account, Epoch, Fence, Labels, OwnLimits, PaceState, SenderPace, SessionId, SessionName, SessionState,
    SessionStatus, Spent, Timestamp, Wanted,
};
use crate::port::{
    Acquaintance, Acquaintances, LedgerWrite, NewSession, Planted, SessionCopy, SessionEntry, SessionVault, StateBatch,
    StateKey, StatePut, Written,
};

/// The vault and the ports of the same store.
#[derive(Clone)]
pub struct VaultPorts {
    /// The vault.
    pub vault: Arc<dyn SessionVault>,
    /// The other ports.
    pub stores: Stores,
}

impl VaultPorts {
    /// A session with Signal state, a linked account and something spent; stopped, and claimed.
    async fn full(&self) -> (Owned, Vec<(StateKey, &'static [u8])>) {
        let owned = self.stores.owned().await;
        let values = vec![
            (StateKey::new("device", ""), &b"device"[..]),
            (StateKey::new("identity", "6281234567890@s.whatsapp.net\0x"), &[0, 255, 7][..]),
            (StateKey::new("prekey", "0000000001"), &b"one"[..]),
        ];
        let puts = values.iter().map(|(at, value)| StatePut {
            at: at.clone(),
            value: value.to_vec().into(),
            expires_at: (at.area == "prekey").then(|| Timestamp::from_millis(77)),
        });
        let batch = StateBatch { puts: puts.collect(), deletes: Vec::new() };
        let applied = self.stores.state.apply(vec![(owned.fence.clone(), batch)]).await.unwrap();
        assert_eq!(applied, [Written::Done]);
        let mut status = SessionStatus::created(now());
        status.state = SessionState::Connected;
        status.link(Account { number: number(), device: 3 }, now());
        assert_eq!(self.stores.sessions.update(&owned.fence, &status, &[]).await.unwrap(), Written::Done);
        assert!(self.stores.sessions.want(&owned.id, Wanted::Stopped).await.unwrap());
        (owned, values)
    }

    async fn copy(&self, id: &SessionId) -> SessionCopy {
        self.vault.copy(id).await.unwrap().expect("it is there")
    }

    /// The values of a session, as its owner reads them.
    async fn values(&self, id: &SessionId, at: &[(StateKey, &'static [u8])]) -> Vec<Option<Vec<u8>>> {
        let keys: Vec<_> = at.iter().map(|(key, _)| key.clone()).collect();
        let found = self.stores.state.get(id, &keys).await.unwrap();
        found.into_iter().map(|value| value.map(|value| value.to_vec())).collect()
    }
}

/// The entry that a copy makes under another id.
fn entry_of(copy: SessionCopy, id: &SessionId) -> SessionEntry {
    let SessionCopy { record, default, state } = copy;
    SessionEntry {
        id: id.clone(),
        tenant: record.tenant.clone(),
        pool: record.pool,
        name: record.name,
        labels: record.labels,
        wanted: Wanted::Stopped,
        default,
        limits: record.limits,
        pace: record.pace,
        status: record.status,
        created_at: record.created_at,
        state,
        known: Acquaintances::default(),
        events: vec![event(&record.tenant, Some(id))],
    }
}

/// Checks a store's vault.
pub async fn session_vault(make: impl AsyncFn() -> VaultPorts) {
    checks!(
        "session vault",
        make,
        [
            a_copy_has_all_and_is_planted_whole,
            a_taken_id_and_a_fence_that_does_not_hold_change_nothing,
            a_session_in_the_place_of_another_goes_on_from_its_epoch,
            what_is_taken_out_is_gone_and_its_owner_shut_out,
            what_names_the_old_id_names_the_new_one,
        ]
    );
}

async fn a_copy_has_all_and_is_planted_whole(ports: VaultPorts) {
    let (owned, values) = ports.full().await;
    assert!(ports.vault.copy(&session()).await.unwrap().is_none());
    let copy = ports.copy(&owned.id).await;
    assert_eq!(Some(&copy.record), ports.stores.sessions.get(&owned.id).await.unwrap().as_ref());
    assert!(!copy.default);
    let seen: Vec<_> = copy.state.iter().map(|value| (&*value.area, &*value.key, value.value.as_ref())).collect();
    let expected: Vec<_> = values.iter().map(|(at, value)| (at.area, &*at.key, *value)).collect();
    assert_eq!(seen, expected);
    assert_eq!(copy.state[2].expires_at, Some(Timestamp::from_millis(77)));

    let (new, met, got_bulk) = (session(), number(), number());
    let mut entry = entry_of(copy, &new);
    entry.default = true;
    entry.name = Some(SessionName::new("Toko").unwrap());
    entry.labels = Labels::new([("team".to_owned(), "a".to_owned())].into()).unwrap();
    entry.limits = OwnLimits { per_day: Some(70), ..OwnLimits::default() };
    entry.pace = SenderPace { next: PaceState(u64::MAX - 3), turn: 9, ..SenderPace::default() };
    entry.known = Acquaintances { met: vec![met.clone(), got_bulk.clone()], bulk: vec![got_bulk.clone()] };
    assert_eq!(ports.vault.plant(&entry, None).await.unwrap(), Planted::Done);
    let record = ports.stores.sessions.get(&new).await.unwrap().unwrap();
    assert_eq!((record.status, record.pace, record.owner), (entry.status, entry.pace, None));
    assert_eq!((record.name, record.labels, record.wanted), (entry.name, entry.labels, Wanted::Stopped));
    assert_eq!(record.limits, entry.limits);
    assert_eq!(ports.stores.sessions.default_of(&owned.tenant).await.unwrap().as_ref(), Some(&new));
    let expected: Vec<_> = values.iter().map(|(_, value)| Some(value.to_vec())).collect();
    assert_eq!(ports.values(&new, &values).await, expected);
    let known = ports.vault.acquainted(&new, &[met.clone(), number(), got_bulk.clone()]).await.unwrap();
    let [bulk, just_met] = [true, false].map(|bulk| Acquaintance { met: true, bulk });
    assert_eq!(known, [just_met, Acquaintance::default(), bulk]);
    assert_eq!(ports.stores.ledger.met(&new, std::slice::from_ref(&met)).await.unwrap(), [true]);
    assert_eq!(ports.stores.ledger.met(&owned.id, &[met]).await.unwrap(), [false]);
    let told = ports.stores.outbox.pending(Timestamp::from_millis(i64::MAX), 100).await.unwrap();
    assert!(told.iter().any(|event| event.session.as_ref() == Some(&new)), "nobody was told");
}

async fn a_taken_id_and_a_fence_that_does_not_hold_change_nothing(ports: VaultPorts) {
    let (owned, values) = ports.full().await;
    let other = ports.stores.owned().await;
    let entry = entry_of(ports.copy(&owned.id).await, &other.id);
    assert_eq!(ports.vault.plant(&entry, None).await.unwrap(), Planted::Exists);
    assert_eq!(ports.vault.change_id(&owned.fence, &entry).await.unwrap(), Planted::Exists);
    // The one that is there is wanted running, then it has another owner.
    assert_eq!(ports.vault.plant(&entry, Some(&other.fence)).await.unwrap(), Planted::Fenced);
    assert_eq!(ports.vault.take_out(&other.fence).await.unwrap(), Written::Conflict);
    assert!(ports.stores.sessions.want(&other.id, Wanted::Stopped).await.unwrap());
    ports.stores.claim(&other.id).await;
    assert_eq!(ports.vault.plant(&entry, Some(&other.fence)).await.unwrap(), Planted::Fenced);
    assert_eq!(ports.vault.take_out(&other.fence).await.unwrap(), Written::Fenced);
    assert_eq!(ports.values(&other.id, &values).await, [None, None, None]);
    let new = entry_of(ports.copy(&owned.id).await, &session());
    ports.stores.claim(&owned.id).await;
    assert_eq!(ports.vault.change_id(&owned.fence, &new).await.unwrap(), Planted::Fenced);
    assert!(ports.stores.sessions.get(&new.id).await.unwrap().is_none());
    let gone = Fence { session: session(), epoch: Epoch(1) };
    assert_eq!(ports.vault.take_out(&gone).await.unwrap(), Written::Conflict);
    assert_eq!(ports.vault.change_id(&gone, &new).await.unwrap(), Planted::Fenced);
}

async fn a_session_in_the_place_of_another_goes_on_from_its_epoch(ports: VaultPorts) {
    let (owned, values) = ports.full().await;
    let other = ports.stores.owned().await;
    let fence = ports.stores.claim(&other.id).await;
    assert!(ports.stores.sessions.want(&other.id, Wanted::Stopped).await.unwrap());
    let left = StateBatch {
        puts: vec![StatePut { at: StateKey::new("sent", "x"), value: "old".into(), expires_at: None }],
        deletes: Vec::new(),
    };
    assert_eq!(ports.stores.state.apply(vec![(fence.clone(), left)]).await.unwrap(), [Written::Done]);
    let entry = entry_of(ports.copy(&owned.id).await, &other.id);
    assert_eq!(ports.vault.plant(&entry, Some(&fence)).await.unwrap(), Planted::Done);
    assert_eq!(ports.copy(&other.id).await.state.len(), values.len(), "nothing is left of the one before");
    assert!(ports.stores.claim(&other.id).await.epoch > fence.epoch);
}

async fn what_is_taken_out_is_gone_and_its_owner_shut_out(ports: VaultPorts) {
    let (owned, _) = ports.full().await;
    assert_eq!(ports.vault.take_out(&owned.fence).await.unwrap(), Written::Done);
    assert!(ports.stores.sessions.get(&owned.id).await.unwrap().is_none());
    assert!(ports.vault.copy(&owned.id).await.unwrap().is_none());
    ports.stores.sessions.create(NewSession::new(owned.id.clone(), owned.tenant, now())).await.unwrap();
    assert!(ports.stores.claim(&owned.id).await.epoch > owned.fence.epoch);
    assert!(ports.copy(&owned.id).await.state.is_empty());
}

async fn what_names_the_old_id_names_the_new_one(ports: VaultPorts) {
    let (owned, values) = ports.full().await;
    let (key, other_key, met) = (job(&owned.tenant), job(&owned.tenant), number());
    let mine = entry(&key, Some(&owned.id));
    let write = LedgerWrite {
        fence: Some(owned.fence.clone()),
        entry: mine.clone(),
        spent: Some(Spent { met: Some(met.clone()), ..Spent::from(SenderPace { turn: 4, ..SenderPace::default() }) }),
        events: Vec::new(),
    };
    let stranger =
        LedgerWrite { fence: None, entry: entry(&other_key, Some(&session())), spent: None, events: Vec::new() };
    assert_eq!(ports.stores.ledger.write(vec![write, stranger]).await.unwrap(), [Written::Done, Written::Done]);
    assert!(ports.stores.sessions.make_default(&owned.tenant, Some(&owned.id)).await.unwrap());

    let new = session();
    let copy = ports.copy(&owned.id).await;
    assert!(copy.default);
    let renamed = SessionEntry {
        known: Acquaintances { met: vec![met.clone()], bulk: Vec::new() },
        wanted: Wanted::Running,
        ..entry_of(copy, &new)
    };
    assert_eq!(ports.vault.change_id(&owned.fence, &renamed).await.unwrap(), Planted::Done);
    assert!(ports.stores.sessions.get(&owned.id).await.unwrap().is_none());
    let record = ports.stores.sessions.get(&new).await.unwrap().unwrap();
    assert_eq!((record.wanted, record.pace.turn), (Wanted::Running, 4));
    assert_eq!(ports.stores.sessions.default_of(&owned.tenant).await.unwrap().as_ref(), Some(&new));
    let expected: Vec<_> = values.iter().map(|(_, value)| Some(value.to_vec())).collect();
    assert_eq!(ports.values(&new, &values).await, expected);
    assert_eq!(ports.stores.ledger.met(&new, &[met]).await.unwrap(), [true]);
    let found = ports.stores.ledger.get(&[key, other_key]).await.unwrap();
    let [Some(followed), Some(stranger)] = &found[..] else { panic!("an entry is gone") };
    assert_eq!((followed.session.as_ref(), followed.version), (Some(&new), 2));
    assert_ne!(stranger.session.as_ref(), Some(&new));
    let by_message = ports.stores.ledger.by_message(&new, std::slice::from_ref(&mine.message_id)).await.unwrap();
    assert_eq!(by_message[0].as_ref().map(|entry| &entry.key), Some(&mine.key));
    assert_eq!(ports.stores.ledger.by_message(&owned.id, &[mine.message_id]).await.unwrap(), [None]);
    // The former owner can write nothing, neither there nor here.
    let late = StateBatch {
        puts: vec![StatePut { at: StateKey::new("sent", "x"), value: "late".into(), expires_at: None }],
        deletes: Vec::new(),
    };
    assert_ne!(ports.stores.state.apply(vec![(owned.fence, late)]).await.unwrap(), [Written::Done]);
    assert_eq!(ports.copy(&new).await.state.len(), values.len());
}
