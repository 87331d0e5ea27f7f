//! API keys, webhooks and templates on the admin page.

use kurir_core::domain::UserRole;
use serde_json::json;

use super::reader::{Reader, leads, row};
use crate::fixture::{Fixture, KEY};

/// What follows a word in a page, up to the next tag.
fn behind<'a>(page: &'a str, word: &str) -> &'a str {
    let (_, rest) = page.split_once(word).unwrap_or_else(|| panic!("no {word} in {page}"));
    rest.split('<').next().unwrap()
}

#[test]
fn a_key_is_shown_once_replaced_and_revoked() {
    let it = Fixture::new();
    let admin = it.admin().in_english();
    let fields = [("label", "<b>toko</b>"), ("scopes", "read"), ("scopes", "send"), ("days", "30")];
    let made = admin.post_from("/admin/keys", "/admin/keys", &fields);
    assert_eq!(made.status, 200, "{}", made.text());
    let page = made.text();
    let key = behind(&page, "<code id=\"key\">").to_owned();
    assert!(page.contains("&lt;b&gt;toko") && !page.contains("<b>toko"), "{page}");
    assert_eq!(it.ask_as(&[("X-Api-Key", &key)], "GET", "/v1/sessions", &json!(null)).status, 200);
    // A key that may not change anything: only what was chosen was given.
    assert_eq!(it.ask_as(&[("X-Api-Key", &key)], "POST", "/v1/sessions", &json!({})).status, 403);

    let list = admin.page("/admin/keys");
    assert!(!list.contains(&key), "the key is shown again");
    let cells = row(&list, "toko");
    assert!(cells.iter().any(|cell| cell == "send, read"), "{cells:?}");
    let id = cells.iter().find(|cell| cell.len() == 16 && cell.bytes().all(|b| b.is_ascii_hexdigit())).unwrap().clone();

    let rotate = format!("/admin/keys/{id}/rotate");
    let again = admin.post_from(&rotate, &rotate, &[]);
    let second = behind(&again.text(), "<code id=\"key\">").to_owned();
    assert_ne!(second, key);
    assert_eq!(it.ask_as(&[("X-Api-Key", &second)], "GET", "/v1/sessions", &json!(null)).status, 200);

    let revoke = format!("/admin/keys/{id}/revoke");
    let place = leads(&admin.post_from(&revoke, &revoke, &[]));
    assert_eq!(place, "/admin/keys?done=removed");
    assert!(admin.page(&place).contains("Removed."));
    assert_eq!(it.ask_as(&[("X-Api-Key", &key)], "GET", "/v1/sessions", &json!(null)).status, 401);
}

#[test]
fn a_webhook_is_made_changed_tried_and_removed() {
    let it = Fixture::new();
    let admin = it.admin().in_english();
    let fields = [("url", "https://hooks.test/in?token=geheim"), ("label", "<i>kasir</i>"), ("types", "message.*")];
    let made = admin.post_from("/admin/webhooks", "/admin/webhooks", &fields);
    assert_eq!(made.status, 200, "{}", made.text());
    assert!(behind(&made.text(), "<code id=\"secret\">").starts_with("whsec_"));
    let list = admin.page("/admin/webhooks");
    assert!(list.contains("&lt;i&gt;kasir") && !list.contains("<i>kasir") && !list.contains("whsec_"), "{list}");
    let path = format!("/admin/webhooks/{}", list.split("/admin/webhooks/").nth(1).unwrap().split('"').next().unwrap());

    // Who may only look does not see what the address may hold.
    let viewer = it.viewer();
    for page in [viewer.page("/admin/webhooks"), viewer.page(&path)] {
        assert!(page.contains("hooks.test") && !page.contains("geheim"), "{page}");
    }
    assert!(admin.page(&path).contains("geheim"));

    assert_eq!(leads(&admin.post_from(&path, &format!("{path}/test"), &[])), format!("{path}?done=tried"));
    assert!(admin.part(&format!("{path}/deliveries")).contains("webhook.test"));
    let change = [
        ("url", "https://hooks.test/other"),
        ("label", "kasir 2"),
        ("types", "session.connected"),
        ("sessions", "s1 s2"),
    ];
    assert_eq!(leads(&admin.post_from(&path, &path, &change)), format!("{path}?done=saved"));
    let page = admin.page(&path);
    assert!(page.contains("kasir 2") && page.contains("session.connected") && page.contains("s1 s2"), "{page}");
    for (field, value) in [("url", "ftp://hooks.test/"), ("types", "nonsense"), ("sessions", "a b/c")] {
        let fields: Vec<_> =
            change.iter().map(|(name, old)| (*name, if *name == field { value } else { *old })).collect();
        assert_eq!(admin.post_from(&path, &path, &fields).status, 422, "{field}");
    }
    assert_eq!(leads(&admin.post_from(&path, &format!("{path}/disable"), &[])), format!("{path}?done=saved"));
    assert!(admin.page(&path).contains("by request"));
    assert_eq!(admin.post_from(&path, &format!("{path}/test"), &[]).status, 409);
    let span = [("since", "2026-01-31T12:00"), ("until", "yesterday")];
    assert_eq!(admin.post_from(&path, &format!("{path}/replay"), &span).status, 422);
    let remove = format!("{path}/remove");
    assert_eq!(leads(&admin.post_from(&remove, &remove, &[])), "/admin/webhooks?done=removed");
    assert_eq!(admin.get(&path).status, 404);
}

#[test]
fn a_template_has_a_text_in_each_language() {
    let it = Fixture::new();
    let admin = it.admin();
    let texts = [
        ("name", "sapaan"),
        ("default_locale", "id"),
        ("locale0", "id"),
        ("text0", "Halo {nama}"),
        ("locale1", "en"),
        ("text1", "Hello {nama}"),
    ];
    assert_eq!(
        leads(&admin.post_from("/admin/templates", "/admin/templates", &texts)),
        "/admin/templates/sapaan?done=added"
    );
    assert_eq!(row(&admin.page("/admin/templates"), "sapaan")[1..3], ["en, id", "nama"]);
    let page = admin.page("/admin/templates/sapaan");
    assert!(page.contains("Halo {nama}") && page.contains("Hello {nama}"), "{page}");
    let content = json!({"type": "template", "name": "sapaan", "values": {"nama": "x"}});
    let text = json!({"session": "s1", "to": "6281234567890", "content": content});
    it.create("s1");
    assert_eq!(it.ask_as(&[("X-Api-Key", KEY)], "POST", "/v1/messages", &text).status, 202);

    let other = [("default_locale", "id"), ("locale0", "id"), ("text0", "</textarea><script>x</script>")];
    assert_eq!(
        leads(&admin.post_from("/admin/templates/sapaan", "/admin/templates/sapaan", &other)),
        "/admin/templates/sapaan?done=saved"
    );
    let page = admin.page("/admin/templates/sapaan");
    assert!(!page.contains("<script>x") && !page.contains("Hello"), "{page}");
    for bad in [
        [("default_locale", "xx"), ("locale0", "id"), ("text0", "a")],
        [("default_locale", "id"), ("locale0", "not a tag"), ("text0", "a")],
        [("default_locale", "id"), ("locale0", "id"), ("text0", " ")],
    ] {
        assert_eq!(admin.post_from("/admin/templates/sapaan", "/admin/templates/sapaan", &bad).status, 422, "{bad:?}");
    }
    let remove = "/admin/templates/sapaan/remove";
    assert_eq!(leads(&admin.post_from(remove, remove, &[])), "/admin/templates?done=removed");
    assert_eq!(admin.get("/admin/templates/sapaan").status, 404);
    // What kurir brings along is shown, and can't be removed.
    assert_eq!(row(&admin.page("/admin/templates"), "otp").last().map(String::as_str), Some("bawaan"));
}

#[test]
fn viewers_and_strangers_change_nothing_here() {
    let it = Fixture::new();
    let admin = it.admin();
    let made =
        admin.post_from("/admin/webhooks", "/admin/webhooks", &[("url", "https://hooks.test/in"), ("label", "kasir")]);
    assert_eq!(made.status, 200, "{}", made.text());
    let list = admin.page("/admin/webhooks");
    let hook = format!("/admin/webhooks/{}", list.split("/admin/webhooks/").nth(1).unwrap().split('"').next().unwrap());
    let viewer = it.viewer();
    let stranger = Reader::new(&it, "other", UserRole::Admin);
    for page in ["/admin/keys", "/admin/webhooks", "/admin/templates"] {
        assert_eq!(
            viewer.post_from(page, page, &[("name", "x"), ("url", "https://hooks.test/"), ("label", "x")]).status,
            403,
            "{page}"
        );
        assert!(!viewer.page(page).contains(&format!("action=\"{page}\"")), "a form for who may not send it: {page}");
        assert!(!stranger.page(page).contains("kasir"), "{page}");
    }
    for verb in ["", "/test", "/disable", "/enable", "/remove", "/rotate"] {
        let path = format!("{hook}{verb}");
        let fields = [("url", "https://hooks.test/elsewhere")];
        assert_eq!(stranger.post_from("/admin/webhooks", &path, &fields).status, 404, "{path}");
        assert_eq!(viewer.post_from("/admin/webhooks", &path, &fields).status, 403, "{path}");
        // Without the mark of the sign-in it is not one of ours.
        assert_eq!(admin.send(&path, &fields).status, 403, "{path}");
    }
    assert_eq!(stranger.get(&hook).status, 404);
    assert!(admin.page(&hook).contains("https://hooks.test/in"));
}
