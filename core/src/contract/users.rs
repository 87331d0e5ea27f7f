//! The register of users, and their sign-ins.

use std::time::Duration;

use uuid::Uuid;

use super::Stores;
use super::fixture::{now, tenant};
use crate::domain::{Secret, SignInRecord, TenantId, UserName, UserRecord, UserRole};
use crate::port::UserChange;

fn hash() -> Secret<String> {
    Secret::new(format!("$argon2id$v=19$m=8,t=1,p=1${}", Uuid::new_v4().simple()))
}

fn user(tenant: &TenantId) -> UserRecord {
    UserRecord {
        name: UserName::new(format!("u{}@toko.example", Uuid::new_v4().simple())).unwrap(),
        tenant: tenant.clone(),
        role: UserRole::Admin,
        password: hash(),
        created_at: now(),
        changed_at: now(),
    }
}

fn sign_in(user: &UserRecord) -> SignInRecord {
    let mut mark = [0; 32];
    mark[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    mark[16..].copy_from_slice(Uuid::new_v4().as_bytes());
    let at = now();
    let until = at.plus(Duration::from_hours(2));
    SignInRecord { mark, user: user.name.clone(), created_at: at, seen_at: at, until }
}

impl Stores {
    /// Enters a user of a new tenant.
    async fn entered_user(&self) -> UserRecord {
        let user = user(&tenant());
        assert!(self.users.add_user(&user).await.unwrap());
        user
    }

    /// Enters a sign-in of a user.
    async fn signed_in(&self, user: &UserRecord) -> SignInRecord {
        let sign_in = sign_in(user);
        assert!(self.users.begin_sign_in(&sign_in, &user.password).await.unwrap());
        sign_in
    }
}

pub(super) async fn a_user_is_read_back_whole(stores: Stores) {
    let admin = user(&tenant());
    let viewer =
        UserRecord { role: UserRole::Viewer, changed_at: now().plus(Duration::from_secs(1)), ..user(&tenant()) };
    assert_eq!(stores.users.user(&admin.name).await.unwrap(), None);
    for wanted in [&admin, &viewer] {
        assert!(stores.users.add_user(wanted).await.unwrap());
        assert_eq!(stores.users.user(&wanted.name).await.unwrap().as_ref(), Some(wanted));
    }
}

pub(super) async fn a_users_name_is_used_once_in_the_fleet(stores: Stores) {
    let first = stores.entered_user().await;
    let other = UserRecord { name: first.name.clone(), ..user(&tenant()) };
    assert!(!stores.users.add_user(&other).await.unwrap());
    assert_eq!(stores.users.user(&first.name).await.unwrap(), Some(first));
}

pub(super) async fn each_tenant_has_its_users(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let mut users = vec![user(&mine), user(&mine), user(&mine)];
    for user in users.iter().chain([&user(&other)]) {
        assert!(stores.users.add_user(user).await.unwrap());
    }
    users.sort_by(|one, two| one.name.cmp(&two.name));
    assert_eq!(stores.users.users(Some(&mine)).await.unwrap(), users);
    let all = stores.users.users(None).await.unwrap();
    assert!(users.iter().all(|user| all.contains(user)) && all.len() > users.len());
    assert_eq!(stores.users.users(Some(&tenant())).await.unwrap(), []);
}

pub(super) async fn a_new_role_leaves_sign_ins_and_a_new_password_ends_them(stores: Stores) {
    let (before, other) = (stores.entered_user().await, stores.entered_user().await);
    let (first, second) = (stores.signed_in(&before).await, stores.signed_in(&before).await);
    let others = stores.signed_in(&other).await;
    let at = now().plus(Duration::from_secs(5));
    let role = UserChange { role: Some(UserRole::Viewer), password: None, at };
    let viewer = UserRecord { role: UserRole::Viewer, changed_at: at, ..before.clone() };
    assert_eq!(stores.users.change_user(&before.name, &role).await.unwrap(), Some(viewer.clone()));
    // The sign-in shows its user as they are now.
    assert_eq!(stores.users.sign_in(&first.mark).await.unwrap(), Some((viewer.clone(), first.clone())));

    let at = at.plus(Duration::from_secs(5));
    let password = UserChange { role: None, password: Some(hash()), at };
    let changed = stores.users.change_user(&before.name, &password).await.unwrap().expect("it is there");
    let wanted = UserRecord { password: password.password.clone().unwrap(), changed_at: at, ..viewer };
    assert_eq!(changed, wanted);
    assert_eq!(stores.users.user(&before.name).await.unwrap(), Some(wanted));
    for gone in [&first, &second] {
        assert_eq!(stores.users.sign_in(&gone.mark).await.unwrap(), None);
    }
    assert_eq!(stores.users.sign_in(&others.mark).await.unwrap(), Some((other, others)), "another one's stays");
    assert_eq!(stores.users.change_user(&user(&tenant()).name, &password).await.unwrap(), None);
}

pub(super) async fn a_removed_user_is_gone_with_their_sign_ins(stores: Stores) {
    let (gone, other) = (stores.entered_user().await, stores.entered_user().await);
    let (dead, alive) = (stores.signed_in(&gone).await, stores.signed_in(&other).await);
    assert!(stores.users.remove_user(&gone.name).await.unwrap());
    assert!(!stores.users.remove_user(&gone.name).await.unwrap());
    assert_eq!(stores.users.user(&gone.name).await.unwrap(), None);
    assert_eq!(stores.users.sign_in(&dead.mark).await.unwrap(), None);
    assert!(stores.users.sign_in(&alive.mark).await.unwrap().is_some());
    // Whoever gets the name next gets nothing of theirs.
    assert!(stores.users.add_user(&gone).await.unwrap());
    assert_eq!(stores.users.sign_in(&dead.mark).await.unwrap(), None);
}

pub(super) async fn a_sign_in_begins_with_the_password_of_now_only(stores: Stores) {
    let user = stores.entered_user().await;
    let old = user.password.clone();
    let change = UserChange { role: None, password: Some(hash()), at: now() };
    let user = stores.users.change_user(&user.name, &change).await.unwrap().expect("it is there");
    let late = sign_in(&user);
    assert!(!stores.users.begin_sign_in(&late, &old).await.unwrap());
    assert_eq!(stores.users.sign_in(&late.mark).await.unwrap(), None);
    assert!(stores.users.begin_sign_in(&late, &user.password).await.unwrap());
    assert_eq!(stores.users.sign_in(&late.mark).await.unwrap(), Some((user, late)));
    let nobodys = self::user(&tenant());
    assert!(!stores.users.begin_sign_in(&sign_in(&nobodys), &nobodys.password).await.unwrap());
}

pub(super) async fn a_sign_in_is_prolonged_never_shortened_and_ends_once(stores: Stores) {
    let user = stores.entered_user().await;
    let begun = stores.signed_in(&user).await;
    let (later, until) = (begun.seen_at.plus(Duration::from_mins(5)), begun.until.plus(Duration::from_mins(5)));
    let wanted = SignInRecord { seen_at: later, until, ..begun.clone() };
    for (at, to) in [(later, until), (begun.seen_at, begun.until)] {
        assert!(stores.users.seen(&begun.mark, at, to).await.unwrap());
        assert_eq!(stores.users.sign_in(&begun.mark).await.unwrap(), Some((user.clone(), wanted.clone())));
    }
    assert!(stores.users.end_sign_in(&begun.mark).await.unwrap());
    assert!(!stores.users.end_sign_in(&begun.mark).await.unwrap());
    assert!(!stores.users.seen(&begun.mark, later, until).await.unwrap());
    assert_eq!(stores.users.sign_in(&begun.mark).await.unwrap(), None);
}

pub(super) async fn old_sign_ins_are_forgotten_within_the_limit(stores: Stores) {
    let user = stores.entered_user().await;
    let mut sign_ins = Vec::new();
    for _ in 0..5 {
        sign_ins.push(stores.signed_in(&user).await);
    }
    let end = sign_ins.iter().map(|sign_in| sign_in.until).max().unwrap();
    let kept = &sign_ins[4];
    let (at, until) = (kept.seen_at, end.plus(Duration::from_mins(1)));
    assert!(stores.users.seen(&kept.mark, at, until).await.unwrap());
    let first = sign_ins.iter().map(|sign_in| sign_in.until).min().unwrap();
    assert_eq!(stores.users.forget_sign_ins(first, 100).await.unwrap(), 0);
    let after = end.plus(Duration::from_millis(1));
    for expected in [3, 1, 0] {
        assert_eq!(stores.users.forget_sign_ins(after, 3).await.unwrap(), expected);
    }
    assert!(stores.users.sign_in(&kept.mark).await.unwrap().is_some());
    assert_eq!(stores.users.sign_in(&sign_ins[0].mark).await.unwrap(), None);
}

pub(super) async fn no_sign_in_outlives_a_password_that_changes_meanwhile(stores: Stores) {
    for _ in 0..8 {
        let user = stores.entered_user().await;
        let begun: Vec<_> = (0..8).map(|_| sign_in(&user)).collect();
        let change = UserChange { role: None, password: Some(hash()), at: now() };
        let mut tasks = tokio::task::JoinSet::new();
        for sign_in in begun.clone() {
            let (users, password) = (stores.users.clone(), user.password.clone());
            tasks.spawn(async move { users.begin_sign_in(&sign_in, &password).await.map(|_| ()) });
        }
        let (users, name) = (stores.users.clone(), user.name.clone());
        tasks.spawn(async move { users.change_user(&name, &change).await.map(|_| ()) });
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        for sign_in in &begun {
            assert_eq!(stores.users.sign_in(&sign_in.mark).await.unwrap(), None);
        }
    }
}
