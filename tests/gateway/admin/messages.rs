//! `/admin/messages`: the list, the search, one message and what can be done with it.

use std::time::Duration;

use kurir_core::domain::{FailReason, Fence, MessageState, WorkerName};
use kurir_core::port::{Clock as _, Ledger, LedgerWrite, SessionStore as _, Written};
use serde_json::{Value, json};

use super::reader::leads;
use crate::fixture::{Fixture, KEY};

const NASTY: &str = "<script>alert('x')</script>";

impl Fixture {
    /// Takes a text of `acme`; a second later it is a second later.
    fn taken(&self, session: &str, to: &str, more: &Value) -> String {
        let mut body = json!({"session": session, "to": to, "content": {"type": "text", "text": "isi rahasia"}});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let answer = self.post("/v1/messages", &body);
        assert_eq!(answer.status, 202, "{}", answer.text());
        self.clock.advance(Duration::from_secs(1));
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Moves a message on, as its session's worker does, so much later.
    fn moved(&self, id: &str, later: Duration, state: MessageState, reason: Option<FailReason>) {
        self.clock.advance(later);
        let mut entry = self.entry(id).unwrap().advance(state, self.clock.now()).unwrap();
        entry.reason = reason;
        let session = entry.session.clone().unwrap();
        self.runtime.block_on(async {
            let owner = self.stores.claim(&session, &WorkerName::new("w1").unwrap()).await.unwrap().unwrap();
            let fence = Some(Fence { session, epoch: owner.epoch });
            let write = LedgerWrite { fence, entry, spent: None, events: Vec::new() };
            assert_eq!(Ledger::write(&*self.stores, vec![write]).await.unwrap(), [Written::Done]);
        });
    }
}

fn filled() -> (Fixture, Vec<String>) {
    let it = Fixture::new();
    it.create("s1");
    it.create("s2");
    let ids = [("s1", "0812-3456-7890"), ("s2", "0812-3456-7890"), ("s1", "0812-3456-7891")];
    let ids = ids.map(|(session, to)| it.taken(session, to, &json!({}))).to_vec();
    (it, ids)
}

/// The messages of a list, in its order.
fn listed(page: &str) -> Vec<&str> {
    page.split("id=\"m-").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_list_tells_in_both_languages_where_messages_stand_and_never_what_they_say() {
    let (it, ids) = filled();
    it.moved(&ids[0], Duration::ZERO, MessageState::Failed, Some(FailReason::NotOnWhatsapp));
    let admin = it.admin();
    let page = admin.page("/admin/messages");
    assert_eq!(listed(&page), [&ids[2], &ids[1], &ids[0]], "the newest first");
    for part in
        ["mengantre", "gagal", "nomor tidak memakai WhatsApp", "6281…90", "data-live=\"messages\"", "/admin/send"]
    {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    for secret in ["isi rahasia", "6281234567890", "6281234567891"] {
        assert!(!page.contains(secret), "{secret} is shown");
    }
    let english = admin.in_english().page("/admin/messages");
    assert!(english.contains("queued") && english.contains("the number is not on WhatsApp"), "{english}");
    // The live part is the same markup.
    let part = admin.page("/admin/messages/fragment?");
    assert!(page.contains(&part) && !part.contains("<html"), "{part}");
    assert_eq!(listed(&it.stranger().page("/admin/messages")), [""; 0]);
    let viewer = it.viewer().page("/admin/messages");
    assert_eq!(listed(&viewer).len(), 3);
    assert!(!viewer.contains("/admin/send"), "a viewer is offered a form");
}

#[test]
fn a_page_holds_fifty_and_the_next_one_the_rest() {
    let it = Fixture::new();
    it.create("s1");
    let ids: Vec<_> = (0..53).map(|n| it.taken("s1", &format!("0812-3456-70{n:02}"), &json!({}))).collect();
    let admin = it.admin();
    let first = admin.page("/admin/messages?session=s1");
    let newest: Vec<_> = ids.iter().rev().map(String::as_str).collect();
    assert_eq!(listed(&first), newest[..50]);
    let next = first.split("id=\"next\"").nth(1).and_then(|rest| rest.split("href=\"").nth(1)).unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    assert!(next.contains("session=s1"), "{next}");
    let second = admin.page(&next);
    assert_eq!(listed(&second), newest[50..]);
    assert!(second.contains("id=\"newest\"") && !second.contains("id=\"next\""));
}

#[test]
fn messages_are_found_by_number_state_session_and_lane() {
    let (it, ids) = filled();
    it.moved(&ids[1], Duration::ZERO, MessageState::Cancelled, None);
    let (admin, stranger) = (it.admin(), it.stranger());
    for (query, wanted) in [
        ("to=0812-3456-7890", vec![&ids[1], &ids[0]]),
        ("to=%2B62+812+3456+7890", vec![&ids[1], &ids[0]]),
        ("to=6281234567890&session=s1", vec![&ids[0]]),
        ("to=0812-3456-7899", vec![]),
        ("state=cancelled", vec![&ids[1]]),
        ("session=s2", vec![&ids[1]]),
        ("lane=bulk&state=", vec![&ids[2], &ids[1], &ids[0]]),
        ("lane=otp", vec![]),
        // No place of a page: the first one.
        ("before=nonsense&session=s2", vec![&ids[1]]),
    ] {
        assert_eq!(listed(&admin.page(&format!("/admin/messages?{query}"))), wanted, "{query}");
        assert_eq!(listed(&stranger.page(&format!("/admin/messages?{query}"))), [""; 0], "{query}");
    }
    for (query, typed) in
        [("to=12", "value=\"12\""), ("state=gone", ""), ("lane=x", ""), ("session=a+b", "value=\"a b\"")]
    {
        let answer = admin.get(&format!("/admin/messages?{query}"));
        assert_eq!(answer.status, 422, "{query}");
        assert!(answer.text().contains("role=\"alert\"") && answer.text().contains(typed), "{}", answer.text());
    }
    let answer = admin.get("/admin/messages?session=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    assert!(answer.status == 422 && !answer.text().contains("<script>alert"), "{}", answer.text());
}

#[test]
fn an_id_of_ours_or_of_whatsapps_leads_to_its_page() {
    let (it, ids) = filled();
    let whatsapp = it.entry(&ids[1]).unwrap().message_id.to_string();
    let (admin, stranger) = (it.admin(), it.stranger());
    for id in
        [ids[1].clone(), ids[1].to_uppercase(), whatsapp.clone(), whatsapp.to_lowercase(), format!("+{whatsapp}+")]
    {
        let answer = admin.get(&format!("/admin/messages?id={id}"));
        assert_eq!(leads(&answer), format!("/admin/messages/{}", ids[1]), "{id}");
        assert_eq!(listed(&stranger.page(&format!("/admin/messages?id={id}"))), [""; 0]);
    }
    assert!(admin.page("/admin/messages?id=nonsense").contains("Tidak ada pesan yang cocok."));
}

#[test]
fn one_message_tells_its_whole_way() {
    let it = Fixture::new();
    it.create("s1");
    let id = it.taken("s1", "0812-3456-7890", &json!({"metadata": {NASTY: "<b>77</b>"}}));
    it.moved(&id, Duration::from_millis(200), MessageState::Delayed, Some(FailReason::SenderLimited));
    it.moved(&id, Duration::from_secs(125), MessageState::Sending, None);
    it.moved(&id, Duration::from_millis(300), MessageState::Sent, None);
    it.moved(&id, Duration::from_hours(2), MessageState::Read, None);
    let admin = it.admin();
    let page = admin.page(&format!("/admin/messages/{id}"));
    let parts = [
        "mengantre",
        "ditunda",
        "setelah 1,2 dtk",
        "menunggu giliran pengirim",
        "sedang dikirim",
        "setelah 2 mnt 5 dtk",
        "terkirim ke WhatsApp",
        "tiba di ponsel",
        "setelah 2 jam",
        "Sudah dibuka penerima.",
    ];
    let line = page.split("class=\"timeline\"").nth(1).expect("a time line");
    let mut from = 0;
    for part in parts {
        let at = line[from..].find(part).unwrap_or_else(|| panic!("{part} is missing, or too early: {line}"));
        from += at;
    }
    let whatsapp = it.entry(&id).unwrap().message_id.to_string();
    for part in [
        id.as_str(),
        &whatsapp,
        "6281…90",
        "&lt;script&gt;",
        "&lt;b&gt;77",
        "/admin/sessions/s1",
        "data-live=\"messages\"",
    ] {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    for secret in [NASTY, "<b>77", "isi rahasia", "81234567890"] {
        assert!(!page.contains(secret), "{secret} is shown");
    }
    assert!(!page.contains("/cancel"), "it was read, and can be cancelled?");
    let part = admin.page(&format!("/admin/messages/{id}/fragment"));
    assert!(page.contains(&part) && !part.contains("<html"), "{part}");
    assert!(admin.in_english().page(&format!("/admin/messages/{id}")).contains("after 2 min 5 s"));
    let stranger = it.stranger();
    for path in [format!("/admin/messages/{id}"), format!("/admin/messages/{id}/fragment"), "/admin/messages/x".into()]
    {
        assert_eq!(stranger.get(&path).status, 404, "{path}");
    }
}

#[test]
fn what_waits_is_cancelled_once_it_was_confirmed() {
    let (it, ids) = filled();
    let (admin, viewer, stranger) = (it.admin(), it.viewer(), it.stranger());
    let path = format!("/admin/messages/{}/cancel", ids[0]);
    assert!(admin.page(&format!("/admin/messages/{}", ids[0])).contains(&path));
    assert!(!viewer.page(&format!("/admin/messages/{}", ids[0])).contains(&path), "a viewer is offered a button");
    assert!(admin.page(&path).contains("Pesan ini tidak akan pernah dikirim"));
    assert_eq!((viewer.get(&path).status, viewer.post(&path, &[]).status), (403, 403));
    assert_eq!((stranger.get(&path).status, stranger.post(&path, &[]).status), (404, 404));
    assert_eq!((admin.send(&path, &[]).status, admin.send(&path, &[("csrf", "0")]).status), (403, 403));
    assert_eq!(it.entry(&ids[0]).unwrap().state, MessageState::Queued);
    let place = leads(&admin.post(&path, &[]));
    assert_eq!(place, format!("/admin/messages/{}?done=cancelled", ids[0]));
    assert!(admin.page(&place).contains("Pesan dibatalkan."));
    assert_eq!(it.entry(&ids[0]).unwrap().state, MessageState::Cancelled);
    // On the wire: too late.
    it.moved(&ids[1], Duration::ZERO, MessageState::Sending, None);
    let path = format!("/admin/messages/{}/cancel", ids[1]);
    for answer in [admin.get(&path), admin.post(&path, &[])] {
        assert_eq!(answer.status, 409);
        assert!(answer.text().contains("Terlambat") && answer.text().contains("sedang dikirim"), "{}", answer.text());
    }
    assert_eq!(it.entry(&ids[1]).unwrap().state, MessageState::Sending);
}

#[test]
fn what_waits_is_put_off() {
    let it = Fixture::new();
    it.create("s1");
    let id = it.taken("s1", "0812-3456-7890", &json!({"expires_at": "2026-11-21T13:00:00Z"}));
    let (admin, viewer) = (it.admin(), it.viewer());
    let path = format!("/admin/messages/{id}/reschedule");
    assert!(admin.page(&path).contains("type=\"datetime-local\""));
    for bad in ["2026-11-21T13:00", "2027-11-21T12:00", "besok", "", "\"><i>"] {
        let answer = admin.post(&path, &[("not_before", bad)]);
        assert_eq!(answer.status, 422, "{bad:?}");
        assert!(
            answer.text().contains("Waktu ini tidak bisa dipakai") && !answer.text().contains("<i>"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(viewer.post(&path, &[("not_before", "2026-11-21T12:30")]).status, 403);
    assert_eq!(it.entry(&id).unwrap().state, MessageState::Queued);
    let place = leads(&admin.post(&path, &[("not_before", "2026-11-21T12:30")]));
    assert_eq!(place, format!("/admin/messages/{id}?done=saved"));
    let entry = it.entry(&id).unwrap();
    assert_eq!((entry.state, entry.reason), (MessageState::Delayed, Some(FailReason::Rescheduled)));
    assert_eq!(
        entry.not_before.map(kurir_core::domain::Timestamp::to_rfc3339).as_deref(),
        Some("2026-11-21T12:30:00.000Z")
    );
    assert!(admin.page(&place).contains("dijadwalkan ulang"));
}

#[test]
fn nobody_sees_anything_without_signing_in() {
    let (it, ids) = filled();
    let one = format!("/admin/messages/{}", ids[0]);
    for path in ["/admin/messages", &one, "/admin/dead", "/admin/send"] {
        // A key of /v1 is no sign-in. Whoever has none is led to where they can.
        for headers in [&[][..], &[("X-Api-Key", KEY)][..]] {
            let page = it.get_with(path, headers).text();
            assert!(page.contains("name=\"password\"") && !page.contains("6281…90"), "{path}: {page}");
        }
    }
}
