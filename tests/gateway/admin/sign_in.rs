//! Signing in and out, and what is refused.

use std::time::Duration;

use kurir_core::domain::{SignInToken, UserRole};
use kurir_core::port::{Clock as _, UserStore as _};

use super::browser::{Browser, PASSWORD, add_user, user_name};
use crate::fixture::{Fixture, Wishes};

fn with_budi() -> Fixture {
    let it = Fixture::new();
    add_user(&it, "budi", "acme", UserRole::Admin);
    it
}

#[test]
fn the_right_password_opens_and_a_wrong_one_does_not_tell_why() {
    let it = with_budi();
    let browser = Browser::new(&it);
    let page = browser.get("/admin/sign-in");
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    let wrong = browser.sign_in("budi", "bukan ini sandinya");
    let nobody = browser.sign_in("nobody", PASSWORD);
    let unfit = browser.sign_in("no name", PASSWORD);
    for answer in [&wrong, &nobody, &unfit] {
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert_eq!(answer.header("set-cookie"), None);
        assert!(!answer.text().contains(PASSWORD));
    }
    let told = |text: String, name: &str| text.replace(name, "");
    assert_eq!(told(wrong.text(), "budi"), told(nobody.text(), "nobody"));
    assert_eq!(told(wrong.text(), "budi"), told(unfit.text(), "no name"));
    assert!(!browser.is_in());

    let right = browser.sign_in("Budi", PASSWORD);
    assert_eq!((right.status, right.header("location")), (303, Some("/admin")));
    assert!(browser.is_in());
    let again = browser.get("/admin/sign-in?next=/admin/users");
    assert_eq!((again.status, again.header("location")), (303, Some("/admin/users")));
    // Signing in once more ends the sign-in that the browser had.
    let old = Browser::new(&it);
    old.cookies.replace(browser.cookies.borrow().clone());
    browser.sign_in("budi", PASSWORD);
    assert!(browser.is_in() && !old.is_in());
}

#[test]
fn the_page_is_indonesian_unless_somebody_likes_english_better() {
    let it = with_budi();
    let mut browser = Browser::new(&it);
    assert!(browser.get("/admin/sign-in").text().contains("Sign in"));
    browser.headers.clear();
    let page = browser.get("/admin/sign-in").text();
    assert!(page.contains("Kata sandi") && page.contains("lang=\"id\""), "{page}");
    browser.cookies.borrow_mut().insert("kurir_lang".to_owned(), "en".to_owned());
    assert!(browser.get("/admin/sign-in").text().contains("Password"));
}

#[test]
fn after_five_wrong_passwords_even_the_right_one_waits() {
    let it = with_budi();
    add_user(&it, "siti", "acme", UserRole::Admin);
    let browser = Browser::new(&it);
    for _ in 0..5 {
        assert_eq!(browser.sign_in("budi", "bukan ini sandinya").status, 401);
    }
    let waits = browser.sign_in("BUDI", PASSWORD);
    assert_eq!((waits.status, waits.header("retry-after")), (429, Some("2")));
    assert!(waits.text().contains("Too many attempts") && !browser.is_in());
    assert_eq!(browser.sign_in("siti", PASSWORD).status, 303, "another name is not concerned");
    it.clock.advance(Duration::from_secs(2));
    assert_eq!(browser.sign_in("budi", "bukan ini sandinya").status, 401);
    assert_eq!(browser.sign_in("budi", PASSWORD).header("retry-after"), Some("4"));
    it.clock.advance(Duration::from_secs(4));
    assert_eq!(browser.sign_in("budi", PASSWORD).status, 303);
    // It begins anew.
    for _ in 0..5 {
        assert_eq!(browser.sign_in("budi", "bukan ini sandinya").status, 401);
    }
    // Names that there are not, from one address, are counted by that.
    let mut names = 0;
    while browser.sign_in(&format!("nobody{names}"), PASSWORD).status == 401 {
        names += 1;
        assert!(names < 30, "an address goes on for ever");
    }
    let mut other = Browser::new(&it);
    other.headers.push(("X-Forwarded-For", "203.0.113.9".to_owned()));
    assert_eq!(other.sign_in("siti", PASSWORD).status, 429, "who is no trusted proxy can't name another address");
}

#[test]
fn the_cookie_is_for_this_page_alone_and_says_so() {
    let it = with_budi();
    let plain = Browser::new(&it).sign_in("budi", PASSWORD);
    let line = plain.header("set-cookie").unwrap();
    let (pair, attributes) = line.split_once("; ").unwrap();
    let (name, value) = pair.split_once('=').unwrap();
    assert_eq!((name, value.len()), ("kurir_admin", 64));
    assert_eq!(attributes, "Path=/admin; HttpOnly; SameSite=Lax; Max-Age=43200");
    let mark = SignInToken::parse(value).unwrap().mark();
    let (user, _) = it.runtime.block_on(it.stores.sign_in(&mark)).unwrap().expect("it is kept by its mark");
    assert_eq!(user.name, user_name("budi"));

    // A proxy that is not trusted changes nothing, one that is does.
    let forwarded = ("X-Forwarded-Proto", "https".to_owned());
    let mut browser = Browser::new(&it);
    browser.headers.push(forwarded.clone());
    assert!(browser.sign_in("budi", PASSWORD).header("set-cookie").unwrap().starts_with("kurir_admin="));
    let mut wishes = Wishes::default();
    wishes.admin.trust_proxy = true;
    let behind = Fixture::with(wishes);
    add_user(&behind, "budi", "acme", UserRole::Admin);
    let mut browser = Browser::new(&behind);
    browser.headers.push(forwarded);
    let line = browser.sign_in("budi", PASSWORD).header("set-cookie").unwrap().to_owned();
    assert!(line.starts_with("__Host-kurir=") && line.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{line}");
    assert!(browser.is_in());
    browser.headers.pop();
    assert!(!browser.is_in(), "over plain HTTP it is not taken");
}

#[test]
fn whoever_is_not_signed_in_is_led_to_the_sign_in_and_back() {
    let it = with_budi();
    let browser = Browser::new(&it);
    let led = browser.get("/admin/users?tab=a%20b");
    assert_eq!((led.status, led.header("location")), (303, Some("/admin/sign-in?next=/admin/users%3Ftab%3Da%2520b")));
    assert_eq!(browser.get("/admin").header("location"), Some("/admin/sign-in"));
    assert_eq!(browser.get("/admin/no-such-page").status, 303, "nobody outside learns which pages there are");
    let page = browser.get(led.header("location").unwrap()).text();
    assert!(page.contains("value=\"/admin/users?tab=a%20b\""), "{page}");
    for script in [("X-Requested-With", "fetch"), ("Accept", "text/event-stream"), ("Sec-Fetch-Dest", "empty")] {
        assert_eq!(browser.send("GET", "/admin/users", &[script], None).status, 401, "{script:?}");
    }
    let post = browser.form("/admin/users", &[], &[("name", "x")]);
    assert_eq!((post.status, post.header("location")), (303, Some("/admin/sign-in")));

    for (next, wanted) in [
        ("/admin/users", "/admin/users"),
        ("https://evil.example/", "/admin"),
        ("//evil.example/admin", "/admin"),
        ("/admin/../v1/sessions", "/admin"),
        ("/admin\\@evil.example", "/admin"),
        ("/admin/x\r\nLocation: https://evil.example", "/admin"),
        ("/v1/sessions", "/admin"),
    ] {
        let fields = [("user", "budi"), ("password", PASSWORD), ("next", next)];
        let answer = Browser::new(&it).form("/admin/sign-in", &[], &fields);
        assert_eq!((answer.status, answer.header("location")), (303, Some(wanted)), "{next:?}");
    }
    let hidden = browser.get("/admin/sign-in?next=https://evil.example/").text();
    assert!(!hidden.contains("evil"), "{hidden}");
}

#[test]
fn a_request_without_its_own_token_changes_nothing() {
    let it = with_budi();
    add_user(&it, "siti", "acme", UserRole::Viewer);
    let (browser, other) = (Browser::of(&it, "budi"), Browser::of(&it, "budi"));
    let token = browser.token();
    assert_eq!(token, browser.token(), "pages that were opened earlier stay good");
    let foreign = other.token();
    let removes = |headers: &[(&str, &str)], fields: &[(&str, &str)]| {
        browser.form("/admin/users/siti/remove", headers, fields).status
    };
    for (fields, headers) in [
        (&[][..], &[][..]),
        (&[("csrf", "")], &[]),
        (&[("csrf", &foreign)], &[]),
        (&[("csrf", &token[..63])], &[]),
        (&[("csrf", &token)], &[("X-CSRF-Token", foreign.as_str())]),
        (&[], &[("X-CSRF-Token", "")]),
    ] {
        assert_eq!(removes(headers, fields), 403, "{fields:?} {headers:?}");
    }
    // In JSON, or in a form with files, the token stands in the header or nowhere.
    let json = browser.send("POST", "/admin/users/siti/remove", &[("Content-Type", "application/json")], Some("{}"));
    assert_eq!(json.status, 403);
    for elsewhere in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        assert_eq!(removes(&[elsewhere], &[("csrf", &token)]), 403, "{elsewhere:?}");
    }
    assert!(it.runtime.block_on(it.stores.user(&user_name("siti"))).unwrap().is_some());
    let own = it.url("");
    assert_eq!(removes(&[("Origin", &own), ("X-CSRF-Token", &token)], &[]), 303);
    assert!(it.runtime.block_on(it.stores.user(&user_name("siti"))).unwrap().is_none());
}

#[test]
fn another_site_signs_nobody_in() {
    let it = with_budi();
    let browser = Browser::new(&it);
    let fields = [("user", "budi"), ("password", PASSWORD)];
    for elsewhere in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let answer = browser.form("/admin/sign-in", &[elsewhere], &fields);
        assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{elsewhere:?}");
    }
    let json = browser.send("POST", "/admin/sign-in", &[("Content-Type", "application/json")], Some("{}"));
    assert_eq!(json.status, 400);
    // Three bytes each, as forms are written here.
    let large = "x".repeat(22_000);
    assert_eq!(browser.form("/admin/sign-in", &[], &[("user", &large)]).status, 413);
}

#[test]
fn signing_out_ends_the_sign_in_and_not_only_its_cookie() {
    let it = with_budi();
    let (browser, other, thief) = (Browser::of(&it, "budi"), Browser::of(&it, "budi"), Browser::new(&it));
    thief.cookies.replace(browser.cookies.borrow().clone());
    assert!(thief.is_in());
    assert_eq!(browser.form("/admin/sign-out", &[], &[]).status, 403, "a link elsewhere signs nobody out");
    let out = browser.post("/admin/sign-out", &[]);
    assert_eq!((out.status, out.header("location")), (303, Some("/admin/sign-in")));
    assert!(browser.cookies.borrow().is_empty());
    assert!(!browser.is_in() && !thief.is_in(), "a copied cookie is dead");
    assert!(other.is_in(), "another browser is not concerned");
}

#[test]
fn a_sign_in_ends_when_nobody_uses_it_and_after_its_longest_time() {
    let it = with_budi();
    let (idle, busy) = (Browser::of(&it, "budi"), Browser::of(&it, "budi"));
    let second = Duration::from_secs(1);
    it.clock.advance(Duration::from_hours(2).saturating_sub(second));
    assert!(idle.is_in() && busy.is_in());
    it.clock.advance(Duration::from_hours(2));
    assert!(!idle.is_in(), "two hours without a request");
    assert_eq!(busy.sign_in("budi", PASSWORD).status, 303);
    for _ in 0..12 {
        it.clock.advance(Duration::from_hours(1).saturating_sub(second));
        assert!(busy.is_in());
    }
    it.clock.advance(second * 12);
    assert!(!busy.is_in(), "twelve hours, however busy");
    let forgotten = it.runtime.block_on(it.stores.forget_sign_ins(it.clock.now().plus(second), 100)).unwrap();
    // The one that was replaced by a new sign-in is gone already.
    assert_eq!(forgotten, 2, "the relay sweeps what is left of them");
}

#[test]
fn a_page_that_is_switched_off_is_not_there() {
    let mut wishes = Wishes::default();
    wishes.admin.enabled = false;
    let it = Fixture::with(wishes);
    assert_eq!(it.get("/admin/sign-in").status, 404);
    assert_eq!(it.get("/admin").status, 404);
}
