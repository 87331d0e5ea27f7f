//! `/v1/templates`, and messages that name one.

use kurir_core::domain::Lane;
use kurir_core::port::JobQueue as _;
use kurir_core::wire::JobV1;
use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, OTHER_KEY, session};

fn order() -> Value {
    json!({
        "name": "pesanan", "default_locale": "id",
        "texts": {"id": "Halo {nama}, pesanan {nomor} dikirim.", "en": "Hello {nama}, order {nomor} is on its way."},
    })
}

impl Fixture {
    fn change(&self, key: &str, path: &str, body: &Value) -> crate::fixture::Answer {
        let headers = [("X-Api-Key", key), ("Content-Type", "application/json")];
        self.call("PUT", path, &headers, body.to_string().as_bytes())
    }

    /// What the next job of a lane says.
    fn said(&self, lane: Lane) -> String {
        let delivery = self.runtime.block_on(async {
            let mut jobs = self.queue.subscribe(&session("s1"), lane, 1).await.unwrap();
            let delivery = jobs.next().await.unwrap().unwrap();
            let body = (delivery.headers.kind.clone(), delivery.body.clone());
            delivery.settle.ack().await.unwrap();
            body
        });
        let job = JobV1::decode(&delivery.0, &delivery.1, Some("62")).unwrap();
        job.content.render().unwrap().expose().clone()
    }
}

fn message(content: &Value) -> Value {
    json!({"session": "s1", "to": "+6281234567890", "ttl": 300, "content": content})
}

#[test]
fn a_template_is_made_changed_and_removed() {
    let it = Fixture::new();
    let made = it.post("/v1/templates", &order());
    assert_eq!((made.status, made.header("location")), (201, Some("/v1/templates/pesanan")), "{}", made.text());
    let view = made.json();
    assert_eq!(view["placeholders"], json!(["nama", "nomor"]));
    assert_eq!((&view["shipped"], &view["created_at"]), (&json!(false), &json!("2026-11-21T12:00:00.000Z")));
    assert_eq!(it.get("/v1/templates/pesanan").json(), view);
    it.post("/v1/templates", &order()).error(409, "template_exists");

    it.clock.advance(std::time::Duration::from_mins(1));
    let texts = json!({"default_locale": "EN", "texts": {"en": "Order {nomor}"}});
    let changed = it.change(KEY, "/v1/templates/pesanan", &texts).json();
    assert_eq!((&changed["default_locale"], &changed["placeholders"]), (&json!("en"), &json!(["nomor"])));
    assert_eq!(changed["created_at"], view["created_at"]);
    assert_eq!(changed["updated_at"], "2026-11-21T12:01:00.000Z");
    assert_eq!(it.delete("/v1/templates/pesanan").json(), changed);
    it.get("/v1/templates/pesanan").error(404, "not_found");
    it.delete("/v1/templates/pesanan").error(404, "not_found");
    it.delete("/v1/templates/no%20name").error(404, "not_found");
}

#[test]
fn bad_templates_are_refused_by_field_and_without_their_texts() {
    let it = Fixture::new();
    let with = |path: &str, value: Value| {
        let mut body = order();
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let cases = [
        (with("/name", json!("a b")), "name"),
        (with("/default_locale", json!("indonesian language")), "default_locale"),
        (with("/default_locale", json!("ms")), "default_locale"),
        (with("/texts", json!({})), "texts"),
        (with("/texts", json!({"secret words": "x"})), "texts"),
        (with("/texts/en", json!("Hello {nama}, secret words")), "texts.en"),
        (with("/texts/en", json!("secret words\u{0}{nama}{nomor}")), "texts.en"),
        (with("/texts/en", json!("x".repeat(4097))), "texts.en"),
        (with("/texts/id", json!("")), "texts.id"),
        (with("/texts", json!({"id": "{a}", "ID": "{a}"})), "texts.id"),
        (with("/texts/en", json!(7)), "texts.en"),
    ];
    for (body, field) in cases {
        let error = it.post("/v1/templates", &body).error(422, "bad_field");
        assert_eq!(error["field"], field, "{body}: {error}");
        assert!(!error.to_string().contains("secret words"), "{error}");
    }
    let error = it.post("/v1/templates", &with("/texts/en", json!("Hello {name}, order {nomor}"))).json();
    assert!(error["detail"].as_str().unwrap().contains("{nam"), "it names the placeholder: {error}");
    assert!(it.get("/v1/templates").json()["templates"].as_array().unwrap().iter().all(|one| one["shipped"] == true));
}

#[test]
fn what_kurir_brings_along_can_be_replaced_by_a_tenant_for_itself() {
    let it = Fixture::new();
    let shipped = it.get("/v1/templates/otp").json();
    assert_eq!((&shipped["shipped"], &shipped["created_at"]), (&json!(true), &Value::Null));
    assert!(shipped["texts"]["id"].is_string() && shipped["texts"]["en"].is_string());
    it.delete("/v1/templates/otp").error(404, "not_found");

    let own = json!({"name": "otp", "default_locale": "id", "texts": {"id": "Kode toko: {code}"}});
    assert_eq!(it.post("/v1/templates", &own).status, 201);
    assert_eq!(it.get("/v1/templates/otp").json()["texts"], own["texts"]);
    let others = it.get_with("/v1/templates/otp", &[("X-Api-Key", OTHER_KEY)]).json();
    assert_eq!(others, shipped, "another tenant has what was brought along");
    assert_eq!(it.delete("/v1/templates/otp").status, 200);
    assert_eq!(it.get("/v1/templates/otp").json(), shipped, "it is good again");
}

#[test]
fn pages_have_own_and_shipped_templates_in_order() {
    let it = Fixture::new();
    for name in ["zebra", "apple", "notification"] {
        let body = json!({"name": name, "default_locale": "id", "texts": {"id": "x"}});
        assert_eq!(it.post("/v1/templates", &body).status, 201);
    }
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = it.get(&format!("/v1/templates?limit=2{after}")).json();
        let found = page["templates"].as_array().unwrap();
        assert!(found.len() <= 2);
        names.extend(found.iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let all = ["announcement", "apple", "notification", "otp", "otp_for_app", "otp_with_name", "zebra"];
    assert_eq!(names, all);
    assert_eq!(it.get("/v1/templates/notification").json()["shipped"], false);
    for query in ["limit=0", "limit=201", "limit=x", "after=a%20b", "page=2"] {
        it.get(&format!("/v1/templates?{query}")).error(422, "bad_field");
    }
}

#[test]
fn a_message_names_its_template_and_says_it_in_the_recipients_language() {
    let it = Fixture::new();
    it.create("s1");
    assert_eq!(it.post("/v1/templates", &order()).status, 201);
    let values = json!({"nama": "{nomor}", "nomor": "77"});
    for (locale, said) in [
        (json!("en-US"), "Hello {nomor}, order 77 is on its way."),
        (json!("id-ID"), "Halo {nomor}, pesanan 77 dikirim."),
        (json!("fr"), "Halo {nomor}, pesanan 77 dikirim."),
        (Value::Null, "Halo {nomor}, pesanan 77 dikirim."),
    ] {
        let content = json!({"type": "template", "name": "pesanan", "locale": locale, "values": values});
        let answer = it.post("/v1/messages", &message(&content));
        assert_eq!((answer.status, &answer.json()["lane"]), (202, &json!("bulk")), "{}", answer.text());
        assert_eq!(it.said(Lane::Bulk), said);
        let body = json!({"locale": locale, "values": values});
        let preview = it.post("/v1/templates/pesanan/preview", &body).json();
        assert_eq!(preview["text"], said);
    }
    // A code in the text of a template goes in the otp lane, whatever else the text wants.
    for (template, values, said) in [
        ("otp", json!({}), "Your verification code is 493817. Don't share it with anyone."),
        (
            "otp_with_name",
            json!({"name": "{code}"}),
            "Hello {code}, your verification code is 493817. Don't share it with anyone.",
        ),
    ] {
        let content = json!({"type": "otp", "code": "493817", "template": template, "locale": "en", "values": values});
        let answer = it.post("/v1/messages", &message(&content));
        assert_eq!((answer.status, &answer.json()["lane"]), (202, &json!("otp")), "{}", answer.text());
        assert_eq!(it.said(Lane::Otp), said);
    }
    // As before.
    let content = json!({"type": "template", "text": "Halo {nama}", "values": {"nama": "Sari"}});
    assert_eq!(it.post("/v1/messages", &message(&content)).status, 202);
    assert_eq!(it.said(Lane::Bulk), "Halo Sari");
}

#[test]
fn values_and_names_that_do_not_fit_are_told_without_the_values() {
    let it = Fixture::new();
    it.create("s1");
    assert_eq!(it.post("/v1/templates", &order()).status, 201);
    let named = |values: Value| json!({"type": "template", "name": "pesanan", "values": values});
    let otp = |template: &str, values: Value| json!({"type": "otp", "code": "493817", "template": template, "values": values});
    let cases = [
        (named(json!({"nama": "secret"})), 422, "content.values.nomor"),
        (named(json!({"nama": "secret", "nomor": "1", "kota": "secret"})), 422, "content.values.kota"),
        (named(json!({"nama": "secret", "nomor": "1", "a b": "secret"})), 422, "content.values"),
        (json!({"type": "template", "name": "nobodys", "values": {}}), 404, "content.name"),
        (json!({"type": "template", "name": "no name", "values": {}}), 404, "content.name"),
        (
            json!({"type": "template", "name": "pesanan", "locale": "bahasa secret", "values": {}}),
            422,
            "content.locale",
        ),
        (json!({"type": "template", "name": "pesanan", "text": "x"}), 422, "content"),
        (json!({"type": "template", "name": "pesanan", "value": {}}), 422, "content"),
        (otp("nobodys", json!({})), 404, "content.template"),
        (otp("pesanan", json!({"nama": "secret", "nomor": "1"})), 422, "content.template"),
        (otp("otp_with_name", json!({})), 422, "content.values.name"),
        (otp("otp", json!({"code": "secret"})), 422, "content.values.code"),
        (otp("otp", json!({"name": "secret"})), 422, "content.values.name"),
    ];
    for (content, status, field) in cases {
        let error = it
            .post("/v1/messages", &message(&content))
            .error(status, if status == 404 { "not_found" } else { "bad_field" });
        assert_eq!(error["field"], field, "{content}: {error}");
        assert!(!error.to_string().contains("secret") && !error.to_string().contains("493817"), "{error}");
    }
    let preview = it.post("/v1/templates/pesanan/preview", &json!({"values": {"nama": "secret"}}));
    assert_eq!(preview.error(422, "bad_field")["field"], "values.nomor");
    assert_eq!(it.events(), ["session.created"], "nothing was entered");
}

#[test]
fn a_key_for_some_sessions_uses_templates_and_changes_none() {
    let it = Fixture::new();
    it.create("s1");
    let made = it.post("/v1/keys", &json!({"scopes": ["send", "read", "control"], "sessions": ["s1"]})).json();
    let key = made["key"].as_str().unwrap();
    it.post_as(key, "/v1/templates", &order()).error(403, "forbidden");
    it.change(key, "/v1/templates/otp", &json!({"default_locale": "id", "texts": {"id": "{code}"}}))
        .error(403, "forbidden");
    it.call("DELETE", "/v1/templates/otp", &[("X-Api-Key", key)], b"").error(403, "forbidden");
    assert_eq!(it.get_with("/v1/templates/otp", &[("X-Api-Key", key)]).status, 200);
    let content = json!({"type": "otp", "code": "493817", "template": "otp"});
    assert_eq!(it.post_as(key, "/v1/messages", &message(&content)).status, 202);
}
