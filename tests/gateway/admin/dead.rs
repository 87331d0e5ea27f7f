//! `/admin/dead`: what could not be processed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kurir_core::domain::{FailReason, Lane, Target};
use kurir_core::port::{DeadFilter, DeadLetter, DeadLetters as _, Enqueued, JobHeaders, JobQueue as _, PublishJob};
use serde_json::json;

use super::reader::{all_hidden, leads};
use crate::fixture::{Fixture, OTHER_KEY, session};
use crate::queue::Fault;

impl Fixture {
    /// A letter that stood in a session's queue, published by this user of the broker with a body that names this tenant.
    /// Looks from before it are forgotten.
    fn bury(&self, of: &str, user: Option<&str>, named: &str, reason: FailReason) {
        let body = json!({
            "id": "018f2a52-7c4e-7a3b-9d10-0123456789ab", "tenant": named, "to": "+62 812-3456-7890",
            "content": {"type": "otp", "code": "493817"},
        });
        self.runtime.block_on(async {
            let headers =
                JobHeaders { user: user.map(str::to_owned), kind: "<i>kind</i>".into(), ..JobHeaders::default() };
            let target = Target::Session(session(of));
            let job = PublishJob { target, lane: Lane::Otp, body: body.to_string().into_bytes(), headers };
            assert_eq!(self.queue.publish(vec![job]).await.unwrap(), [Enqueued::Accepted]);
            let mut jobs = self.queue.subscribe(&session(of), Lane::Otp, 1).await.unwrap();
            let delivery = jobs.next().await.unwrap().unwrap();
            delivery.settle.dead(DeadLetter { reason, detail: "to: <b>missing</b>".into() }).await.unwrap();
        });
        self.clock.advance(Duration::from_secs(11));
    }

    fn letters(&self) -> Vec<String> {
        let found = self.runtime.block_on(self.queue.list(&DeadFilter::default(), None, 100)).unwrap();
        found.into_iter().map(|letter| letter.id.0).collect()
    }
}

/// `acme` has two letters of `s1` and one of `s2`, `other` has one of `t1`.
fn filled() -> Fixture {
    let it = Fixture::new();
    it.create("s1");
    it.create("s2");
    assert_eq!(it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "t1"})).status, 201);
    it.bury("s1", Some("acme"), "acme", FailReason::BadField);
    it.bury("s1", Some("acme"), "acme", FailReason::BadJson);
    it.bury("s2", Some("acme"), "acme", FailReason::BadField);
    it.bury("t1", Some("other"), "other", FailReason::BadField);
    it
}

/// The letters of a list, in its order.
fn listed(page: &str) -> Vec<&str> {
    page.split("href=\"/admin/dead/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|id| !id.contains('?'))
        .collect()
}

#[test]
fn letters_are_listed_for_their_tenant_without_what_they_say() {
    let it = filled();
    let (admin, ids) = (it.admin(), it.letters());
    let page = admin.page("/admin/dead");
    assert_eq!(listed(&page), ids[..3]);
    for part in
        ["bad_field", "ada isian yang kurang atau salah", "bad_json", "s1", "s2", "6281…90", "OTP", "&lt;b&gt;missing"]
    {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    let one = admin.page(&format!("/admin/dead/{}", ids[0]));
    for part in ["s.s1.otp", "6281…90", "/admin/messages/018f2a52-7c4e-7a3b-9d10-0123456789ab", "&lt;i&gt;kind", "acme"]
    {
        assert!(one.contains(part), "{part} is missing: {one}");
    }
    for secret in ["493817", "81234567890", "3456-7890", "<b>missing", "<i>kind"] {
        assert!(!page.contains(secret) && !one.contains(secret), "{secret} is shown");
    }
    for (query, wanted) in [
        ("reason=bad_field", vec![&ids[0], &ids[2]]),
        ("target=s1", vec![&ids[0], &ids[1]]),
        ("target=s1&reason=bad_field", vec![&ids[0]]),
        ("target=t1", vec![]),
        ("reason=&target=", vec![&ids[0], &ids[1], &ids[2]]),
        (&format!("after={}", ids[1]), vec![&ids[2]]),
    ] {
        assert_eq!(listed(&admin.page(&format!("/admin/dead?{query}"))), wanted, "{query}");
    }
    let english = admin.in_english().page("/admin/dead");
    assert!(english.contains("a field is missing or wrong") && english.contains("3 dead letters"), "{english}");
    let stranger = it.stranger();
    assert_eq!(listed(&stranger.page("/admin/dead")), ids[3..]);
    assert_eq!(stranger.get(&format!("/admin/dead/{}", ids[0])).status, 404);
    assert_eq!(admin.get(&format!("/admin/dead/{}", ids[3])).status, 404);
    assert_eq!(admin.get("/admin/dead/nonsense").status, 404);
}

#[test]
fn a_letter_that_nobody_can_be_proven_to_own_is_the_operators() {
    let it = Fixture::new();
    assert_eq!(it.post_as(OTHER_KEY, "/v1/sessions", &json!({"id": "t1"})).status, 201);
    // Nobody vouches; somebody else's user; a body of another tenant's.
    it.bury("t1", None, "other", FailReason::BadField);
    it.bury("t1", Some("acme"), "other", FailReason::WrongTenant);
    it.bury("t1", Some("other"), "acme", FailReason::WrongTenant);
    let (ids, operator, stranger) = (it.letters(), it.admin(), it.stranger());
    assert_eq!(listed(&operator.page("/admin/dead")), ids);
    assert_eq!(listed(&stranger.page("/admin/dead")), [""; 0]);
    for id in &ids {
        assert_eq!(stranger.get(&format!("/admin/dead/{id}")).status, 404);
        for path in ["/admin/dead/retry", "/admin/dead/drop"] {
            let place = leads(&stranger.post(path, &[("id", id)]));
            assert!(place.contains("done=unchanged") && place.contains("missing=1"), "{place}");
        }
    }
    assert_eq!(it.letters(), ids);
}

#[test]
fn one_look_serves_many_pages_and_a_later_one_sees_what_is_new() {
    let it = filled();
    let admin = it.admin();
    let before = it.queue.looks.load(Ordering::SeqCst);
    for query in ["", "?reason=bad_field", "?target=s1", "/drop", "/retry"] {
        admin.page(&format!("/admin/dead{query}"));
    }
    assert_eq!(it.queue.looks.load(Ordering::SeqCst), before + 1);
    it.bury("s1", Some("acme"), "acme", FailReason::BadNumber);
    assert_eq!(listed(&admin.page("/admin/dead")).len(), 4);
}

#[test]
fn one_is_retried_at_once_and_dropped_after_a_question() {
    let it = filled();
    let (admin, viewer, ids) = (it.admin(), it.viewer(), it.letters());
    let shown = viewer.page("/admin/dead") + &viewer.page(&format!("/admin/dead/{}", ids[0]));
    assert!(!shown.contains("/admin/dead/retry") && !shown.contains("/admin/dead/drop"), "{shown}");
    for path in ["/admin/dead/retry", "/admin/dead/drop"] {
        assert_eq!((viewer.get(path).status, viewer.post(path, &[("id", &ids[0])]).status), (403, 403));
        assert_eq!(admin.send(path, &[("id", &ids[0])]).status, 403, "without its mark");
        assert_eq!(admin.post(path, &[]).status, 422, "without a letter");
    }
    assert_eq!((it.letters().len(), it.depth("s1", Lane::Otp)), (4, 0));
    let place = leads(&admin.post("/admin/dead/retry", &[("id", &ids[0])]));
    assert!(admin.page(&place).contains("Dikirim ulang ke antrean."), "{place}");
    assert_eq!((it.letters(), it.depth("s1", Lane::Otp)), (ids[1..].to_vec(), 1));
    let question = admin.page(&format!("/admin/dead/drop?id={}", ids[1]));
    assert_eq!(all_hidden(&question, "id"), [ids[1].as_str()]);
    assert!(admin.page(&leads(&admin.post("/admin/dead/drop", &[("id", &ids[1])]))).contains("Dibuang."));
    assert_eq!(it.letters(), ids[2..]);
    // Again: it is not there any more.
    let place = leads(&admin.post("/admin/dead/drop", &[("id", &ids[1])]));
    assert!(admin.page(&place).contains("1 tugas sudah tidak ada di sini."), "{place}");
    assert_eq!(admin.get(&format!("/admin/dead/drop?id={}", ids[1])).status, 404);
}

#[test]
fn all_that_fit_are_counted_first_and_only_these_are_touched() {
    let it = filled();
    let (admin, ids) = (it.admin(), it.letters());
    let question = admin.page("/admin/dead/drop?reason=bad_field");
    assert!(question.contains("2 tugas gagal"), "{question}");
    let named = all_hidden(&question, "id");
    assert_eq!(named, [ids[0].as_str(), ids[2].as_str()]);
    // One more dies before the answer.
    it.bury("s1", Some("acme"), "acme", FailReason::BadField);
    let fields: Vec<_> = named.iter().map(|id| ("id", id.as_str())).collect();
    leads(&admin.post("/admin/dead/drop", &fields));
    let left = it.letters();
    assert_eq!((left.len(), &left[..2]), (3, &[ids[1].clone(), ids[3].clone()][..]));
    // A session without queues: its letter stays.
    it.bury("s2", Some("acme"), "acme", FailReason::BadField);
    it.runtime.block_on(it.queue.remove(&session("s2"))).unwrap();
    let question = admin.in_english().page("/admin/dead/retry");
    assert!(question.contains("3 dead letters"), "{question}");
    let named = all_hidden(&question, "id");
    let fields: Vec<_> = named.iter().map(|id| ("id", id.as_str())).collect();
    let page = admin.page(&leads(&admin.post("/admin/dead/retry", &fields)));
    assert!(page.contains("2 tugas sudah dikerjakan.") && page.contains("1 tugas tetap di sini"), "{page}");
    assert_eq!((it.letters().len(), it.depth("s1", Lane::Otp)), (2, 2));
}

#[test]
fn a_broker_that_is_away_is_told_in_words() {
    let it = filled();
    let (admin, ids) = (it.admin(), it.letters());
    it.queue.fail(Fault::Down);
    let answers = [
        admin.get("/admin/dead"),
        admin.get(&format!("/admin/dead/{}", ids[0])),
        admin.get("/admin/dead/drop"),
        admin.post("/admin/dead/drop", &[("id", &ids[0])]),
    ];
    for answer in answers {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.text().contains("Antrean (broker) tidak menjawab"), "{}", answer.text());
    }
    assert!(admin.in_english().get("/admin/dead").text().contains("does not answer"));
    it.queue.fail(Fault::Nothing);
    assert_eq!(listed(&admin.page("/admin/dead")).len(), 3);
}
