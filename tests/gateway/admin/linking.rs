//! `/admin/sessions/{id}/link`: linking a session in the dialog, or on the page behind it.

use std::time::Duration;

use kurir_core::domain::{QrCode, Secret, SessionState, UserRole, Wanted};
use kurir_core::port::{Clock as _, SessionStore as _};
use kurir_core::wire::{CallAnswerV1, QrV1};

use super::reader::{Reader, words};
use super::sessions::beat;
use crate::calls::willing;
use crate::fixture::{Answer, Fixture, session};

const PATH: &str = "/admin/sessions/s1/link";

fn ready() -> Fixture {
    let it = Fixture::new();
    beat(&it, "w1", false);
    it.create("s1");
    it
}

/// Shows a code for so many seconds; gives what its picture is.
fn show(it: &Fixture, text: &str, seconds: u64) -> String {
    let expires_at = it.clock.now().plus(Duration::from_secs(seconds));
    let code = QrCode { text: Secret::new(text.to_owned()), expires_at };
    let picture = QrV1::draw(&code).unwrap().png;
    it.put("s1", SessionState::AwaitingScan, Some(code));
    picture
}

fn wanted(it: &Fixture) -> Wanted {
    it.runtime.block_on(it.stores.get(&session("s1"))).unwrap().unwrap().wanted
}

#[test]
fn the_dialog_shows_the_code_until_the_next_one_and_closes_when_it_is_linked() {
    let it = ready();
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let part = reader.part(PATH);
    assert!(part.contains("data-again=\"1000\"") && part.contains("Menyiapkan kode QR"), "{part}");
    let picture = show(&it, "2@first,a,b,c", 20);
    let first = reader.part(PATH);
    assert!(first.contains(&format!("src=\"{picture}\"")) && first.contains("Perangkat tertaut"), "{first}");
    assert!(!first.contains("2@first"), "the code's text stands nowhere");
    it.clock.advance(Duration::from_secs(5));
    assert_eq!(reader.part(PATH), first, "the same code is the same text, so that nothing is shown anew");
    it.clock.advance(Duration::from_secs(14));
    assert!(reader.part(PATH).contains("data-again=\"1000\""), "it is asked for again when the code ends");
    let next = show(&it, "2@second,a,b,c", 20);
    assert!(next != picture && reader.part(PATH).contains(&next));
    it.clock.advance(Duration::from_secs(20));
    assert!(!reader.part(PATH).contains(&next), "a code that has ended is not shown");
    it.put("s1", SessionState::Paired, None);
    let done = reader.part(PATH);
    assert!(done.contains("data-done") && !done.contains("data-again"), "{done}");
    let english = Reader::new(&it, "acme", UserRole::Admin).in_english();
    assert!(english.part(PATH).contains("It is linked."));
}

#[test]
fn the_page_behind_the_link_works_alone() {
    let it = ready();
    let picture = show(&it, "2@alone,a,b,c", 20);
    let page = Reader::new(&it, "acme", UserRole::Admin).in_english().page(PATH);
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\"") && page.contains(&picture), "{page}");
    assert!(page.contains("data-live=\"sessions\"") && page.contains(&format!("data-src=\"{PATH}\"")), "{page}");
    assert!(words(&page).contains("Point the phone's camera at this code."));
    assert_eq!(page.matches("<h1>").count(), 1);
}

#[test]
fn a_look_asks_for_nothing_and_a_press_asks_for_a_new_round() {
    let it = ready();
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    for state in [SessionState::ScanTimedOut, SessionState::LoggedOut] {
        it.put("s1", state, None);
        it.runtime.block_on(it.stores.want(&session("s1"), Wanted::Stopped)).unwrap();
        let part = reader.part(PATH);
        assert!(part.contains("Minta kode baru") && !part.contains("data-again"), "{part}");
        assert_eq!(wanted(&it), Wanted::Stopped);
        let answer = reader.post_from(PATH, PATH, &[]);
        assert_eq!((answer.status, answer.header("location")), (303, Some(PATH)));
        assert_eq!(wanted(&it), Wanted::Running);
        assert!(reader.part(PATH).contains("data-again"), "the next code is on its way");
    }
    it.runtime.block_on(it.stores.want(&session("s1"), Wanted::Deleted)).unwrap();
    assert!(reader.part(PATH).contains("sedang keluar atau dihapus"));
}

fn ask_for_code(reader: &Reader<'_>, number: &str) -> Answer {
    let path = format!("{PATH}/phone");
    reader.post_from(&path, &path, &[("number", number)])
}

#[test]
fn a_code_to_type_is_shown_once_and_looked_after() {
    let it = ready();
    show(&it, "2@x,a,b,c", 20);
    it.own("s1", willing);
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let page = ask_for_code(&reader, "0812 3456 7890");
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    assert!(text.contains("ABCD-1234") && text.contains("Tautkan dengan nomor telepon saja"), "{text}");
    let standing = text.split("data-from=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert_eq!(reader.get(&standing).status, 204, "nothing is new: the code stays to be seen");
    it.clock.advance(Duration::from_mins(4));
    let over = reader.part(&standing);
    assert!(over.contains("tidak dipakai pada waktunya") && over.contains("name=\"number\""), "{over}");
    it.put("s1", SessionState::Paired, None);
    assert!(reader.part(&standing).contains("data-done"));
    assert_eq!(reader.get(&format!("{PATH}/phone/standing?until=x")).status, 200);
}

#[test]
fn a_bad_number_and_a_busy_worker_are_told_in_the_dialog() {
    let it = ready();
    show(&it, "2@x,a,b,c", 20);
    it.own("s1", |_| Some(CallAnswerV1::Refused));
    let reader = Reader::new(&it, "acme", UserRole::Admin);
    let bad = ask_for_code(&reader, "\"12");
    assert_eq!(bad.status, 422);
    assert!(bad.text().contains("bukan nomor telepon") && bad.text().contains("value=\"&quot;12\""), "{}", bad.text());
    let refused = ask_for_code(&reader, "081234567890");
    assert!(refused.status == 409 && refused.text().contains("WhatsApp menolak"), "{}", refused.text());
    it.create("s2");
    let path = "/admin/sessions/s2/link/phone";
    let nobody = reader.post_from(path, path, &[("number", "081234567890")]);
    assert!(nobody.status == 409 && nobody.text().contains("belum siap"), "{}", nobody.text());
}
