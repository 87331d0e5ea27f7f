//! What all pages stand in.

use maud::{DOCTYPE, Markup, html};

use super::guard::SignedIn;
use super::language::Language;

/// A page without navigation.
pub(super) fn bare(language: Language, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.as_str()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · kurir" }
            }
            body { main { (body) } }
        }
    }
}

/// A page for somebody who is signed in.
pub(super) fn within(language: Language, signed_in: &SignedIn, title: &str, body: &Markup) -> Markup {
    let (users, password, leave) = match language {
        Language::Id => ("Pengguna", "Ganti kata sandi", "Keluar"),
        Language::En => ("Users", "Change password", "Sign out"),
    };
    let framed = html! {
        nav {
            span { (signed_in.user.name) " · " (signed_in.tenant()) } " "
            @if signed_in.may_change() { a href="/admin/users" { (users) } " " }
            a href="/admin/password" { (password) } " "
            form method="post" action="/admin/sign-out" {
                (signed_in.csrf_field())
                button type="submit" { (leave) }
            }
        }
        (body)
    };
    bare(language, title, &framed)
}
