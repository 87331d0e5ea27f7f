//! `/admin/templates`: the texts that messages are made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use kurir_core::domain::{Locale, TemplateError, TemplateName, TemplateTexts};
use maud::{Markup, html};
use serde::Deserialize;

use super::change::{Change, Nothing};
use super::guard::{MayChange, MayLook};
use super::language::Language;
use super::page::{Frame, Section, done, encoded};
use super::refusal::Answer;
use super::words::{self, Notice, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::{KnownTemplate, UseCaseError};

/// Templates of one page.
const PAGE: u32 = 50;

const HERE: Section = Section::Templates;
const PATH: &str = "/admin/templates";

struct Words {
    title: &'static str,
    name: &'static str,
    name_hint: &'static str,
    languages: &'static str,
    placeholders: &'static str,
    changed: &'static str,
    shipped: &'static str,
    shipped_hint: &'static str,
    add: &'static str,
    default: &'static str,
    locale: &'static str,
    text: &'static str,
    text_hint: &'static str,
    another: &'static str,
    save: &'static str,
    remove: &'static str,
    remove_ask: &'static str,
}

const ID: Words = Words {
    title: "Templat",
    name: "Nama",
    name_hint: "huruf, angka, - dan _",
    languages: "Bahasa",
    placeholders: "Isian",
    changed: "Diubah",
    shipped: "bawaan",
    shipped_hint: "Templat bawaan kurir. Simpan perubahan untuk memakai teks sendiri dengan nama yang sama.",
    add: "Buat templat",
    default: "Bahasa utama",
    locale: "Kode bahasa",
    text: "Teks",
    text_hint: "isian ditulis {begini}; semua bahasa memakai isian yang sama",
    another: "Bahasa lain",
    save: "Simpan",
    remove: "Hapus templat",
    remove_ask: "Pesan yang sudah diterima tetap dikirim. Templat bawaan dengan nama ini berlaku lagi, jika ada.",
};

const EN: Words = Words {
    title: "Templates",
    name: "Name",
    name_hint: "letters, digits, - and _",
    languages: "Languages",
    placeholders: "Placeholders",
    changed: "Changed",
    shipped: "built in",
    shipped_hint: "A template that kurir brings along. Save a change to use a text of your own under this name.",
    add: "Make a template",
    default: "Main language",
    locale: "Language tag",
    text: "Text",
    text_hint: "placeholders are written {like_this}; all languages have the same ones",
    another: "Another language",
    save: "Save",
    remove: "Remove the template",
    remove_ask: "Messages that were taken are still sent. A built-in template of this name counts again, if there is one.",
};

const fn text(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(PATH, get(list).post(make))
        .route("/admin/templates/{name}", get(one).post(change))
        .route("/admin/templates/{name}/remove", get(ask_remove).post(remove))
}

#[derive(Deserialize)]
struct Page {
    after: Option<String>,
}

async fn list(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    page: Result<Query<Page>, QueryRejection>,
    frame: Frame,
) -> Answer {
    let after = page?.0.after.map(TemplateName::new).transpose();
    let after = after.map_err(|error| UseCaseError::field("after", error.to_string()))?;
    let page = app.cases.templates(signed_in.tenant(), after.as_ref(), PAGE).await?;
    let (language, words) = (frame.language(), text(frame.language()));
    let body = html! {
        div .wide tabindex="0" role="region" aria-label=(words.title) {
            table {
                caption { (words.title) }
                thead { tr {
                    @for head in [words.name, words.languages, words.placeholders, words.changed] {
                        th scope="col" { (head) }
                    }
                } }
                tbody {
                    @for template in &page.templates {
                        @let texts = template.texts();
                        tr {
                            th scope="row" { a href=(format!("{PATH}/{}", template.name())) { (template.name()) } }
                            td { (texts.texts().keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                            td { code { (texts.placeholders().into_iter().collect::<Vec<_>>().join(", ")) } }
                            td {
                                @match template.stored() {
                                    Some((_, changed)) => (moment(changed)),
                                    None => span .faint { (words.shipped) },
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(next) = &page.next {
            p { a href=(format!("{PATH}?after={}", encoded(next.as_str()))) { (words::of(language).more) } }
        }
        @if signed_in.may_change() {
            h2 { (words.add) }
            form .fields method="post" action=(PATH) {
                (signed_in.csrf_field())
                label { (words.name) small { (words.name_hint) } input name="name" maxlength="64" required; }
                (fields(words, language.as_str(), [("id", ""), ("en", "")].into_iter()))
                div { button type="submit" { (words.save) } }
            }
        }
    };
    Ok(frame.page(&signed_in, HERE, words.title, &body))
}

/// The fields of the texts: a language tag and a text each, and a pair more for another language.
fn fields<'a>(words: &Words, default: &str, texts: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    html! {
        label { (words.default) input name="default_locale" value=(default) maxlength="35" required; }
        @for (at, (locale, text)) in texts.chain([("", "")]).enumerate() {
            fieldset {
                legend { @if locale.is_empty() { (words.another) } @else { (locale) } }
                label { (words.locale) input name=(format!("locale{at}")) value=(locale) maxlength="35"; }
                label {
                    (words.text) small { (words.text_hint) }
                    textarea name=(format!("text{at}")) maxlength="4096" { (text) }
                }
            }
        }
    }
}

async fn one(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    Path(name): Path<String>,
    frame: Frame,
) -> Answer {
    let template = app.cases.template(signed_in.tenant(), &name).await?;
    let (words, texts) = (text(frame.language()), template.texts());
    let pairs: Vec<_> = texts.texts().iter().map(|(locale, text)| (locale.to_string(), text.as_str())).collect();
    let pairs = pairs.iter().map(|(locale, text)| (locale.as_str(), *text));
    let own = matches!(template, KnownTemplate::Own(_));
    let body = html! {
        @if !own { p .faint { (words.shipped_hint) } }
        @if signed_in.may_change() {
            form .fields method="post" action=(format!("{PATH}/{name}")) {
                (signed_in.csrf_field())
                (fields(words, &texts.default_locale().to_string(), pairs))
                div { button type="submit" { (words.save) } }
            }
            @if own {
                div .actions { a .button.danger href=(format!("{PATH}/{name}/remove")) { (words.remove) } }
            }
        } @else {
            @for (locale, text) in pairs {
                h2 { (locale) }
                p { (text) }
            }
        }
    };
    Ok(frame.page(&signed_in, HERE, template.name().as_str(), &body))
}

/// The texts of a form: numbered pairs of a language and a text; a pair without both is left out.
fn texts_of(form: &BTreeMap<String, String>) -> Result<TemplateTexts, UseCaseError> {
    let default = form.get("default_locale").map(String::as_str).unwrap_or_default();
    let default = Locale::new(default).map_err(|error| UseCaseError::field("default_locale", error.to_string()))?;
    let mut texts = BTreeMap::new();
    for (name, tag) in form.iter().filter(|(name, _)| name.starts_with("locale")) {
        let number = name.trim_start_matches("locale");
        let Some(text) = form.get(&format!("text{number}")) else { continue };
        let locale = Locale::new(tag).map_err(|error| UseCaseError::field("texts", error.to_string()))?;
        if texts.insert(locale, text.clone()).is_some() {
            return Err(UseCaseError::field("texts", "names a language twice"));
        }
    }
    TemplateTexts::new(default, texts).map_err(|error| {
        let field = if matches!(error, TemplateError::NoDefault(_)) { "default_locale" } else { "texts" };
        UseCaseError::field(field, error.to_string())
    })
}

type Form = BTreeMap<String, String>;

async fn make(State(app): State<Arc<App>>, Change(signed_in, form): Change<Form>) -> Answer {
    let name = form.get("name").map(String::as_str).unwrap_or_default();
    let made = app.cases.create_template(signed_in.tenant(), name, texts_of(&form)?).await?;
    Ok(done(&format!("{PATH}/{}", made.name), Notice::Added))
}

async fn change(State(app): State<Arc<App>>, Path(name): Path<String>, Change(by, form): Change<Form>) -> Answer {
    let saved = app.cases.put_template(by.tenant(), &name, texts_of(&form)?).await?;
    Ok(done(&format!("{PATH}/{}", saved.name), Notice::Saved))
}

async fn ask_remove(
    State(app): State<Arc<App>>,
    MayChange(signed_in): MayChange,
    Path(name): Path<String>,
    frame: Frame,
) -> Answer {
    let template = app.cases.template(signed_in.tenant(), &name).await?;
    let words = text(frame.language());
    let body = html! {
        p { strong { (template.name()) } }
        p { (words.remove_ask) }
        form .actions method="post" action=(format!("{PATH}/{}/remove", template.name())) {
            (signed_in.csrf_field())
            button .danger type="submit" { (words.remove) }
            a href=(PATH) { (words::of(frame.language()).cancel) }
        }
    };
    Ok(frame.page(&signed_in, HERE, words.remove, &body))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Change(by, Nothing {}): Change<Nothing>,
) -> Answer {
    app.cases.remove_template(by.tenant(), &name).await?;
    Ok(done(PATH, Notice::Removed))
}
