//! The tenants' templates.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Stores;
use super::fixture::{now, session, tenant};
use crate::domain::{Locale, Template, TemplateName, TemplateTexts};

fn texts(words: &str) -> TemplateTexts {
    let locale = |tag: &str| Locale::new(tag).unwrap();
    let texts = BTreeMap::from([
        (locale("id"), format!("Halo {{nama}}, {words} \u{1f600}\n'x' \"y\"")),
        (locale("en-GB"), format!("Hello {{nama}}, {words}")),
    ]);
    TemplateTexts::new(locale("id"), texts).unwrap()
}

fn template(name: &str) -> Template {
    let name = TemplateName::new(name).unwrap();
    Template { name, texts: texts("one"), created_at: now(), updated_at: now().plus(Duration::from_secs(1)) }
}

pub(super) async fn a_template_is_read_back_whole(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let wanted = template("pesanan");
    assert_eq!(stores.templates.template(&mine, &wanted.name).await.unwrap(), None);
    assert!(stores.templates.add_template(&mine, &wanted).await.unwrap());
    assert_eq!(stores.templates.template(&mine, &wanted.name).await.unwrap(), Some(wanted.clone()));
    assert_eq!(stores.templates.template(&other, &wanted.name).await.unwrap(), None, "another tenant's");
}

pub(super) async fn a_templates_name_is_used_once_by_each_tenant(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let first = template("pesanan");
    let second = Template { texts: texts("two"), ..first.clone() };
    assert!(stores.templates.add_template(&mine, &first).await.unwrap());
    assert!(!stores.templates.add_template(&mine, &second).await.unwrap());
    assert!(stores.templates.add_template(&other, &second).await.unwrap());
    assert_eq!(stores.templates.template(&mine, &first.name).await.unwrap(), Some(first));
    assert_eq!(stores.templates.template(&other, &second.name).await.unwrap(), Some(second));
}

pub(super) async fn a_template_put_again_keeps_when_it_was_made(stores: Stores) {
    let mine = tenant();
    let first = template("pesanan");
    assert_eq!(stores.templates.put_template(&mine, &first).await.unwrap(), first, "there was none");
    let (created_at, updated_at) = (now().plus(Duration::from_hours(1)), now().plus(Duration::from_hours(2)));
    let second = Template { texts: texts("two"), created_at, updated_at, ..first.clone() };
    let kept = Template { created_at: first.created_at, ..second.clone() };
    assert_eq!(stores.templates.put_template(&mine, &second).await.unwrap(), kept);
    assert_eq!(stores.templates.template(&mine, &first.name).await.unwrap(), Some(kept));
}

pub(super) async fn pages_hold_every_template_once_in_bytewise_order(stores: Stores) {
    let mine = tenant();
    for name in ["b", "a", "B", "a-1", "a_1", "aa", "0"] {
        assert!(stores.templates.add_template(&mine, &template(name)).await.unwrap());
    }
    stores.templates.add_template(&tenant(), &template("foreign")).await.unwrap();
    let mut names: Vec<String> = Vec::new();
    loop {
        let after = names.last().map(|name| TemplateName::new(name).unwrap());
        let page = stores.templates.templates(&mine, after.as_ref(), 3).await.unwrap();
        assert!(page.len() <= 3);
        names.extend(page.iter().map(|template| template.name.to_string()));
        if page.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["0", "B", "a", "a-1", "a_1", "aa", "b"]);
    assert_eq!(stores.templates.templates(&tenant(), None, 10).await.unwrap(), []);
}

pub(super) async fn a_removed_template_is_gone(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let one = template(session().as_str());
    assert!(stores.templates.add_template(&mine, &one).await.unwrap());
    assert_eq!(stores.templates.remove_template(&other, &one.name).await.unwrap(), None);
    assert_eq!(stores.templates.remove_template(&mine, &one.name).await.unwrap(), Some(one.clone()));
    assert_eq!(stores.templates.remove_template(&mine, &one.name).await.unwrap(), None);
    assert_eq!(stores.templates.template(&mine, &one.name).await.unwrap(), None);
}
