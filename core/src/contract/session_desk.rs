//! The descriptions of sessions: names, labels, notes, restarts, the default, and the list of pools.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::Stores;
use super::fixture::{now, session, status, tenant};
use crate::domain::{
    LabelChange, Labels, OwnLimits, PoolId, SessionId, SessionName, SessionNote, SessionState, SessionStatus, TenantId,
    Wanted,
};
use crate::port::{Created, Described, Description, NewSession, PoolRecord, PoolRemoved, SessionFilter, Written};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Labels::new(pairs.collect()).unwrap()
}

fn change(pairs: &[(&str, Option<&str>)]) -> Description {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)));
    Description { labels: LabelChange::new(pairs.collect()).unwrap(), ..Description::default() }
}

fn name(text: &str) -> SessionName {
    SessionName::new(text).unwrap()
}

fn pool() -> PoolId {
    PoolId::new(session().as_str()).unwrap()
}

pub(super) async fn a_described_session_is_read_back_whole(stores: Stores) {
    let (mine, id) = (tenant(), session());
    let new = NewSession {
        name: Some(name("Toko \"Sari\" – 50 %_é")),
        labels: labels(&[("team", "a:b'c\"d%"), ("x.y", "ü")]),
        wanted: Wanted::Stopped,
        default: true,
        ..NewSession::new(id.clone(), mine.clone(), now())
    };
    let Created::New(record) = stores.sessions.create(new.clone()).await.unwrap() else { panic!("it is new") };
    assert_eq!((&record.name, &record.labels, record.wanted), (&new.name, &new.labels, Wanted::Stopped));
    assert_eq!(record.restarts, 0);
    assert_eq!(stores.sessions.get(&id).await.unwrap(), Some(record.clone()));
    assert_eq!(stores.sessions.default_of(&mine).await.unwrap(), Some(id.clone()));
    let claimed = stores.sessions.claim(&id, &super::fixture::worker()).await.unwrap().unwrap();
    assert_eq!((claimed.name, claimed.labels), (record.name, record.labels), "an owner hears and keeps them");
}

pub(super) async fn a_sessions_own_limits_replace_those_before(stores: Stores) {
    let id = session();
    let before = stores.created(&tenant(), &id).await;
    assert!(before.limits.is_empty());
    let own = OwnLimits { every_ms: Some(1500), burst: NonZeroU32::new(2), per_day: Some(0), ..OwnLimits::default() };
    for limits in [own, OwnLimits { warmed_up: Some(true), ..OwnLimits::default() }] {
        assert!(stores.sessions.limit(&id, &limits).await.unwrap());
        assert_eq!(stores.sessions.get(&id).await.unwrap().unwrap().limits, limits);
        let claimed = stores.sessions.claim(&id, &super::fixture::worker()).await.unwrap().unwrap();
        assert_eq!((claimed.limits, claimed.status), (limits, before.status.clone()), "its next owner goes by them");
        let found = stores.sessions.find(&SessionFilter::default(), None, 10_000).await.unwrap();
        assert!(found.iter().any(|record| record.id == id && record.limits == limits), "a look at all tells them");
    }
    assert!(stores.sessions.limit(&id, &OwnLimits::default()).await.unwrap());
    assert!(stores.sessions.get(&id).await.unwrap().unwrap().limits.is_empty());
    assert!(!stores.sessions.limit(&SessionId::new("nobody").unwrap(), &own).await.unwrap());
}

pub(super) async fn labels_are_merged_and_bounded(stores: Stores) {
    let id = session();
    let before = stores.created(&tenant(), &id).await;
    let read = async || stores.sessions.get(&id).await.unwrap().unwrap();
    let named = Description { name: Some(Some(name("One"))), ..change(&[("a", Some("1")), ("b", Some("2"))]) };
    assert_eq!(stores.sessions.describe(&id, &named).await.unwrap(), Described::Done);
    let step = change(&[("a", None), ("b", Some("3")), ("c", Some("4")), ("none", None)]);
    assert_eq!(stores.sessions.describe(&id, &step).await.unwrap(), Described::Done);
    let after = read().await;
    assert_eq!((after.name, after.labels), (Some(name("One")), labels(&[("b", "3"), ("c", "4")])));
    let mut many: BTreeMap<String, Option<String>> = (0..14).map(|n| (format!("k{n}"), Some("v".to_owned()))).collect();
    let fits = Description { labels: LabelChange::new(many.clone()).unwrap(), ..Description::default() };
    assert_eq!(stores.sessions.describe(&id, &fits).await.unwrap(), Described::Done);
    let full = read().await;
    assert_eq!(full.labels.as_map().len(), Labels::MOST);
    many.insert("one-more".into(), Some("v".into()));
    let over = Description { name: Some(None), labels: LabelChange::new(many).unwrap() };
    assert_eq!(stores.sessions.describe(&id, &over).await.unwrap(), Described::TooManyLabels);
    assert_eq!(read().await, full, "a refused change changes nothing");
    let unnamed = Description { name: Some(None), ..Description::default() };
    assert_eq!(stores.sessions.describe(&id, &unnamed).await.unwrap(), Described::Done);
    let after = read().await;
    assert_eq!((after.name, after.status, after.wanted), (None, before.status, before.wanted));
    assert_eq!(stores.sessions.describe(&session(), &fits).await.unwrap(), Described::Gone);
}

pub(super) async fn a_note_is_read_back_whole_and_goes_with_its_session(stores: Stores) {
    let (mine, one, two) = (tenant(), session(), session());
    let note = |number: Option<&str>, text: Option<&str>| {
        SessionNote::new(number.map(str::to_owned), text.map(str::to_owned), now()).unwrap()
    };
    let first = note(Some("+62 851-1713-2297"), Some("Toko \"Sari\"\n%_é"));
    assert!(!stores.sessions.note(&one, &first).await.unwrap(), "there is no such session");
    stores.created(&mine, &one).await;
    stores.created(&mine, &two).await;
    let read = async || stores.sessions.notes(&[two.clone(), one.clone(), session()]).await.unwrap();
    assert_eq!(read().await, BTreeMap::new());
    assert!(stores.sessions.note(&one, &first).await.unwrap());
    let other = note(None, Some("x"));
    assert!(stores.sessions.note(&two, &other).await.unwrap());
    assert_eq!(read().await, [(one.clone(), first), (two.clone(), other.clone())].into());
    let later = note(Some("085117132297"), None);
    assert!(stores.sessions.note(&one, &later).await.unwrap());
    assert_eq!(read().await[&one], later, "the later note takes the place of the earlier one");
    assert_eq!(stores.sessions.notes(&[]).await.unwrap(), BTreeMap::new());
    let fence = stores.claim(&one).await;
    stores.sessions.want(&one, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&fence).await.unwrap(), Written::Done);
    stores.created(&mine, &one).await;
    assert_eq!(read().await, [(two, other)].into(), "a session of the same id has no note of the one before");
}

pub(super) async fn filters_find_what_fits_all_of_them(stores: Stores) {
    let (mine, other, of_pool) = (tenant(), tenant(), pool());
    assert!(stores.sessions.own_pool(&of_pool, &mine).await.unwrap());
    let mut ids: Vec<SessionId> = (0..3).map(|_| session()).collect();
    ids.sort();
    let make = async |id: &SessionId, tenant: &TenantId, pool: Option<&PoolId>, with: &[(&str, &str)]| {
        let new = NewSession {
            pool: pool.cloned(),
            name: Some(name("same")),
            labels: labels(with),
            ..NewSession::new(id.clone(), tenant.clone(), now())
        };
        stores.sessions.create(new).await.unwrap();
    };
    make(&ids[0], &mine, Some(&of_pool), &[("team", "a"), ("env", "prod")]).await;
    make(&ids[1], &mine, None, &[("team", "a")]).await;
    make(&ids[2], &mine, Some(&of_pool), &[("team", "b")]).await;
    make(&session(), &other, None, &[("team", "a"), ("env", "prod")]).await;
    let fence = stores.claim(&ids[1]).await;
    let connected = SessionStatus { state: SessionState::Connected, ..status(5) };
    assert_eq!(stores.sessions.update(&fence, &connected, &[]).await.unwrap(), Written::Done);
    let all = SessionFilter { tenant: Some(mine.clone()), ..SessionFilter::default() };
    let found = async |filter: SessionFilter| {
        let found = stores.sessions.find(&filter, None, 10).await.unwrap();
        found.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(found(all.clone()).await, ids);
    let by = |with: &[(&str, &str)]| SessionFilter { labels: labels(with), ..all.clone() };
    assert_eq!(found(by(&[("team", "a")])).await, ids[..2]);
    assert_eq!(found(by(&[("team", "a"), ("env", "prod")])).await, ids[..1]);
    assert_eq!(found(by(&[("team", "%")])).await, [], "a value is no pattern");
    assert_eq!(
        found(SessionFilter { pool: Some(of_pool.clone()), ..all.clone() }).await,
        [ids[0].clone(), ids[2].clone()]
    );
    assert_eq!(found(SessionFilter { state: Some(SessionState::Connected), ..all.clone() }).await, ids[1..2]);
    assert_eq!(found(SessionFilter { name: Some(name("same")), ..all.clone() }).await, ids);
    assert_eq!(found(SessionFilter { name: Some(name("Same")), ..all.clone() }).await, []);
    let pooled = SessionFilter { pool: Some(of_pool), ..all };
    let page = stores.sessions.find(&pooled, Some(&ids[0]), 1).await.unwrap();
    assert_eq!(page.iter().map(|record| &record.id).collect::<Vec<_>>(), [&ids[2]], "pages go on after an id");
    assert_eq!(stores.sessions.get(&ids[2]).await.unwrap().as_ref(), page.first(), "whole records are found");
}

pub(super) async fn a_restart_counts_and_wants_running(stores: Stores) {
    let id = session();
    assert!(!stores.sessions.restart(&id).await.unwrap());
    stores.created(&tenant(), &id).await;
    for (turn, wanted) in [(1, Wanted::Running), (2, Wanted::Stopped), (3, Wanted::LoggedOut)] {
        stores.sessions.want(&id, wanted).await.unwrap();
        assert!(stores.sessions.restart(&id).await.unwrap());
        let record = stores.sessions.get(&id).await.unwrap().unwrap();
        assert_eq!((record.restarts, record.wanted), (turn, Wanted::Running));
    }
    let claimed = stores.sessions.claim(&id, &super::fixture::worker()).await.unwrap().unwrap();
    assert_eq!(claimed.restarts, 3, "an owner hears how many there were");
    stores.sessions.want(&id, Wanted::Deleted).await.unwrap();
    assert!(!stores.sessions.restart(&id).await.unwrap(), "what is being deleted stays so");
    let record = stores.sessions.get(&id).await.unwrap().unwrap();
    assert_eq!((record.restarts, record.wanted), (3, Wanted::Deleted));
}

pub(super) async fn a_tenant_has_one_default_and_it_goes_with_its_session(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let (one, two) = (session(), session());
    stores.created(&mine, &one).await;
    stores.created(&mine, &two).await;
    assert_eq!(stores.sessions.default_of(&mine).await.unwrap(), None);
    for id in [&one, &two] {
        assert!(stores.sessions.make_default(&mine, Some(id)).await.unwrap());
        assert_eq!(stores.sessions.default_of(&mine).await.unwrap().as_ref(), Some(id));
    }
    assert!(!stores.sessions.make_default(&other, Some(&one)).await.unwrap(), "it is not theirs");
    assert!(!stores.sessions.make_default(&mine, Some(&session())).await.unwrap());
    assert_eq!(stores.sessions.default_of(&other).await.unwrap(), None);
    assert_eq!(stores.sessions.default_of(&mine).await.unwrap(), Some(two.clone()));
    let new = NewSession { default: true, ..NewSession::new(session(), mine.clone(), now()) };
    let third = new.id.clone();
    stores.sessions.create(new).await.unwrap();
    assert_eq!(stores.sessions.default_of(&mine).await.unwrap(), Some(third.clone()), "the newer one takes its place");
    let fence = stores.claim(&third).await;
    stores.sessions.want(&third, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&fence).await.unwrap(), Written::Done);
    assert_eq!(stores.sessions.default_of(&mine).await.unwrap(), None);
    assert!(stores.sessions.make_default(&mine, Some(&one)).await.unwrap());
    for _ in 0..2 {
        assert!(stores.sessions.make_default(&mine, None).await.unwrap());
        assert_eq!(stores.sessions.default_of(&mine).await.unwrap(), None);
    }
}

pub(super) async fn pools_are_listed_and_go_when_nobody_is_in_them(stores: Stores) {
    let (mine, other, id) = (tenant(), tenant(), session());
    let mut own: Vec<PoolId> = (0..3).map(|_| pool()).collect();
    own.sort();
    for pool in &own {
        assert!(stores.sessions.own_pool(pool, &mine).await.unwrap());
    }
    let foreign = pool();
    assert!(stores.sessions.own_pool(&foreign, &other).await.unwrap());
    stores.created(&mine, &id).await;
    assert!(stores.sessions.join(&id, Some(&own[1])).await.unwrap());
    let record = |at: usize| PoolRecord { id: own[at].clone(), sessions: u64::from(at == 1) };
    assert_eq!(stores.sessions.pools(&mine, None, 10).await.unwrap(), [record(0), record(1), record(2)]);
    for (at, pool) in own.iter().enumerate() {
        assert_eq!(stores.sessions.pool(pool, &mine).await.unwrap(), Some(record(at)));
        assert_eq!(stores.sessions.pool(pool, &other).await.unwrap(), None);
    }
    assert_eq!(stores.sessions.pools(&mine, Some(&own[0]), 1).await.unwrap(), [record(1)]);

    assert_eq!(stores.sessions.remove_pool(&own[1], &mine).await.unwrap(), PoolRemoved::InUse);
    assert_eq!(stores.sessions.remove_pool(&own[1], &other).await.unwrap(), PoolRemoved::Gone);
    assert_eq!(stores.sessions.remove_pool(&foreign, &mine).await.unwrap(), PoolRemoved::Gone);
    assert!(stores.sessions.join(&id, None).await.unwrap());
    assert_eq!(stores.sessions.remove_pool(&own[1], &mine).await.unwrap(), PoolRemoved::Done);
    assert_eq!(stores.sessions.remove_pool(&own[1], &mine).await.unwrap(), PoolRemoved::Gone);
    assert_eq!(stores.sessions.pool_of(&own[1]).await.unwrap(), None);
    assert_eq!(stores.sessions.pools(&mine, None, 10).await.unwrap(), [record(0), record(2)]);
    assert!(stores.sessions.own_pool(&own[1], &other).await.unwrap(), "the name is free again");
}
