//! The users' page, and what each role may do.

use kurir_core::domain::UserRole;
use kurir_core::port::UserStore as _;

use super::browser::{Browser, PASSWORD, add_user, user_name};
use crate::fixture::Fixture;

const OTHER: &str = "kata sandi yang lain";

#[test]
fn an_admin_adds_changes_and_removes_users_of_the_tenant() {
    let it = Fixture::new();
    add_user(&it, "budi", "acme", UserRole::Admin);
    add_user(&it, "outsider", "other", UserRole::Admin);
    let browser = Browser::of(&it, "budi");
    let user = |name: &str| it.runtime.block_on(it.stores.user(&user_name(name))).unwrap();
    let added =
        browser.post("/admin/users", &[("name", " Siti@Toko.example "), ("role", "viewer"), ("password", OTHER)]);
    assert_eq!((added.status, added.header("location")), (303, Some("/admin/users?done=added")));
    let siti = user("siti@toko.example").unwrap();
    assert_eq!((siti.tenant.as_str(), siti.role), ("acme", UserRole::Viewer));
    let page = browser.get("/admin/users?done=added").text();
    assert!(page.contains("siti@toko.example") && page.contains("has been added"), "{page}");
    assert!(
        !page.contains("outsider") && !page.contains("argon2"),
        "another tenant's, and hashes, are nobody's business"
    );

    let place = "/admin/users/siti@toko.example";
    assert_eq!(browser.post(&format!("{place}/role"), &[("role", "admin")]).status, 303);
    assert_eq!(user("siti@toko.example").unwrap().role, UserRole::Admin);
    let theirs = Browser::new(&it);
    assert_eq!(theirs.sign_in("siti@toko.example", OTHER).status, 303);
    assert_eq!(browser.post(&format!("{place}/password"), &[("password", PASSWORD)]).status, 303);
    assert!(!theirs.is_in(), "a new password signs out");
    assert_eq!(theirs.sign_in("siti@toko.example", OTHER).status, 401);
    assert_eq!(theirs.sign_in("siti@toko.example", PASSWORD).status, 303);
    assert_eq!(browser.post(&format!("{place}/remove"), &[]).header("location"), Some("/admin/users?done=removed"));
    assert!(user("siti@toko.example").is_none() && !theirs.is_in());
}

#[test]
fn what_must_not_be_is_refused_with_a_word_on_why() {
    let it = Fixture::new();
    add_user(&it, "budi", "acme", UserRole::Admin);
    let outsider = add_user(&it, "outsider", "other", UserRole::Admin);
    let browser = Browser::of(&it, "budi");
    let good = [("name", "siti"), ("role", "viewer"), ("password", OTHER)];
    let add = |name: &'static str, value: &'static str| {
        let fields: Vec<_> = good.iter().map(|(key, old)| (*key, if *key == name { value } else { *old })).collect();
        browser.post("/admin/users", &fields)
    };
    for (name, value, status, said) in [
        ("name", "", 422, "A name has"),
        ("name", "<script>alert(1)</script>", 422, "A name has"),
        ("name", "BUDI", 409, "taken"),
        ("name", "outsider", 409, "taken"),
        ("role", "owner", 422, "one of the roles"),
        ("role", "", 422, "one of the roles"),
        ("password", "pendek", 422, "at least 10"),
        ("password", "", 422, "at least 10"),
    ] {
        let answer = add(name, value);
        assert_eq!(answer.status, status, "{name} {value}: {}", answer.text());
        assert!(answer.text().contains(said), "{name} {value}: {}", answer.text());
        assert!(!answer.text().contains("<script>"));
    }
    for (path, fields, status) in [
        ("budi/remove", &[][..], 409),
        ("budi/role", &[("role", "viewer")], 409),
        ("budi/password", &[("password", OTHER)], 409),
        ("outsider/remove", &[], 404),
        ("outsider/role", &[("role", "viewer")], 404),
        ("outsider/password", &[("password", OTHER)], 404),
        ("nobody/remove", &[], 404),
        ("%3Cscript%3E/remove", &[], 404),
    ] {
        let answer = browser.post(&format!("/admin/users/{path}"), fields);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(!answer.text().contains("<script>"));
    }
    assert_eq!(it.runtime.block_on(it.stores.user(&outsider.name)).unwrap(), Some(outsider));
    assert!(browser.is_in());
}

#[test]
fn a_viewer_changes_nothing_but_their_own_password() {
    let it = Fixture::new();
    let budi = add_user(&it, "budi", "acme", UserRole::Admin);
    add_user(&it, "siti", "acme", UserRole::Viewer);
    let browser = Browser::of(&it, "siti");
    assert_eq!(browser.get("/admin/users").status, 403);
    let before = it.runtime.block_on(it.stores.users(None)).unwrap();
    for (path, fields) in [
        ("users", &[("name", "x"), ("role", "admin"), ("password", OTHER)][..]),
        ("users/siti/role", &[("role", "admin")]),
        ("users/budi/password", &[("password", OTHER)]),
        ("users/siti/password", &[("password", OTHER)]),
        ("users/budi/remove", &[]),
        ("no-such-page", &[]),
    ] {
        let answer = browser.post(&format!("/admin/{path}"), fields);
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        assert!(answer.text().contains("may only look"), "{path}: {}", answer.text());
    }
    assert_eq!(it.runtime.block_on(it.stores.users(None)).unwrap(), before);
    // A role holds from the next request on.
    let admin = Browser::of(&it, "budi");
    assert_eq!(admin.post("/admin/users/siti/role", &[("role", "admin")]).status, 303);
    assert_eq!(browser.get("/admin/users").status, 200);
    assert_eq!(browser.post("/admin/users/budi/role", &[("role", "viewer")]).status, 303);
    assert_eq!(admin.get("/admin/users").status, 403);
    assert_eq!(it.runtime.block_on(it.stores.user(&budi.name)).unwrap().unwrap().role, UserRole::Viewer);
}

#[test]
fn ones_own_password_takes_the_old_one_and_ends_the_other_sign_ins() {
    let it = Fixture::new();
    add_user(&it, "siti", "acme", UserRole::Viewer);
    let (browser, other) = (Browser::of(&it, "siti"), Browser::of(&it, "siti"));
    let old_cookie = browser.cookies.borrow().clone();
    let change = |old: &str, new: &str, again: &str| {
        browser.post("/admin/password", &[("old", old), ("new", new), ("again", again)])
    };
    for (old, new, again, said) in [
        ("bukan ini sandinya", OTHER, OTHER, "old password is wrong"),
        (PASSWORD, OTHER, PASSWORD, "differ"),
        (PASSWORD, "pendek", "pendek", "at least 10"),
    ] {
        let answer = change(old, new, again);
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert!(answer.text().contains(said), "{}", answer.text());
    }
    assert!(other.is_in());
    let done = change(PASSWORD, OTHER, OTHER);
    assert_eq!((done.status, done.header("location")), (303, Some("/admin/password?done")));
    assert!(browser.is_in(), "this browser goes on, with another cookie");
    assert_ne!(*browser.cookies.borrow(), old_cookie);
    assert!(!other.is_in());
    let thief = Browser::new(&it);
    thief.cookies.replace(old_cookie);
    assert!(!thief.is_in());
    assert_eq!(Browser::new(&it).sign_in("siti", PASSWORD).status, 401);
    assert_eq!(Browser::new(&it).sign_in("siti", OTHER).status, 303);
    // The old password can't be guessed here either.
    for _ in 0..5 {
        assert_eq!(change("bukan ini sandinya", PASSWORD, PASSWORD).status, 422);
    }
    assert_eq!(change(OTHER, PASSWORD, PASSWORD).status, 429);
}
