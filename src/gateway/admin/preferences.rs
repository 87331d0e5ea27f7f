//! What a reader has chosen of the page's looks: its language, light or dark. Kept in the browser.

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::language::Language;

/// The cookie with the language.
pub(super) const LANGUAGE: &str = "kurir_lang";

/// The cookie with the colours.
pub(super) const THEME: &str = "kurir_theme";

/// A year, in seconds.
const KEPT: u32 = 31_536_000;

/// The value of a cookie of a request.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The colours of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gateway) enum Theme {
    /// As the browser's are.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// As the cookie and the style sheet write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text)
    }

    /// What a reader has chosen.
    pub fn of(headers: &HeaderMap) -> Self {
        cookie(headers, THEME).and_then(Self::parse).unwrap_or_default()
    }
}

/// A choice.
#[derive(Deserialize)]
pub(super) struct Choice {
    lang: Option<String>,
    theme: Option<String>,
    /// Where to go back to.
    back: Option<String>,
}

/// A place on the admin page to go to; whatever leads elsewhere leads to its beginning.
pub(super) fn local(path: Option<&str>) -> &str {
    // `//host`, `/\host` and line breaks lead elsewhere in browsers.
    let ours = |path: &&str| {
        (*path == "/admin" || path.starts_with("/admin/") || path.starts_with("/admin?"))
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    path.filter(ours).unwrap_or("/admin")
}

/// Remembers a choice in the browser and goes back. It changes nothing of anybody's, so it is a plain link.
pub(super) async fn choose(Query(choice): Query<Choice>) -> Response {
    let mut response = Redirect::to(local(choice.back.as_deref())).into_response();
    let language = choice.lang.as_deref().and_then(Language::parse).map(|language| (LANGUAGE, language.tag()));
    let theme = choice.theme.as_deref().and_then(Theme::parse).map(|theme| (THEME, theme.as_str()));
    for (name, value) in language.into_iter().chain(theme) {
        let line = format!("{name}={value}; Path=/admin; Max-Age={KEPT}; SameSite=Lax; HttpOnly");
        if let Ok(line) = HeaderValue::from_str(&line) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_leads_to_the_page_and_nowhere_else() {
        for good in ["/admin", "/admin/messages?q=a%20b", "/admin?x=1"] {
            assert_eq!(local(Some(good)), good);
        }
        for bad in
            ["//evil.example", "/admin\\x", "https://evil.example/admin", "/administrator", "", "/admin/\r\nX: y"]
        {
            assert_eq!(local(Some(bad)), "/admin", "{bad:?}");
        }
    }
}
