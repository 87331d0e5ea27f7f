//! The register of API keys.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Stores;
use super::fixture::{now, session, tenant};
use crate::domain::{ApiKeyRecord, KeyId, Scope, TenantId};

fn key(tenant: &TenantId) -> ApiKeyRecord {
    ApiKeyRecord {
        id: KeyId::new(session().as_str()).unwrap(),
        tenant: tenant.clone(),
        label: "toko \u{1f600} 'x' \"y\"".into(),
        hash: std::array::from_fn(|at| u8::try_from(at * 8).unwrap()),
        scopes: BTreeSet::from([Scope::Send, Scope::Read]),
        sessions: Some(BTreeSet::from([session(), session()])),
        created_at: now(),
        until: None,
    }
}

pub(super) async fn a_key_is_read_back_whole(stores: Stores) {
    let tenant = tenant();
    let full = key(&tenant);
    let bare = ApiKeyRecord {
        label: String::new(),
        scopes: BTreeSet::new(),
        sessions: None,
        until: Some(now()),
        ..key(&tenant)
    };
    assert_eq!(stores.keys.key(&full.id).await.unwrap(), None);
    for wanted in [&full, &bare] {
        assert!(stores.keys.add_key(wanted).await.unwrap());
        assert_eq!(stores.keys.key(&wanted.id).await.unwrap().as_ref(), Some(wanted));
    }
}

pub(super) async fn an_id_is_used_once(stores: Stores) {
    let (first, other) = (key(&tenant()), key(&tenant()));
    assert!(stores.keys.add_key(&first).await.unwrap());
    assert!(!stores.keys.add_key(&ApiKeyRecord { id: first.id.clone(), ..other }).await.unwrap());
    assert_eq!(stores.keys.key(&first.id).await.unwrap(), Some(first));
}

pub(super) async fn each_tenant_has_its_keys(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let mut keys = vec![key(&mine), key(&mine), key(&mine)];
    for key in keys.iter().chain([&key(&other)]) {
        assert!(stores.keys.add_key(key).await.unwrap());
    }
    keys.sort_by(|one, two| one.id.cmp(&two.id));
    assert_eq!(stores.keys.keys(Some(&mine)).await.unwrap(), keys);
    let all = stores.keys.keys(None).await.unwrap();
    assert!(keys.iter().all(|key| all.contains(key)) && all.len() > keys.len());
    assert_eq!(stores.keys.keys(Some(&tenant())).await.unwrap(), []);
}

pub(super) async fn a_key_ends_and_never_later_than_it_would(stores: Stores) {
    let ended = key(&tenant());
    assert!(stores.keys.add_key(&ended).await.unwrap());
    let (soon, later) = (now().plus(Duration::from_secs(5)), now().plus(Duration::from_mins(1)));
    for (at, until) in [(later, later), (soon, soon), (later, soon)] {
        let told = stores.keys.end_key(&ended.id, at).await.unwrap().expect("it is there");
        assert_eq!(told, ApiKeyRecord { until: Some(until), ..ended.clone() });
        assert_eq!(stores.keys.key(&ended.id).await.unwrap(), Some(told));
    }
    assert_eq!(stores.keys.end_key(&KeyId::new("nobodys").unwrap(), soon).await.unwrap(), None);
}
