//! `/admin/verifications`

use kurir_core::domain::UserRole;

use super::reader::{Reader, row, words};
use crate::verifications::{with, wrong};

#[test]
fn verifications_are_counted_and_listed_masked() {
    let it = with(|_| {});
    let id = it.verified("081234567890");
    let code = it.code();
    it.check(&id, &code);
    let open = it.verified("081234567891");
    let second = it.code();
    let ours = Reader::new(&it, "acme", UserRole::Viewer);
    let page = ours.page("/admin/verifications");
    let text = words(&page);
    assert!(text.contains("menunggu kode 1 disetujui 1 kedaluwarsa 0"), "{text}");
    for secret in [code.as_str(), second.as_str(), "81234567890", "1234567891", open.as_str()] {
        assert!(!text.contains(secret), "{text}");
    }
    let shown = row(&page, "badge good");
    assert_eq!(shown[..5], ["6281…90", "disetujui", "1 / 5", "1 / 5", "session s1"]);
    // Narrowed down; by a word or a number that is none.
    let part = words(&ours.part("/admin/verifications/list?status=pending&to=081234567891"));
    assert!(part.contains("6281…91") && !part.contains("6281…90"), "{part}");
    let kept = ours.page("/admin/verifications?to=081234567891");
    assert!(kept.contains("value=\"081234567891\"") && kept.contains("list?to=081234567891"), "{kept}");
    for bad in ["status=x", "before=1", "to=abc"] {
        assert_eq!(ours.get(&format!("/admin/verifications?{bad}")).status, 422, "{bad}");
    }
    let theirs = Reader::new(&it, "other", UserRole::Admin).in_english();
    let text = words(&theirs.page("/admin/verifications"));
    assert!(text.contains("waits for the code 0 approved 0") && !text.contains("6281"), "{text}");
}

#[test]
fn prefixes_that_lose_codes_are_shown_and_unblocked() {
    let it = with(|verify| {
        verify.conversion.most_lost = 1;
        verify.max_checks = 1;
    });
    let id = it.verified("6281200000001");
    let code = it.code();
    it.check(&id, &wrong(&code));
    let id = it.verified("12125550001");
    let code = it.code();
    it.check(&id, &code);
    let path = "/admin/verifications";
    let ours = Reader::new(&it, "acme", UserRole::Admin);
    let page = ours.page(path);
    // A prefix that was blocked is counted anew.
    assert_eq!(row(&page, ">+62<"), ["+62", "0", "0", "0", "–", "1"]);
    assert_eq!(row(&page, ">+1<"), ["+1", "1", "1", "0", "100 %", "0"]);
    assert!(row(&page, "628120000")[3].contains("Buka blokir"), "{page}");
    let unblock = page.split("action=\"").filter_map(|part| part.split('"').next()).find(|to| to.ends_with("/unblock"));
    let unblock = unblock.expect("a form to unblock").to_owned();

    let viewer = Reader::new(&it, "acme", UserRole::Viewer);
    let seen = viewer.page(path);
    assert!(seen.contains("6281…") && !seen.contains("628120000") && !seen.contains("/unblock"), "{seen}");
    let theirs = Reader::new(&it, "other", UserRole::Admin);
    assert!(!theirs.page(path).contains("+62"));
    assert_eq!((viewer.send(&unblock, &[]).status, ours.send(&unblock, &[]).status), (403, 403));
    assert_eq!(ours.post_from(path, "/admin/verifications/prefixes/nobodys/unblock", &[]).status, 404);
    it.verify("6281200000002").error(403, "prefix_blocked");

    let answer = ours.post_from(path, &unblock, &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/admin/verifications?done=saved")));
    assert_eq!(it.verify("6281200000002").status, 201);
    assert!(words(&ours.part("/admin/verifications/prefixes")).contains("Tidak ada awalan yang diblokir."));
}
