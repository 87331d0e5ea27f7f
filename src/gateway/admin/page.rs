//! The frame that every page stands in: head, navigation, choices, and what was just done.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{DOCTYPE, Markup, html};

use super::guard::SignedIn;
use super::language::Language;
use super::local_path::LocalPath;
use super::preferences::Theme;
use super::reader::asks_for_a_part;
use super::words::{self, Notice};

/// The parts of the page, in the order of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Sessions,
    Messages,
    Dead,
    Fleet,
    Verifications,
    Webhooks,
    Keys,
    Templates,
    Limits,
    Users,
}

impl Section {
    const ALL: [Self; 10] = [
        Self::Sessions,
        Self::Messages,
        Self::Dead,
        Self::Fleet,
        Self::Verifications,
        Self::Webhooks,
        Self::Keys,
        Self::Templates,
        Self::Limits,
        Self::Users,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Sessions => "/admin/sessions",
            Self::Messages => "/admin/messages",
            Self::Dead => "/admin/dead",
            Self::Fleet => "/admin/fleet",
            Self::Verifications => "/admin/verifications",
            Self::Webhooks => "/admin/webhooks",
            Self::Keys => "/admin/keys",
            Self::Templates => "/admin/templates",
            Self::Limits => "/admin/limits",
            Self::Users => "/admin/users",
        }
    }

    /// Whether there is anything for this reader there.
    const fn is_for(self, signed_in: &SignedIn) -> bool {
        !matches!(self, Self::Users) || signed_in.may_change()
    }

    const fn name(self, language: Language) -> &'static str {
        let (id, en) = match self {
            Self::Sessions => ("Sesi", "Sessions"),
            Self::Messages => ("Pesan", "Messages"),
            Self::Dead => ("Gagal diproses", "Dead letters"),
            Self::Fleet => ("Armada", "Fleet"),
            Self::Verifications => ("Verifikasi", "Verifications"),
            Self::Webhooks => ("Webhook", "Webhooks"),
            Self::Keys => ("Kunci API", "API keys"),
            Self::Templates => ("Templat", "Templates"),
            Self::Limits => ("Batas", "Limits"),
            Self::Users => ("Pengguna", "Users"),
        };
        language.of_two(id, en)
    }
}

/// What the frame must know of the request.
pub(super) struct Frame {
    language: Language,
    theme: Theme,
    /// The page's own address, for the ways back to it.
    here: LocalPath,
    notice: Option<Notice>,
    /// Whether a script of ours asks, who wants the part alone.
    fetched: bool,
}

impl Frame {
    /// Of this request.
    pub fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        // Not back to the door, nor to wherever somebody made an address lead.
        let here = uri.path_and_query().and_then(|path| LocalPath::parse(path.as_str())).unwrap_or_default();
        Self {
            language: Language::of(headers),
            theme: Theme::of(headers),
            here,
            notice: Notice::of(uri),
            fetched: asks_for_a_part(headers),
        }
    }

    /// Of a request of which only the head's fields are at hand; the ways back lead to the beginning.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        Self::of(headers, &Uri::from_static("/admin"))
    }

    /// The reader's language.
    pub const fn language(&self) -> Language {
        self.language
    }

    /// A whole page.
    pub fn page(
        &self,
        signed_in: &SignedIn,
        section: impl Into<Option<Section>>,
        title: &str,
        body: &Markup,
    ) -> Response {
        let (words, section) = (words::of(self.language), section.into());
        let navigation = html! {
            a .skip href="#content" { (words.skip) }
            header {
                a .brand href="/admin" { "kurir" }
                nav aria-label=(words.navigation) {
                    ul {
                        @for each in Section::ALL.into_iter().filter(|each| each.is_for(signed_in)) {
                            li {
                                a href=(each.path()) aria-current=[(Some(each) == section).then_some("page")] {
                                    (each.name(self.language))
                                }
                            }
                        }
                    }
                }
                div .who {
                    span { (signed_in.user.name) " · " (signed_in.tenant()) " · " (words.role(signed_in.user.role)) }
                    a href="/admin/password" { (words.password) }
                    form method="post" action="/admin/sign-out" {
                        (signed_in.csrf_field())
                        button .quiet type="submit" { (words.sign_out) }
                    }
                }
            }
        };
        self.document(title, &navigation, body)
    }

    /// A part of a page: alone for a script that asks for it, else in a page of its own.
    pub fn part(&self, signed_in: &SignedIn, section: Section, title: &str, body: Markup) -> Response {
        if self.fetched { body.into_response() } else { self.page(signed_in, section, title, &body) }
    }

    /// A page for nobody in particular: signing in, and what went wrong before that.
    pub fn bare(&self, title: &str, body: &Markup) -> Response {
        self.document(title, &html! { header { span .brand { "kurir" } } }, body)
    }

    fn document(&self, title: &str, head: &Markup, body: &Markup) -> Response {
        let words = words::of(self.language);
        html! {
            (DOCTYPE)
            html lang=(self.language.as_str()) data-theme=(self.theme.as_str()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="robots" content="noindex";
                    title { (title) " · kurir" }
                    link rel="icon" href="/admin/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/admin/assets/admin.css";
                    script type="module" src="/admin/assets/admin.js" {}
                }
                body {
                    (head)
                    main id="content" tabindex="-1" {
                        h1 { (title) }
                        @if let Some(notice) = self.notice {
                            p .notice role="status" { (notice.words(self.language)) }
                        }
                        (body)
                    }
                    footer {
                        (self.choices(words.language, Language::ALL.map(|each| {
                            (each.name(), format!("lang={}", each.as_str()), each == self.language)
                        })))
                        (self.choices(words.colours, Theme::ALL.map(|each| {
                            (words.theme(each), format!("theme={}", each.as_str()), each == self.theme)
                        })))
                    }
                }
            }
        }
        .into_response()
    }

    fn choices<const N: usize>(&self, name: &str, choices: [(&str, String, bool); N]) -> Markup {
        html! {
            div .choices role="group" aria-label=(name) {
                span aria-hidden="true" { (name) ": " }
                @for (word, query, chosen) in choices {
                    a href=(format!("/admin/preferences?{query}&back={}", self.here.escaped()))
                        aria-current=[chosen.then_some("true")] { (word) }
                }
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri))
    }
}

/// Leads on to a page which tells what was done.
pub(super) fn done(path: &str, notice: Notice) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{joint}done={}", notice.as_str())).into_response()
}

/// A text as part of an address.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
