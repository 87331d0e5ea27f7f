//! `/admin/sessions`: the list, a session's page, and what is done from there.

use std::num::NonZeroU32;
use std::time::Duration;

use kurir_core::domain::{
    Account, FailReason, Fence, FirstLink, OwnLimits, PhoneNumber, SessionState, SessionStatus, UserRole, Wanted,
    WorkerName,
};
use kurir_core::policy::{DayRule, SenderRules};
use kurir_core::port::{
    Beat, Clock as _, EventLog as _, Membership as _, Outbox as _, SessionDesk as _, SessionStore as _, Wishes as _,
    Written,
};
use serde_json::json;

use super::reader::{Reader, words};
use crate::fixture::{Fixture, OTHER_KEY, Wishes, session, tenant};

/// A session's name that would do harm in a page that does not escape it.
const HARMFUL: &str = "<img src=x onerror=alert(1)> & \"Toko\"";

/// A worker's sign of life.
pub fn beat(it: &Fixture, name: &str, leaving: bool) {
    let worker = WorkerName::new(name).unwrap();
    let beat = Beat { worker, instance: 1, capacity: 10, held: 1, leaving };
    it.runtime.block_on(it.members.beat(&beat, Duration::from_mins(10))).unwrap();
}

/// Links a session to a number, as its worker `w1` would, since yesterday.
fn link(it: &Fixture, id: &str, change: impl FnOnce(&mut SessionStatus)) {
    it.runtime.block_on(async {
        let record = it.stores.claim(&session(id), &WorkerName::new("w1").unwrap()).await.unwrap().unwrap();
        let number = PhoneNumber::from_digits("6281234567890".into()).unwrap();
        let at = it.clock.now().minus(Duration::from_hours(24));
        let mut status = SessionStatus {
            state: SessionState::Connected,
            account: Some(Account { number: number.clone(), device: 3 }),
            first_link: Some(FirstLink { number, at }),
            ..SessionStatus::created(it.clock.now())
        };
        change(&mut status);
        let fence = Fence { session: session(id), epoch: record.epoch };
        assert_eq!(it.stores.update(&fence, &status, &[]).await.unwrap(), Written::Done);
    });
}

fn wanted(it: &Fixture, id: &str) -> Wanted {
    it.runtime.block_on(it.stores.get(&session(id))).unwrap().unwrap().wanted
}

/// A fixture whose senders have days, with a worker that lives.
fn ready() -> Fixture {
    let day = DayRule { per_day: 800, warm_up: "3d:50".parse().unwrap(), cold_per_day: 20, otp_reserve: 10 };
    let it = Fixture::with(Wishes { senders: SenderRules { day, ..SenderRules::default() }, ..Wishes::default() });
    beat(&it, "w1", false);
    it
}

/// The part of the list that is one session's card.
fn card(page: &str, id: &str) -> String {
    let cards = page.split("<li class=\"card\">").skip(1);
    let found = cards.into_iter().find(|card| card.contains(&format!("id=\"session-{id}\"")));
    words(found.unwrap_or_else(|| panic!("no card of {id}: {page}")))
}

#[test]
fn a_card_tells_how_a_session_does_and_what_is_left_of_its_day() {
    let it = ready();
    it.post("/v1/sessions", &json!({"id": "s1", "name": HARMFUL, "pool": "promo", "default": true}));
    link(&it, "s1", |_| ());
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let page = reader.page("/admin/sessions");
    assert!(!page.contains("<img"), "{page}");
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "{page}");
    let card = card(&page, "s1");
    for there in [
        "s1",
        "terhubung",
        "bawaan",
        "2026-11-21 12:00:00 UTC",
        "6281…90, perangkat ke- 3",
        "Worker w1",
        "Pool promo",
        "1 pesan tiap 3 detik, paling banyak 5 sekaligus",
        "0 (OTP 0 , massal 0 )",
        "OTP 50 , massal 45",
        "OTP 20 , massal 18",
        "Dapat mengirim sekarang.",
        "Pemanasan nomor baru, hari ke-2: paling banyak 50 pesan hari ini.",
    ] {
        let squeezed = |text: &str| text.replace(' ', "");
        assert!(squeezed(&card).contains(&squeezed(there)), "{there:?} is not in {card}");
    }
    assert!(!page.contains("6281234567890"), "a number in full");
    assert!(!card.contains("Hubungkan"), "it is linked already");
    let english = Reader::new(&it, "acme", UserRole::Viewer).in_english().page("/admin/sessions");
    let text = words(&english);
    for there in ["connected", "default", "It can send now.", "Warm-up of a new number, day 2", "1 message every 3 s"] {
        assert!(text.contains(there), "{there:?} is not in {text}");
    }
    assert!(!english.contains("/admin/add-session"), "viewers are offered nothing");
}

#[test]
fn what_holds_a_session_back_is_told_with_its_reason() {
    let it = ready();
    for id in ["rests", "banned", "orphan", "waits", "stopped"] {
        it.create(id);
    }
    let until = it.clock.now().plus(Duration::from_mins(30));
    link(&it, "rests", |status| (status.reason, status.until) = (Some(FailReason::RateLimited), Some(until)));
    link(&it, "banned", |status| {
        status.state = SessionState::Banned;
        status.until = Some(until);
    });
    it.put("waits", SessionState::AwaitingScan, None);
    it.put("stopped", SessionState::Disconnected, None);
    it.runtime.block_on(it.stores.want(&session("stopped"), Wanted::Stopped)).unwrap();
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let page = reader.page("/admin/sessions");
    for (id, says) in [
        ("rests", "Beristirahat sampai 2026-11-21 12:30:00 UTC , karena WhatsApp meminta pengiriman diperlambat"),
        ("banned", "Akun diblokir WhatsApp sampai 2026-11-21 12:30:00 UTC"),
        ("orphan", "Tidak ada worker yang memegang sesi ini"),
        ("waits", "Menunggu kode QR dipindai"),
        ("stopped", "Dihentikan"),
    ] {
        let card = card(&page, id);
        assert!(card.contains(says), "{says:?} is not in {card}");
    }
    // Its worker dies.
    it.clock.advance(Duration::from_mins(15));
    let page = reader.part("/admin/sessions");
    assert!(page.starts_with("<ul"), "a part is no page: {page}");
    assert!(card(&page, "waits").contains("Tidak ada worker"));
    let english = Reader::new(&it, "acme", UserRole::Viewer).in_english().page("/admin/sessions");
    assert!(card(&english, "orphan").contains("No worker has this session now"), "{english}");
}

#[test]
fn the_list_is_searched_and_paged() {
    let it = Fixture::new();
    for n in 0..50 {
        it.post("/v1/sessions", &json!({"id": format!("s{n:02}"), "name": if n == 7 { "Toko Sari" } else { "x" }}));
    }
    it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "theirs", "name": "Toko Sari"}));
    it.put("s09", SessionState::Connected, None);
    let reader = Reader::new(&it, "acme", UserRole::Viewer);
    let shown = |path: &str| {
        let page = reader.page(path);
        let ids = page.split("id=\"session-").skip(1).map(|part| part.split('"').next().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page)
    };
    let (first, page) = shown("/admin/sessions");
    assert_eq!((first.len(), first[0].as_str()), (48, "s00"));
    assert!(page.contains("href=\"/admin/sessions?after=s47\""), "{page}");
    assert!(!page.contains("theirs"), "another tenant's session");
    assert_eq!(shown("/admin/sessions?after=s47").0, ["s48", "s49"]);
    assert_eq!(shown("/admin/sessions?q=Toko+Sari").0, ["s07"]);
    assert_eq!(shown("/admin/sessions?q=s11&state=").0, ["s11"]);
    assert_eq!(shown("/admin/sessions?state=connected").0, ["s09"]);
    assert_eq!(shown("/admin/sessions?q=s11&state=connected").0, [""; 0]);
    assert_eq!(shown("/admin/sessions?q=theirs").0, [""; 0]);
    let (_, page) = shown("/admin/sessions?q=%22%3E%3Cb%3E&state=created");
    assert!(page.contains("value=\"&quot;&gt;&lt;b&gt;\"") && page.contains("Tidak ada sesi yang cocok."), "{page}");
    assert!(page.contains("value=\"created\" selected"), "{page}");
    assert_eq!(reader.get("/admin/sessions?state=asleep").status, 422);
}

#[test]
fn a_session_is_added_with_what_the_form_says() {
    let it = Fixture::new();
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let form = "/admin/add-session";
    let fields = [("id", "toko-1"), ("name", " Toko Sari "), ("pool", "promo"), ("default", "yes"), ("start", "yes")];
    let answer = reader.post_from(form, form, &fields);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/sessions/toko-1?done=created")));
    let record = it.runtime.block_on(it.stores.get(&session("toko-1"))).unwrap().unwrap();
    assert_eq!(record.name.as_ref().map(kurir_core::domain::SessionName::as_str), Some("Toko Sari"));
    assert_eq!((record.wanted, record.pool.unwrap().as_str()), (Wanted::Running, "promo"));
    assert_eq!(it.runtime.block_on(it.stores.default_of(&tenant("acme"))).unwrap(), Some(session("toko-1")));
    assert!(words(&reader.page("/admin/sessions/toko-1?done=created")).contains("Sesi dibuat."));

    let answer = reader.post_from(form, form, &[("name", "tanpa id")]);
    let place = answer.header("location").unwrap();
    let id = place.strip_prefix("/admin/sessions/").and_then(|rest| rest.split('?').next()).unwrap();
    assert_eq!((answer.status, wanted(&it, id)), (303, Wanted::Stopped), "an empty box is not ticked");

    for (field, value, says) in [
        ("id", "a b", "ID: huruf"),
        ("id", "default", "ID: huruf"),
        ("id", "toko-1", "Sudah ada sesi"),
        ("pool", "p/q", "Pool: huruf"),
    ] {
        let answer = reader.post_from(form, form, &[("name", "\"typed\""), (field, value)]);
        let text = answer.text();
        let status = if says.starts_with("Sudah") { 409 } else { 422 };
        assert_eq!(answer.status, status, "{field} {value}: {text}");
        assert!(text.contains(says) && text.contains("value=\"&quot;typed&quot;\""), "{field} {value}: {text}");
    }
    let count = it.get("/v1/sessions").json()["sessions"].as_array().unwrap().len();
    assert_eq!(count, 2, "what was refused was not made");
}

#[test]
fn a_sessions_page_shows_all_of_it_and_what_happened() {
    let it = ready();
    it.post("/v1/sessions", &json!({"id": "s1", "name": HARMFUL, "labels": {"kota": "<b>bandung</b>"}}));
    link(&it, "s1", |_| ());
    // The log has what the outbox told.
    let later = it.clock.now().plus(Duration::from_secs(1));
    let events = it.runtime.block_on(it.stores.pending(later, 100)).unwrap();
    it.runtime.block_on(it.stores.append(&events)).unwrap();
    let page = Reader::new(&it, "acme", UserRole::Admin).page("/admin/sessions/s1");
    assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
    let text = words(&page);
    for there in [
        "terhubung",
        "kota: &lt;b&gt;bandung&lt;/b&gt;",
        "6281…90",
        "berjalan",
        "Asia/Jakarta",
        "2026-11-21 17:00:00 UTC",
        "2026-11-20 12:00:00 UTC",
        "dibuat",
        "Keluar dari WhatsApp",
        "w1 (1/10 sesi)",
        "Jadikan sesi bawaan",
    ] {
        assert!(text.contains(there), "{there:?} is not in {text}");
    }
    let viewer = Reader::new(&it, "acme", UserRole::Viewer).in_english();
    let page = viewer.page("/admin/sessions/s1");
    let forms = page.matches("<form").count();
    assert_eq!(forms, 1, "a viewer can sign out and no more: {page}");
    assert!(words(&page).contains("created") && !page.contains("/admin/sessions/s1/"), "{page}");
    assert!(viewer.part("/admin/sessions/s1").starts_with("<p"));
    for gone in
        ["/admin/sessions/none", "/admin/sessions/a%20b", "/admin/sessions/none/link", "/admin/sessions/none/delete"]
    {
        assert_eq!(
            Reader::get(&viewer, gone).status,
            if gone.ends_with("none") || gone.contains('%') { 404 } else { 403 },
            "{gone}"
        );
    }
    it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "theirs"}));
    assert_eq!(viewer.get("/admin/sessions/theirs").status, 404, "another tenant's session");
}

#[test]
fn a_session_is_told_what_is_wanted_of_it() {
    let it = ready();
    it.create("s1");
    link(&it, "s1", |_| ());
    beat(&it, "w2", false);
    beat(&it, "w3", true);
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let path = "/admin/sessions/s1";
    let act = |fields: &[(&str, &str)]| {
        let answer = reader.post_from(path, path, fields);
        let place = answer.header("location").unwrap_or_default().to_owned();
        assert_eq!(answer.status, 303, "{fields:?}: {}", answer.text());
        place
    };
    assert_eq!(act(&[("do", "stop")]), "/admin/sessions/s1?done=told");
    assert_eq!(wanted(&it, "s1"), Wanted::Stopped);
    act(&[("do", "start")]);
    assert_eq!(wanted(&it, "s1"), Wanted::Running);
    let before = it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap();
    act(&[("do", "restart")]);
    act(&[("do", "name"), ("name", "Toko Sari")]);
    act(&[("do", "labels"), ("labels", "kota: bandung\r\ntim = a: b")]);
    act(&[("do", "pool"), ("pool", "promo")]);
    act(&[("do", "default")]);
    let record = it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap();
    assert_eq!(record.restarts, before.restarts + 1);
    assert_eq!(record.name.as_ref().map(kurir_core::domain::SessionName::as_str), Some("Toko Sari"));
    let labels: Vec<_> = record.labels.as_map().iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["kota=bandung", "tim=a: b"]);
    assert_eq!(record.pool.as_ref().map(kurir_core::domain::PoolId::as_str), Some("promo"));
    assert_eq!(it.runtime.block_on(it.stores.default_of(&tenant("acme"))).unwrap(), Some(session("s1")));
    let page = reader.page(path);
    assert!(page.contains("value=\"w2\"") && !page.contains("value=\"w3\""), "only who stays can be moved to: {page}");
    assert_eq!(act(&[("do", "move"), ("worker", "w2")]), "/admin/sessions/s1?done=moved");
    let pins = it.runtime.block_on(it.wishes.pins()).unwrap();
    assert_eq!(pins.get(&session("s1")).map(kurir_core::domain::WorkerName::as_str), Some("w2"));
    assert!(words(&reader.page(path)).contains("Diminta pindah ke w2"));
    let limits = [("every", "2,5"), ("burst", "3"), ("per_day", "120"), ("cold", ""), ("warm", "yes")];
    act(&[&[("do", "limits")][..], &limits].concat());
    let record = it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap();
    let own = OwnLimits {
        every_ms: Some(2500),
        burst: NonZeroU32::new(3),
        per_day: Some(120),
        cold_per_day: None,
        warmed_up: Some(true),
    };
    assert_eq!(record.limits, own);
    let page = reader.page(path);
    assert!(words(&page).contains("1 pesan tiap 2.5 detik, paling banyak 3 sekaligus"), "{}", words(&page));
    assert!(page.contains("value=\"2.5\"") && page.contains("placeholder=\"20\""), "typed, and as for all: {page}");
    act(&[("do", "limits"), ("every", ""), ("burst", ""), ("per_day", ""), ("cold", ""), ("warm", "")]);
    assert!(it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap().limits.is_empty());
    // Empty fields take away.
    act(&[("do", "name"), ("name", "")]);
    act(&[("do", "labels"), ("labels", " ")]);
    act(&[("do", "pool"), ("pool", "")]);
    act(&[("do", "move"), ("worker", "")]);
    let record = it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap();
    assert_eq!((record.name, record.pool, record.labels.as_map().len()), (None, None, 0));
    assert!(it.runtime.block_on(it.wishes.pins()).unwrap().is_empty());
}

#[test]
fn what_is_typed_wrongly_changes_nothing_and_stays_in_its_field() {
    let it = ready();
    it.post("/v1/sessions", &json!({"id": "s1", "name": "Toko"}));
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let path = "/admin/sessions/s1";
    for (fields, says, kept) in [
        ([("do", "labels"), ("labels", "kota bandung")], "Label: tulis satu per baris", ">kota bandung</textarea>"),
        ([("do", "labels"), ("labels", "a: 1\na: 2")], "Label: tulis satu per baris", "a: 1\na: 2"),
        ([("do", "labels"), ("labels", "Kota: x")], "Label: paling banyak 16", "Kota: x"),
        ([("do", "pool"), ("pool", "a b")], "Pool: huruf", "value=\"a b\""),
        ([("do", "move"), ("worker", "a b")], "Ini bukan nama worker", "value=\"Toko\""),
    ] {
        let answer = reader.post_from(path, path, &fields);
        let text = answer.text();
        assert_eq!(answer.status, 422, "{fields:?}: {text}");
        assert!(text.contains(says) && text.contains(kept), "{fields:?}: {text}");
    }
    for (field, typed, says) in [
        ("every", "cepat", "Detik per pesan: 0 sampai 3600"),
        ("every", "3601", "Detik per pesan: 0 sampai 3600"),
        ("burst", "0", "Paling banyak sekaligus: 1"),
        ("per_day", "1000001", "Pesan per hari: 0 sampai"),
        ("cold", "121", "Penerima baru per hari: 0 sampai"),
    ] {
        let mut fields =
            vec![("do", "limits"), ("every", ""), ("burst", ""), ("per_day", "120"), ("cold", ""), ("warm", "")];
        fields.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, value)| *value = typed);
        let answer = reader.post_from(path, path, &fields);
        let text = answer.text();
        assert_eq!(answer.status, 422, "{field}: {text}");
        assert!(text.contains(says) && text.contains(&format!("value=\"{typed}\"")), "{field}: {text}");
    }
    assert!(it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap().limits.is_empty());
    let long = "x".repeat(101);
    let answer = reader.post_from(path, path, &[("do", "name"), ("name", &long)]);
    assert!(answer.status == 422 && answer.text().contains(&long), "{}", answer.text());
    assert_eq!(reader.post_from(path, path, &[("do", "explode")]).status, 422);
    assert_eq!(it.get("/v1/sessions/s1").json()["name"], "Toko");
    let english = Reader::new(&it, "acme", UserRole::Admin).in_english();
    let answer = english.post_from(path, path, &[("do", "pool"), ("pool", "a b")]);
    assert!(answer.text().contains("Pool: letters"), "{}", answer.text());
}

#[test]
fn what_ends_something_is_asked_twice() {
    let it = ready();
    it.create("s1");
    link(&it, "s1", |_| ());
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let (logout, delete) = ("/admin/sessions/s1/logout", "/admin/sessions/s1/delete");
    assert!(words(&reader.page(logout)).contains("dihapus dari WhatsApp di ponsel"));
    assert_eq!(wanted(&it, "s1"), Wanted::Running, "a look changes nothing");
    let answer = reader.post_from(logout, logout, &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/sessions/s1?done=told")));
    assert_eq!(wanted(&it, "s1"), Wanted::LoggedOut);

    for typed in [vec![], vec![("typed", "s2")]] {
        let answer = reader.post_from(delete, delete, &typed);
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert!(answer.text().contains("Tidak ada yang dihapus"), "{}", answer.text());
    }
    assert_eq!(wanted(&it, "s1"), Wanted::LoggedOut);
    let answer = reader.post_from(delete, delete, &[("typed", " s1 ")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/sessions?done=told")));
    assert_eq!(wanted(&it, "s1"), Wanted::Deleted);
    // Nothing is wanted any more of what is on its way out.
    let answer = reader.post_from("/admin/sessions/s1", "/admin/sessions/s1", &[("do", "start")]);
    assert!(answer.status == 409 && answer.text().contains("sedang keluar atau dihapus"), "{}", answer.text());
    assert_eq!(wanted(&it, "s1"), Wanted::Deleted);
}

#[test]
fn viewers_strangers_and_forms_of_others_change_nothing() {
    let it = ready();
    it.create("s1");
    let admin = Reader::new(&it, "acme", UserRole::Admin);
    let viewer = Reader::new(&it, "acme", UserRole::Viewer);
    let other = Reader::new(&it, "other", UserRole::Admin);
    let changes: [(&str, &[(&str, &str)]); 6] = [
        ("/admin/add-session", &[("id", "s2")]),
        ("/admin/sessions/s1", &[("do", "stop")]),
        ("/admin/sessions/s1/logout", &[]),
        ("/admin/sessions/s1/delete", &[("typed", "s1")]),
        ("/admin/sessions/s1/link", &[]),
        ("/admin/sessions/s1/link/phone", &[("number", "081234567890")]),
    ];
    for (path, fields) in changes {
        assert_eq!(admin.send(path, fields).status, 403, "{path} without the mark of a form of ours");
        assert_eq!(viewer.post_from("/admin/sessions", path, fields).status, 403, "{path} of a viewer");
        if path != "/admin/add-session" {
            assert_eq!(other.post_from("/admin/sessions", path, fields).status, 404, "{path} of another tenant");
        }
    }
    for path in
        ["/admin/add-session", "/admin/sessions/s1/logout", "/admin/sessions/s1/delete", "/admin/sessions/s1/link"]
    {
        assert_eq!(viewer.get(path).status, 403, "{path}");
    }
    assert_eq!(wanted(&it, "s1"), Wanted::Running);
    assert_eq!(it.get("/v1/sessions").json()["sessions"].as_array().unwrap().len(), 1);
}
