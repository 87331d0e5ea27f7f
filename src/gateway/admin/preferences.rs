//! What a reader has chosen of the page's looks: its language, light or dark. Kept in the browser.

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::cookie;
use super::language::{self, Language};
use super::local_path::LocalPath;

/// The cookie with the colours.
const THEME: &str = "kurir_theme";

/// A year, in seconds.
const KEPT: u32 = 31_536_000;

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
        cookie::value(headers, THEME).and_then(Self::parse).unwrap_or_default()
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

/// Remembers a choice in the browser and goes back. It changes nothing of anybody's, so it is a plain link.
pub(super) async fn choose(Query(choice): Query<Choice>) -> Response {
    let back = choice.back.as_deref().and_then(LocalPath::parse).unwrap_or_default();
    let mut response = Redirect::to(back.as_str()).into_response();
    let language =
        choice.lang.as_deref().and_then(Language::parse).map(|language| (language::COOKIE, language.as_str()));
    let theme = choice.theme.as_deref().and_then(Theme::parse).map(|theme| (THEME, theme.as_str()));
    for (name, value) in language.into_iter().chain(theme) {
        let line = format!("{name}={value}; Path=/admin; Max-Age={KEPT}; SameSite=Lax; HttpOnly");
        if let Ok(line) = HeaderValue::from_str(&line) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
    }
    response
}
