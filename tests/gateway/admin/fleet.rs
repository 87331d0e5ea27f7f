//! `/admin/fleet`

use std::time::Duration;

use kurir_core::domain::{Fence, JobKey, MessageState, SessionState, SessionStatus, UserRole, WorkerName};
use kurir_core::port::{
    Beat, Clock as _, Ledger as _, LedgerWrite, Membership as _, SessionStore as _, Wishes as _, Written,
};
use serde_json::json;

use super::reader::{Reader, row, words};
use crate::fixture::{Fixture, OTHER_KEY, PATIENCE, session, tenant};
use crate::queue::Fault;

fn worker(name: &str) -> WorkerName {
    WorkerName::new(name).unwrap()
}

/// A worker's sign of life.
fn beat(it: &Fixture, name: &str, held: u32, leaving: bool) {
    let beat = Beat { worker: worker(name), instance: 1, capacity: 10, held, leaving };
    it.runtime.block_on(it.members.beat(&beat, Duration::from_hours(1))).unwrap();
}

/// A session that a worker holds.
fn held(it: &Fixture, key: &str, id: &str, name: &str, by: &str) -> Fence {
    let made = it.post_as(key, "/v1/sessions", &json!({"id": id, "name": name}));
    assert_eq!(made.status, 201, "{}", made.text());
    it.runtime.block_on(async {
        let record = it.stores.claim(&session(id), &worker(by)).await.unwrap().unwrap();
        let fence = Fence { session: session(id), epoch: record.epoch };
        let status = SessionStatus { state: SessionState::Connected, ..SessionStatus::created(it.clock.now()) };
        assert_eq!(it.stores.update(&fence, &status, &[]).await.unwrap(), Written::Done);
        fence
    })
}

fn fleet() -> Fixture {
    let it = Fixture::new();
    held(&it, crate::fixture::KEY, "s1", "Toko <i>Satu</i>", "w1");
    held(&it, OTHER_KEY, "o1", "Warung", "w1");
    beat(&it, "w1", 2, false);
    beat(&it, "w2", 0, true);
    it.runtime.block_on(it.wishes.pin(&session("s1"), Some(&worker("w2")))).unwrap();
    it
}

fn drained(it: &Fixture) -> Vec<String> {
    let drained = it.runtime.block_on(it.wishes.drained()).unwrap();
    drained.into_iter().map(|name| name.to_string()).collect()
}

#[test]
fn operators_see_the_workers_and_others_their_names() {
    let it = fleet();
    let ours = Reader::new(&it, "acme", UserRole::Admin);
    let page = ours.page("/admin/fleet");
    let text = words(&page);
    for there in
        ["w1 berjalan", "Sesi dipegang 2 / 10", "w2 sedang berhenti", "terhubung", "diminta di w2", "Kosongkan w1"]
    {
        assert!(text.contains(there), "{there:?} is not in {text}");
    }
    assert!(page.contains("Toko &lt;i&gt;Satu") && !page.contains("<i>Satu"), "{page}");
    assert!(page.contains("href=\"/admin/sessions/s1\"") && !page.contains("o1") && !text.contains("Warung"));
    assert_eq!(ours.part("/admin/fleet/workers").matches("class=\"card\"").count(), 2);

    let theirs = words(&Reader::new(&it, "other", UserRole::Admin).page("/admin/fleet"));
    assert!(theirs.contains("w1") && theirs.contains("Warung"), "{theirs}");
    for hidden in ["w2", "/ 10", "Kosongkan", "Toko", "berjalan"] {
        assert!(!theirs.contains(hidden), "{hidden:?} is in {theirs}");
    }
    let english = words(&Reader::new(&it, "acme", UserRole::Viewer).in_english().page("/admin/fleet"));
    assert!(
        english.contains("w1 running") && english.contains("wanted with w2") && !english.contains("Drain"),
        "{english}"
    );
}

#[test]
fn only_operators_who_may_change_drain_workers() {
    let it = fleet();
    let ours = Reader::new(&it, "acme", UserRole::Admin);
    let (ask, resume) = ("/admin/fleet/workers/w1/drain", "/admin/fleet/workers/w1/resume");
    assert!(words(&ours.page(ask)).contains("Kosongkan worker w1"));
    for unknown in ["w9", "%3Cb%3E", "..", "a%2Fb"] {
        let path = format!("/admin/fleet/workers/{unknown}/drain");
        assert_eq!(ours.get(&path).status, 404, "{unknown}");
        assert_eq!(ours.post_from(ask, &path, &[]).status, 404, "{unknown}");
    }
    assert_eq!(ours.send(ask, &[]).status, 403, "a form without its mark");
    assert_eq!(ours.send(ask, &[("csrf", "0000")]).status, 403);
    let viewer = Reader::new(&it, "acme", UserRole::Viewer);
    assert_eq!((viewer.get(ask).status, viewer.send(ask, &[]).status), (403, 403));
    let theirs = Reader::new(&it, "other", UserRole::Admin);
    assert_eq!(theirs.get(ask).status, 404);
    assert_eq!(drained(&it), Vec::<String>::new());

    let answer = ours.post_from(ask, ask, &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/fleet?done=saved")), "{}", answer.text());
    assert_eq!(drained(&it), ["w1"]);
    let page = words(&ours.page("/admin/fleet?done=saved"));
    assert!(page.contains("w1 dikosongkan") && page.contains("Pakai lagi w1") && page.contains("Disimpan."), "{page}");
    assert_eq!(ours.post_from("/admin/fleet", resume, &[]).status, 303);
    assert_eq!(drained(&it), Vec::<String>::new());
    assert_eq!(ours.post_from(ask, resume, &[]).status, 404, "it is not drained");
}

fn send(it: &Fixture, key: &str, target: (&str, &str), count: usize) {
    for _ in 0..count {
        let mut body = json!({"to": "+62 812 3456 7890", "content": {"type": "text", "text": "halo"}});
        body[target.0] = json!(target.1);
        let answer = it.post_as(key, "/v1/messages", &body);
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
}

#[test]
fn queues_tell_how_much_waits_and_since_when() {
    let it = fleet();
    assert_eq!(it.post("/v1/sessions", &json!({"id": "p1", "pool": "promo"})).status, 201);
    send(&it, crate::fixture::KEY, ("session", "s1"), 3);
    it.clock.advance(Duration::from_mins(5));
    send(&it, crate::fixture::KEY, ("session", "s1"), 1);
    send(&it, crate::fixture::KEY, ("pool", "promo"), 2);
    let ours = Reader::new(&it, "acme", UserRole::Viewer);
    let page = ours.page("/admin/fleet");
    assert_eq!(row(&page, ">s1<"), ["sesi s1", "massal", "4", "4", "5 menit"]);
    assert_eq!(row(&page, "promo"), ["pool promo", "massal", "2"]);
    assert_eq!(row(&page, "semua pool"), ["semua pool", "massal", "2", "0 detik"]);
    // The lane of one-time passwords is empty, and so are the queues of the other session.
    let text = words(&page);
    assert!(text.contains("Antrean yang kosong (4)") && text.contains("sesi s1, OTP"), "{text}");
    let theirs = words(&Reader::new(&it, "other", UserRole::Admin).in_english().part("/admin/fleet/queues"));
    assert!(theirs.contains("Nothing waits.") && !theirs.contains("s1") && !theirs.contains("promo"), "{theirs}");

    // A broker that is silent: the page comes all the same, and says what it does not know.
    it.queue.fail(Fault::Mute);
    it.clock.advance(Duration::from_secs(3));
    let begun = std::time::Instant::now();
    let part = ours.part("/admin/fleet/queues");
    assert!(begun.elapsed() < PATIENCE / 2);
    assert_eq!(row(&part, ">s1<"), ["sesi s1", "massal", "belum diketahui", "4", "5 menit"]);
}

/// What a chart's table says at a time of the day: its columns.
fn numbers(page: &str, title: &str, time: &str) -> Vec<String> {
    let tables = page.split("<table>").map(|table| table.split("</table>").next().unwrap_or_default());
    let table = tables.into_iter().find(|table| table.contains(&format!("<caption>{title}"))).expect("such a table");
    row(table, &format!(">{time}<"))
}

#[test]
fn charts_show_what_became_of_messages() {
    let it = Fixture::new();
    let fence = held(&it, crate::fixture::KEY, "s1", "Toko", "w1");
    let id = "018f2a52-7c4e-7a3b-9d10-0123456789ab";
    let body = json!({"id": id, "session": "s1", "to": "081234567890", "content": {"type": "text", "text": "halo"}});
    for key in [crate::fixture::KEY, OTHER_KEY] {
        let mut body = body.clone();
        if key == OTHER_KEY {
            held(&it, OTHER_KEY, "o1", "Warung", "w1");
            body["session"] = json!("o1");
        }
        assert_eq!(it.post_as(key, "/v1/messages", &body).status, 202);
    }
    it.clock.advance(Duration::from_mins(2));
    for state in [MessageState::Sending, MessageState::Sent, MessageState::Delivered] {
        it.runtime.block_on(async {
            let key = JobKey::new(tenant("acme"), id.parse().unwrap());
            let entry = it.ledger.get(&[key]).await.unwrap().remove(0).unwrap();
            let entry = entry.advance(state, it.clock.now()).unwrap();
            let write = LedgerWrite { fence: Some(fence.clone()), entry, spent: None, events: Vec::new() };
            assert_eq!(it.ledger.write(vec![write]).await.unwrap(), [Written::Done]);
        });
    }
    it.clock.advance(Duration::from_mins(1));
    let ours = Reader::new(&it, "acme", UserRole::Viewer);
    let page = ours.page("/admin/fleet");
    let hour = "Pesan per menit, satu jam terakhir";
    assert_eq!(numbers(&page, hour, "12:00"), ["12:00", "1", "0", "0"]);
    assert_eq!(numbers(&page, hour, "12:02"), ["12:02", "0", "1", "1"]);
    assert_eq!(numbers(&page, "Pesan per setengah jam", "12:00"), ["12:00", "1", "1", "1"]);
    assert_eq!(numbers(&page, "Tingkat sampai, satu jam", "12:02"), ["12:02", "100 %"]);
    assert_eq!(numbers(&page, "Tingkat sampai, satu jam", "12:01"), ["12:01", "–"]);
    assert_eq!((page.matches("role=\"img\"").count(), page.matches("<caption>").count()), (4, 4));
    assert!(!page.contains(" style=") && !page.contains("<script>"), "the page's policy forbids both");
    let theirs = Reader::new(&it, "other", UserRole::Viewer).in_english().part("/admin/fleet/charts");
    assert_eq!(numbers(&theirs, "Messages a minute, last hour", "12:02"), ["12:02", "0", "0", "0"]);
    assert_eq!(numbers(&theirs, "Messages a minute, last hour", "12:00"), ["12:00", "1", "0", "0"]);
}
